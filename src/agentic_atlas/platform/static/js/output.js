// Shows what a skill gives back as it comes: what is told of by the one stream (`live.js`) is fetched from the event on that
// is shown last, and put behind it. The part of the page that it is in is looked at again besides, now and then.
"use strict";

(() => {
  const PAUSE = 100; // milliseconds between two looks
  const told = new Map(); // id of a task → number of its last event, as far as it is known
  let looking = false;

  const outputs = () => [...document.querySelectorAll("[data-output]")];
  const shown = (output) => Number(output.dataset.shown);
  const full = (output) => output.textContent.length >= Number(output.dataset.most);
  const behind = () => outputs().find((output) => !full(output) && shown(output) < (told.get(output.dataset.output) ?? 0));

  async function look(output) {
    const { output: task, shown: after } = output.dataset;
    const answer = await fetch(`/tasks/${task}/output?after=${after}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return false;
    const { seq, text, more } = await answer.json();
    // The page may have been looked at meanwhile, and show it already.
    if (output.dataset.shown !== after || output.dataset.output !== task) return true;
    const room = Number(output.dataset.most) - output.textContent.length;
    if (output.firstChild === null) output.append(document.createTextNode(""));
    output.firstChild.appendData(text.slice(0, room));
    output.dataset.shown = seq;
    if (!more) told.set(task, Math.min(told.get(task), seq));
    return true;
  }

  async function go() {
    if (looking) return;
    looking = true;
    try {
      for (let output = behind(); output !== undefined && !document.hidden; output = behind()) {
        if (!await look(output)) return;
        await new Promise((done) => setTimeout(done, PAUSE));
      }
    } catch {
      // The network is away: the next change that is told begins again.
    } finally {
      looking = false;
    }
  }

  document.addEventListener("atlas:changed", ({ detail: signal }) => {
    const known = new Set(outputs().map((output) => output.dataset.output));
    for (const { id, seq } of signal.tasks ?? []) if (known.has(id)) told.set(id, seq);
    go();
  });
})();
