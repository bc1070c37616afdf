"use strict";
// What every page has: the light/dark switch, and details that open for printing.
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const now = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const other = () => (now() === "dark" ? "light" : "dark");
  const label = () => {
    button.textContent = other();
  };
  button.addEventListener("click", () => {
    root.dataset.theme = other();
    label();
  });
  dark.addEventListener("change", label);
  label();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });
}
