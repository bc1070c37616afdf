"use strict";
// In a set of pages, "unit 12" on a card is a link to that unit's card in the dissection. A card is refilled
// with plain text when a target is chosen, so the link is put back whenever its unit is set; this script comes
// first, while the cards still have the links they were written with.
{
  const page = document.querySelector(".card a[href]")?.getAttribute("href").split("#")[0];
  const link = (card) => {
    const start = `unit ${card.dataset.unit}`;
    const named = !card.classList.contains("unnamed");
    const field = card.querySelector(`[data-field="${named ? "who" : "title"}"]`);
    const text = field.firstChild;
    if (text?.nodeType !== Node.TEXT_NODE || !text.data.startsWith(start)) return;
    const anchor = document.createElement("a");
    anchor.href = `${page}#unit-${card.dataset.unit}`;
    anchor.textContent = start;
    text.deleteData(0, start.length);
    text.before(anchor);
  };
  const watch = { subtree: true, attributes: true, attributeFilter: ["data-unit"] };
  new MutationObserver(() => document.querySelectorAll(".card").forEach(link)).observe(
    document.getElementById("cards"), watch,
  );
}
