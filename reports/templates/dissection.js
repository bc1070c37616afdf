"use strict";
// The dissection page: filter, sort, and links to single units.
{
  const { units } = JSON.parse(document.getElementById("twin").textContent);
  const get = (id) => document.getElementById(id);
  const form = get("filters");
  const list = get("cards");
  const number = new Intl.NumberFormat("en");
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const rows = units.unit.map((unit, i) => ({
    unit,
    card: get(`unit-${unit}`),
    concept: units.concept[i],
    named: units.concept[i] !== "",
    category: units.category[i],
    iou: units.iou[i] ?? 0,
    // Without a runner-up, nothing but the unit's own label overlaps it.
    margin: units.margin[i] ?? units.iou[i] ?? 0,
    q: units.q[i] ?? Infinity,
    // What a search looks through: the name, or for an unnamed unit the concept that it comes closest to.
    text: fold(`${units.concept[i] || units.best_concept[i]} unit ${unit}`),
  }));

  const wanted = () => {
    const typed = get("concept").value.trim();
    const exact = /^"(.*)"$/s.exec(typed)?.[1];
    const text = fold(typed);
    const category = get("category").value;
    const least = Number(get("iou").value);
    const apart = Number(get("margin").value);
    const most = Number(get("q")?.value || Infinity);
    return (row) =>
      (exact === undefined ? row.text.includes(text) : row.concept === exact) &&
      (category === "*" ||
        (category === "named" ? row.named : category === "unnamed" ? !row.named : `=${row.category}` === category)) &&
      row.iou >= least &&
      row.margin >= apart &&
      row.q <= most;
  };

  const orders = {
    unit: (a, b) => a.unit - b.unit,
    iou: (a, b) => b.iou - a.iou || a.unit - b.unit,
    margin: (a, b) => b.margin - a.margin || a.unit - b.unit,
    q: (a, b) => (a.q === b.q ? b.iou - a.iou || a.unit - b.unit : a.q - b.q),
    concept: (a, b) => b.named - a.named || a.concept.localeCompare(b.concept, "en") || a.unit - b.unit,
  };

  const filter = () => {
    const fits = wanted();
    let shown = 0;
    for (const row of rows) {
      row.card.hidden = !fits(row);
      shown += !row.card.hidden;
    }
    get("least").textContent = Number(get("iou").value).toFixed(2);
    get("apart").textContent = Number(get("margin").value).toFixed(2);
    get("count").textContent = `${number.format(shown)} of ${number.format(rows.length)} units`;
    get("empty").hidden = shown > 0;
  };

  const sort = () => {
    list.append(...[...rows].sort(orders[get("sort").value]).map((row) => row.card));
  };

  // A link to a unit works whatever the filters say: they are cleared if they hide it.
  const visit = () => {
    const card = /^#unit-\d+$/.test(location.hash) ? get(location.hash.slice(1)) : null;
    for (const other of list.querySelectorAll(".visited")) other.classList.remove("visited");
    if (!card) return;
    if (card.hidden) {
      form.reset();
      filter();
    }
    card.classList.add("visited");
    card.querySelector("details").open = true;
    card.scrollIntoView({ block: "center" });
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => (sort(), filter())));
  get("sort").addEventListener("change", sort);
  for (const link of document.querySelectorAll("a[data-concept]")) {
    link.addEventListener("click", () => {
      get("concept").value = `"${link.dataset.concept}"`;
      get("category").value = `=${link.dataset.category}`;
      get("iou").value = get("margin").value = 0;
      if (get("q")) get("q").value = "";
      filter();
    });
  }
  addEventListener("hashchange", visit);
  sort();
  filter();
  visit();
}
