"use strict";
// The words of a caption: pointing at one or focusing it shows its map and units for as long as that lasts; the
// page's own script keeps them when it is pressed. The words are one stop of the Tab key: arrows go between them, and
// from anywhere on the page, unless a control has the focus that may want them itself, to them: from the word that is
// kept, or to the first one.
{
  const caption = document.getElementById("caption");
  const words = [...caption.querySelectorAll(".word")];
  const numberOf = (link) => Number(link.hash.slice("#target-".length));

  const stopAt = (stop) => {
    for (const word of words) word.tabIndex = word === stop ? 0 : -1;
  };
  for (const word of words) {
    word.addEventListener("pointerenter", () => targets.show(numberOf(word)));
    word.addEventListener("pointerleave", () => targets.showChosen());
    word.addEventListener("focus", () => {
      stopAt(word);
      targets.show(numberOf(word));
    });
    word.addEventListener("blur", () => targets.showChosen());
  }
  if (words.length) stopAt(words[0]);

  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  const anywhere = ["ArrowLeft", "ArrowRight"];  // Home and End scroll the page
  document.addEventListener("keydown", (event) => {
    if (!words.length || !(event.key in steps)) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const focused = document.activeElement;
    let at = words.indexOf(focused);
    if (at < 0) {
      if (!anywhere.includes(event.key) || focused?.matches("input, select, textarea, button, pre")) return;
      at = words.findIndex((word) => word.getAttribute("aria-current"));
    }
    event.preventDefault();
    words[Math.min(words.length - 1, Math.max(0, at + steps[event.key]))].focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.getElementById("whole").click();
  });
}
