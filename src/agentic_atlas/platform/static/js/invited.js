// Runs before the page is drawn: whoever comes with an invitation sees what it is for, and not the form of those who have
// a password.
"use strict";

if (location.hash.startsWith("#invitation=")) {
  document.documentElement.classList.add("invited");
  document.title = document.title.replace("Log in", "Set up your account");
}
