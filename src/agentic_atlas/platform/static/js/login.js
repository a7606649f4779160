// Logs in, and accepts an invitation. The secret of an invitation stands behind `#`, which no request has.
"use strict";

const API = "/api/v1";
const form = (id) => document.getElementById(id);
const say = (text) => { form("said").textContent = text; };

const KEPT = "atlas-login-code"; // of a machine that waits to be approved, for `code.js`

function show(id) {
  for (const one of document.querySelectorAll(".login form")) one.hidden = one.id !== id;
  document.documentElement.classList.toggle("invited", id === "invitation");
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

// What the address tells is a code: whoever can have a link opened must not write on this page.
function failed(code) {
  const told = document.getElementById(`failed=${code}`) ?? document.getElementById("failed=login_failed");
  say(told.textContent);
  for (const one of document.querySelectorAll(".failed")) one.remove();
}

async function begin() {
  const behind = new URLSearchParams(location.hash.slice(1));
  const secret = behind.get("invitation");
  if (behind.has("failed")) failed(behind.get("failed"));
  if (behind.has("code")) sessionStorage.setItem(KEPT, behind.get("code"));
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
