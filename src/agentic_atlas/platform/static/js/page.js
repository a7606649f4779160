// What every page does by itself: copies, shows times in the zone of whoever reads, and lets notices be dismissed.
"use strict";

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const LONG_AGO = 7 * 86400;
const EVERY = 30_000; // milliseconds between two looks at what is relative

function told(at, now, relative) {
  const seconds = Math.round((at - now) / 1000);
  if (!relative && Math.abs(seconds) > LONG_AGO) return ABSOLUTE.format(at);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return RELATIVE.format((relative ? Math.round : Math.trunc)(seconds / size), unit);
}

function showTimes(within) {
  for (const one of within.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    one.textContent = told(at, Date.now(), "relative" in one.dataset);
    one.title = ABSOLUTE.format(at);
  }
}

// Times that are picked are in the zone of whoever picks them, and are sent with it.
function showPicked(within) {
  for (const one of within.querySelectorAll("input[data-moment][data-at]")) {
    const at = new Date(one.dataset.at);
    if (Number.isNaN(at.valueOf())) continue;
    one.value = new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  }
}

document.addEventListener("formdata", ({ target, formData }) => {
  for (const one of target.querySelectorAll("input[data-moment]")) {
    const at = new Date(one.value); // without a zone: in that of this browser
    if (one.value !== "" && !Number.isNaN(at.valueOf())) formData.set(one.name, at.toISOString().replace(/:\d\d\.\d+Z$/, "Z"));
    if (one.value === "") formData.delete(one.name);
  }
});

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that are not loaded over TLS, or from this machine, have no clipboard of the newer kind.
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "unseen";
  document.body.append(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  if (!copied) throw new Error("not copied");
}

async function copied(button) {
  const name = button.getAttribute("aria-label");
  let said = "Copied";
  try {
    await copy(button.parentElement.querySelector("code").textContent);
  } catch {
    said = "Select the text and copy it";
  }
  button.setAttribute("aria-label", said);
  button.title = said;
  button.dataset.copy = "done";
  setTimeout(() => {
    button.setAttribute("aria-label", name);
    button.title = name;
    button.dataset.copy = "";
  }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (button?.matches("[data-copy]")) copied(button);
  if (button?.matches("[data-dismiss]")) button.closest(".notice").remove();
});
// What answers a form is found again elsewhere: loading it again must not send the form again.
const found = document.querySelector("[data-found-at]");
if (found !== null) history.replaceState(null, "", found.dataset.foundAt);

// Where there is no room for all parts of a thing, the one that is shown is among those that are seen.
for (const one of document.querySelectorAll("nav [aria-current]")) {
  const within = one.parentElement;
  within.scrollLeft = one.offsetLeft + one.offsetWidth - within.offsetLeft - within.clientWidth;
}

document.addEventListener("htmx:after:swap", () => showTimes(document));
setInterval(() => showTimes(document), EVERY);
showTimes(document);
showPicked(document);
