// The identity provider of the tests: oidc-provider with one client, on a free port of this machine. It logs in whoever
// says a name, by its own forms, and says of them what their name says. Prints its address once it listens.
//
// node provider.js CLIENT SECRET REDIRECT_URI
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [client, secret, redirect] = process.argv.slice(2);
const server = createServer((request, response) => provider.callback()(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect] }],
  claims: { profile: ["preferred_username"], email: ["email", "email_verified"] },
  cookies: { keys: ["of the tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: `sub-${id}`.slice(0, 64),
      preferred_username: id.split("@")[0],
      email: id,
      email_verified: !id.startsWith("unverified"),
    }),
  }),
});
console.log(issuer);
