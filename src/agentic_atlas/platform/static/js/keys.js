// What is done by keys alone: the command palette (Ctrl-K), the list of keys (?), and the way to each section (g, then …).
"use strict";

(() => {
  const SECTIONS = { o: "/overview", a: "/agents", t: "/tasks", s: "/settings" };
  const WITHIN = 1_500; // milliseconds from `g` to the key that says where
  const PAUSE = 100; // milliseconds without another letter, before what was typed is looked for

  const palette = document.getElementById("palette");
  const keys = document.getElementById("keys");
  if (palette === null || keys === null) return;
  const input = palette.querySelector("input");
  const list = palette.querySelector("[role=listbox]");
  let chosen = 0;
  let asked = 0;
  let timer = 0;
  let going = -Infinity;

  const options = () => [...list.children];

  function choose(place) {
    const all = options();
    if (all.length === 0) return input.removeAttribute("aria-activedescendant");
    chosen = (place + all.length) % all.length;
    all.forEach((one, other) => one.setAttribute("aria-selected", String(other === chosen)));
    input.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  }

  function option({ kind, name, path, about }, place) {
    const made = document.createElement("li");
    made.id = `palette-${place}`;
    made.setAttribute("role", "option");
    made.dataset.path = path;
    for (const [text, style] of [[kind, "muted small"], [name, "name"], [about, "muted small clip"]]) {
      const part = document.createElement("span");
      part.textContent = text;
      part.className = style;
      made.append(part);
    }
    return made;
  }

  async function find() {
    const number = ++asked;
    const answer = await fetch(`/palette?${new URLSearchParams({ q: input.value })}`, { headers: { Accept: "application/json" } });
    if (number !== asked || !answer.ok) return; // what was typed since is on its way
    const { items } = await answer.json();
    if (number !== asked) return;
    list.replaceChildren(...items.map(option));
    palette.querySelector("[data-none]").hidden = items.length > 0;
    choose(0);
  }

  function open() {
    if (palette.open) return;
    keys.close();
    input.value = "";
    palette.showModal();
    find();
  }

  function go(place = chosen) {
    const one = options()[place];
    if (one !== undefined) location.assign(one.dataset.path);
  }

  const MOVES = { ArrowDown: () => choose(chosen + 1), ArrowUp: () => choose(chosen - 1), Enter: () => go() };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES) || event.isComposing) return;
    event.preventDefault();
    MOVES[event.key]();
  });
  list.addEventListener("click", (event) => go(options().indexOf(event.target.closest("li"))));

  // For a moment after a dialog was closed, its field still has the focus.
  const typing = (target) =>
    Boolean(target.closest?.("input, textarea, select, [contenteditable]")) && !target.closest("dialog:not([open])");

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return open();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || palette.open) return;
    if (event.key === "?") return keys.open ? keys.close() : keys.showModal();
    if (keys.open) return;
    if (event.key === "g") going = performance.now();
    else if (performance.now() - going < WITHIN && event.key in SECTIONS) location.assign(SECTIONS[event.key]);
    else going = -Infinity;
  });
  document.addEventListener("click", (event) => {
    const opens = event.target.closest?.("[data-opens]");
    if (opens?.dataset.opens === "palette") open();
    else if (opens) document.getElementById(opens.dataset.opens)?.showModal();
    if (event.target.closest?.("[data-closes]")) event.target.closest("dialog").close();
  });
})();
