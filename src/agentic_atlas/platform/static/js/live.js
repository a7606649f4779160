// Looks again at what has changed, by itself: parts of a page that say what they depend on (`data-live`), and up to
// which change they show it (`data-seq`). Without this script a page shows what there was when it was loaded.
"use strict";

(() => {
  const SOON = 150; // milliseconds within which pages look that are told of the same, each at another moment
  const LEAST = 1_000; // between two looks
  const MOST = 2_000; // likewise, where something changes all the time
  const LATER = 5_000; // after a look that failed

  const worker = document.currentScript.dataset.stream;
  const dirty = new Map(); // id → the number of the change that it does not show yet
  let looking = false;
  let timer = 0;
  let looked = -MOST;
  let pause = LEAST;
  let ended = false; // there is nothing more to be seen here

  const parts = () => [...document.querySelectorAll("[data-live][id][data-seq]")];
  const shown = (part) => Number(part.dataset.seq);

  function named(signal) {
    const names = new Set();
    const tasks = signal.tasks ?? [];
    const agents = signal.agents ?? [];
    const tokens = signal.tokens ?? [];
    if (tasks.length > 0) names.add("tasks");
    if (agents.length > 0) names.add("agents");
    if (tokens.length > 0) names.add("tokens");
    for (const one of ["questions", "account", "people", "audit"]) if (signal[one]) names.add(one);
    for (const task of tasks) names.add(`task:${task.id}`).add(`tasks:${task.agent}`);
    for (const agent of agents) names.add(`agent:${agent.id}`).add(`agent:${agent.name}`);
    for (const agent of tokens) names.add(`tokens:${agent}`);
    return names;
  }

  function heard(signal) {
    if (signal.over) return over();
    const names = named(signal);
    for (const part of parts()) {
      if (signal.everything && shown(part) > signal.seq) part.dataset.seq = 0; // a server that counts anew
      const affected = signal.everything || part.dataset.live.split(" ").some((name) => names.has(name));
      if (affected && shown(part) < signal.seq) dirty.set(part.id, signal.seq);
    }
    soon();
    document.dispatchEvent(new CustomEvent("atlas:changed", { detail: signal }));
  }

  function soon(least = 0) {
    if (ended || dirty.size === 0 || timer !== 0 || looking || document.hidden) return;
    const wait = Math.max(least, looked + pause - performance.now(), 0);
    timer = setTimeout(look, wait + Math.random() * SOON);
  }

  // What nobody tells of, as it changes all the time, is looked at now and then.
  function again() {
    for (const part of parts()) if (part.dataset.every !== undefined) dirty.set(part.id, Infinity);
    soon();
  }

  // Whoever marks text in a part, to copy it, is not disturbed.
  function marked(part) {
    const selection = getSelection();
    return !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  function stale() {
    for (const [id, seq] of dirty) {
      const part = document.getElementById(id);
      if (part === null || shown(part) >= seq) dirty.delete(id);
    }
    const found = parts().filter((part) => dirty.has(part.id));
    return found.filter((part) => !found.some((other) => other !== part && other.contains(part)));
  }

  async function look() {
    timer = 0;
    const now = performance.now();
    pause = now - looked < 2 * pause ? Math.min(pause * 1.25, MOST) : LEAST;
    looked = now;
    looking = true;
    const found = stale().filter((part) => !marked(part));
    const [first, ...others] = found.map((part) => `#${CSS.escape(part.id)}`);
    const before = new Map(dirty);
    let status = 0;
    try {
      if (first !== undefined) {
        await htmx.ajax("GET", location.pathname + location.search, {
          target: first,
          select: first,
          selectOOB: others.map((one) => `${one}:outerLive`).join(","),
          swap: "outerLive",
          live: (answered) => { status = answered; },
        });
      }
    } finally {
      looking = false;
    }
    if (status === 401) return over();
    if (status === 403 || status === 404) return gone();
    // What came without a part is not asked for again, until it changes again.
    if (status === 200) for (const { id } of found) if (dirty.get(id) === before.get(id)) dirty.delete(id);
    soon(status === 200 ? 0 : LATER);
  }

  function over() {
    const notice = document.getElementById("over");
    if (notice === null) return;
    notice.hidden = false;
    notice.querySelector("a").href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  }

  function gone() {
    ended = true;
    document.getElementById("gone").hidden = false;
  }

  function lowest() {
    return Math.min(...parts().map(shown));
  }

  async function connect() {
    if (typeof SharedWorker === "function") {
      const { port } = new SharedWorker(worker);
      port.onmessage = ({ data }) => heard(data);
      return (said) => port.postMessage(said);
    }
    const script = document.createElement("script");
    script.src = worker;
    await new Promise((done) => { script.onload = done; document.head.append(script); });
    return (said) => self.atlasStream.hear(heard, said);
  }

  async function begin() {
    const say = await connect();
    const hello = () => say({ hello: Math.min(...parts().map(shown)) });
    hello();
    addEventListener("pagehide", () => say({}));
    addEventListener("pageshow", (event) => { if (event.persisted) hello(); });
    document.addEventListener("visibilitychange", () => soon());
    const every = Math.min(...parts().map((part) => Number(part.dataset.every) || Infinity));
    if (every < Infinity) setInterval(again, every * 1_000);
  }

  if (parts().length > 0) begin();
})();
