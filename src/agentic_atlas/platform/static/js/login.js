// Logs in, and accepts an invitation. The secret of an invitation stands behind `#`, which no request has.
"use strict";

const API = "/api/v1";
const form = (id) => document.getElementById(id);
const say = (text) => { form("said").textContent = text; };

// What the address tells is a code: whoever can have a link opened must not write on this page.
const FAILED = {
  provider_unavailable: "The identity provider can't be used now: try again in a minute. Why is in the server's log.",
  login_failed: "The identity provider's log-in did not work here: begin it again, in this browser. "
    + "Whoever runs this network finds why in its audit log.",
  not_invited: "Nobody here is linked to this log-in: log in with your password and link it in the settings, "
    + "or ask an administrator.",
  identity_taken: "This log-in is somebody else's here: log in at the provider as yourself, or ask an administrator.",
  too_many_logins: "Too many people log in: try again in a minute.",
};

function show(id) {
  for (const one of document.querySelectorAll(".login form")) one.hidden = one.id !== id;
  document.documentElement.classList.remove("invited");
}

async function ask(method, path, body) {
  const given = body === undefined ? {} : {
    headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(API + path, { method, credentials: "same-origin", ...given });
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw said.error;
  return said;
}

async function enter(name, password, code) {
  await ask("POST", "/session", { name, password, code });
  location.assign(document.querySelector("[data-next]").dataset.next);
}

function whenSent(id, act) {
  form(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form(id).querySelector("button");
    button.disabled = true;
    say("");
    try {
      await act(form(id).elements);
    } catch (error) {
      say(error.message ?? String(error));
      form("one-time").hidden = form("one-time").hidden && error.code !== "code_required";
    } finally {
      button.disabled = false;
    }
  });
}

async function begin() {
  const behind = new URLSearchParams(location.hash.slice(1));
  const secret = behind.get("invitation");
  if (behind.has("failed")) say(FAILED[behind.get("failed")] ?? FAILED.login_failed);
  history.replaceState(null, "", location.pathname + location.search);
  whenSent("login", (said) => enter(said.name.value, said.password.value, said.code.value));
  whenSent("invitation", async (said) => {
    if (said.password.value !== said.again.value) throw new Error("These are not the same.");
    const user = await ask("POST", "/invitations/accept", { secret, password: said.password.value });
    form("login").elements.name.value = user.name;
    show("login");
    await enter(user.name, said.password.value, "");
  });
  if (secret === null) return show(form("inside") === null ? "login" : "inside");
  try {
    const invitation = await ask("POST", "/invitations/show", { secret });
    form("whose").textContent = invitation.user;
    form("invitation").elements.username.value = invitation.user;
    show("invitation");
  } catch (error) {
    say(error.message ?? String(error));
    show("login");
  }
}

// A link that is opened where this page is already only changes what stands behind `#`.
addEventListener("hashchange", () => location.reload());
begin();
