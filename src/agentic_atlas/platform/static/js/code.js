// Puts the code of a machine's login into its form: it stands behind `#`, which no request has, and so no log. While
// somebody logs in first, or again, this tab keeps it.
"use strict";

(() => {
  const KEPT = "atlas-login-code"; // as in `login.js`
  const behind = new URLSearchParams(location.hash.slice(1)).get("code");
  const code = behind ?? sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  if (behind !== null) history.replaceState(null, "", location.pathname);
  const form = document.getElementById("code");
  if (form === null) return;
  const typed = form.elements.user_code;
  const again = document.querySelector("form[action^='/logout?']");
  if (again !== null) again.addEventListener("submit", () => sessionStorage.setItem(KEPT, typed.value));
  if (code === null || typed.value !== "") return;
  typed.value = code;
  form.requestSubmit();
})();

// A link that is opened where this page is already only changes what stands behind `#`.
addEventListener("hashchange", () => location.reload());
