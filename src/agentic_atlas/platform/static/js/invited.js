// Runs before the page is drawn: whoever comes with an invitation is not shown the form of those who have a password.
"use strict";

if (location.hash.startsWith("#invitation=")) document.documentElement.classList.add("invited");
