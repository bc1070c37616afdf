"use strict";
// The profile page: find a class, sort the classes, and follow links to them.
{
  const get = (id) => document.getElementById(id);
  const form = get("filters");
  const list = get("classes-list");
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const cards = [...document.querySelectorAll(".klass")].map((card, i) => ({
    card,
    place: i,
    name: card.dataset.name,
    text: fold(`${card.dataset.name} ${card.dataset.concepts}`),
    images: Number(card.dataset.images),
    right: Number(card.dataset.right),
  }));
  const orders = {
    number: (a, b) => a.place - b.place,
    name: (a, b) => a.name.localeCompare(b.name, "en") || a.place - b.place,
    images: (a, b) => b.images - a.images || a.place - b.place,
    // classes without a label come last
    right: (a, b) => (a.right < 0) - (b.right < 0) || a.right - b.right || a.place - b.place,
  };

  const filter = () => {
    const wanted = fold(get("wanted").value.trim());
    let shown = 0;
    for (const one of cards) {
      one.card.hidden = !one.text.includes(wanted);
      shown += !one.card.hidden;
    }
    get("count").textContent = `${shown} of ${cards.length} ${cards.length === 1 ? "class" : "classes"}`;
    get("empty").hidden = shown > 0;
  };
  const sort = () => list.append(...[...cards].sort(orders[get("sort").value]).map((one) => one.card));

  // A link to a class works whatever the filter says: it is cleared if it hides it.
  const visit = () => {
    const card = /^#class-\d+$/.test(location.hash) ? get(location.hash.slice(1)) : null;
    for (const other of list.querySelectorAll(".visited")) other.classList.remove("visited");
    if (!card) return;
    if (card.hidden) {
      form.reset();
      filter();
    }
    card.classList.add("visited");
    card.open = true;
    card.scrollIntoView({ block: "start" });
  };

  if (form) {
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => (sort(), filter())));
    get("sort").addEventListener("change", sort);
    addEventListener("hashchange", visit);
    filter();
    visit();
  }
}
