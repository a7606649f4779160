// How a part of a page that was looked at again takes the place of what is shown (see `live.js`): nothing moves, what has
// the focus keeps it, and nothing older replaces what is newer.
"use strict";

(() => {
  document.addEventListener("htmx:before:response", (event) => {
    const { live, response } = event.detail.ctx;
    if (live === undefined) return;
    live(response.status);
    if (response.status !== 200) event.preventDefault();
  });

  // Attributes that say what somebody, or a script, did here; and that room was kept for what comes, so that nothing moves.
  const KEPT = ["open", "data-htmx-powered", "data-reserved"];

  // Of an output that comes piece by piece, a look at the page may show less than is there (see `output.js`).
  const older = (node, other) => Number(node.dataset.shown) > Number(other.dataset.shown);

  // Makes a node what another is, place by place, so that nothing moves, and what has the focus keeps it.
  function become(node, other) {
    if (node.isEqualNode(other)) return;
    if (node.nodeType !== Node.ELEMENT_NODE) {
      node.nodeValue = other.nodeValue;
      return;
    }
    if (older(node, other)) return;
    const names = new Set([...node.getAttributeNames(), ...other.getAttributeNames()]);
    for (const name of names) {
      if (KEPT.includes(name)) continue;
      if (other.hasAttribute(name)) node.setAttribute(name, other.getAttribute(name));
      else node.removeAttribute(name);
    }
    // What has an id stays itself, whatever comes or goes before it.
    const are = [...other.childNodes];
    const named = new Set(are.map((child) => child.id).filter(Boolean));
    for (const gone of [...node.children].filter((child) => child.id && !named.has(child.id))) gone.remove();
    const stay = new Map([...node.children].filter((child) => child.id).map((child) => [child.id, child]));
    let was = node.firstChild;
    for (const child of are) {
      const itself = stay.get(child.id);
      while (itself !== undefined && was !== null && was !== itself && !was.id) was = after(was, () => was.remove());
      if (was !== null && was.nodeName === child.nodeName && was.id === child.id) was = after(was, () => become(was, child));
      else if (was === null || was.id) node.insertBefore(child, was);
      else was = after(was, () => was.replaceWith(child));
    }
    while (was !== null) was = after(was, () => was.remove());
  }

  // Does something to a node, and returns the one that stood behind it.
  function after(node, act) {
    const next = node.nextSibling;
    act();
    return next;
  }

  htmx.registerExtension("live", {
    handle_swap(style, target, fragment) {
      if (style !== "outerLive") return false;
      become(target, fragment.firstElementChild);
      return [target];
    },
  });

  // Nothing that is older takes the place of what is newer, and nothing goes away because it is missing.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (ctx.live === undefined) return;
    for (const task of [...tasks]) {
      const target = typeof task.target === "string" ? document.querySelector(task.target) : task.target;
      const came = task.fragment.firstElementChild;
      if (!came || !target?.isConnected || Number(came.dataset.seq) < Number(target.dataset.seq)) tasks.splice(tasks.indexOf(task), 1);
    }
  });
})();
