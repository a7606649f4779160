// Takes a file into a form that is made of a schema: as base64, which is what the skill is sent.
"use strict";

const MOST = 2_500_000; // bytes of a file, which are a third more as base64

async function taken(input) {
  const into = document.getElementById(input.dataset.into);
  const [file] = input.files;
  if (!into || !file) return;
  if (file.size > MOST) {
    into.setCustomValidity(`${file.name} is larger than ${MOST / 1e6} MB: send a link to it`);
    into.reportValidity();
    return;
  }
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  const text = url.slice(url.indexOf(",") + 1);
  into.setCustomValidity("");
  into.value = input.dataset.form === "base64url" ? text.replaceAll("+", "-").replaceAll("/", "_") : text;
  into.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("change", (event) => {
  if (event.target.matches?.("input[type=file][data-into]")) taken(event.target);
});
document.addEventListener("input", (event) => event.target.setCustomValidity?.(""));
