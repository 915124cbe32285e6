// The reader's choice of theme, set before the first paint; without one the system's counts.
(() => {
  "use strict";
  try {
    const choice = localStorage.getItem("theme");
    if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
  } catch {
    // storage is refused: the system's theme stands
  }
})();
