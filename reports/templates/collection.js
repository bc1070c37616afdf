"use strict";
// The page of a set of explanations: show all images, or those the network got right, or wrong.
{
  const form = document.getElementById("filter");
  const cards = [...document.querySelectorAll(".scene")];
  const apply = () => {
    const wanted = form.querySelector("input:checked").value;
    let shown = 0;
    for (const card of cards) {
      card.hidden = wanted !== "all" && card.dataset.verdict !== wanted;
      shown += !card.hidden;
    }
    document.getElementById("count").textContent = `${shown} of ${cards.length} ${cards.length === 1 ? "image" : "images"}`;
  };
  if (form) {
    form.addEventListener("change", apply);
    apply();
  }
}
