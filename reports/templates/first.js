// Runs before anything is shown: what only a script can serve (sliders, filters) appears only with one.
document.documentElement.classList.add("js");
