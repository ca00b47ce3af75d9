"use strict";
// Before the first paint, so that nobody sees the other colours first; where nothing may be kept, the system decides.
try {
  const chosen = localStorage.getItem("nextclick-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {}
