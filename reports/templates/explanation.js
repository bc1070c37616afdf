"use strict";
// The explanation page: which map lies on the photograph, which target the cards speak of. A target is chosen, or
// shown for a while until `showChosen` brings the chosen one back.
const targets = (() => {
  const twin = JSON.parse(document.getElementById("twin").textContent);
  const shape = twin.maps.shape;
  const places = Math.max(...shape) > 1; // a map of one cell says nothing of where, so it is not drawn
  const tables = Object.fromEntries(Object.entries(twin.colours).map(([name, text]) => [name, maps.bytes(text)]));
  const cells = { targets: twin.maps.targets.map(maps.unpack), units: twin.maps.units.map(maps.unpack) };

  const find = (selector, inside = document) => inside.querySelector(selector);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const main = find("svg.main");
  const imageName = twin.explanation.image.name;
  const articles = all("article.target");
  const links = all('nav a[href^="#target-"]');
  const cards = document.getElementById("cards");
  const sides = all(".side", cards);
  const state = { target: null, chosen: 0, lit: null, kept: null, mode: "positive", coarse: false, paper: false };

  const table = (signed) => tables[signed ? "signed" : state.paper ? "paper" : "heat"];
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const set = (element, name, value) =>
    value === null ? element.removeAttribute(name) : element.setAttribute(name, value);

  const draw = (svg, values, signed) => {
    const look = { signed, coarse: state.coarse, even: state.paper && !signed, table: table(signed) };
    set(find("image.map", svg), "href", maps.paint(values, shape, look));
  };

  // The large photograph: the map of the card that is pointed at, else of the kept card, else of the target.
  const drawMain = () => {
    const card = state.lit || state.kept;
    const article = articles[state.target];
    // A rectified unit has no negative side: its map is the same in both modes.
    const signed = state.mode === "signed" && !(card && twin.explanation.model.rectified);
    const values = card ? cells.units[card.dataset.map] : cells.targets[state.target];
    main.dataset.showing = card ? `unit-${card.dataset.unit}` : `target-${state.target}`;
    if (!places) return;
    draw(main, values, signed);
    find("image.map", main).style.visibility = state.mode === "off" ? "hidden" : "";
    const named = card && !card.classList.contains("unnamed");
    const title = card && find('[data-field="title"]', card).textContent;
    const shown = card
      ? `where unit ${card.dataset.unit} fires${named ? `: ${title}` : " (unnamed)"}`
      : signed ? article.dataset.shown.replace(/^Grad-CAM/, "signed sum") : article.dataset.shown;
    let where = card ? card.dataset.where : article.dataset.where;
    if (signed && !card) {
      const [plus, minus] = all('[data-field="column"]', find(".evidence", article)).map((title) => title.textContent);
      where += `. Plus: ${plus}. Minus, hatched: ${minus}`;
    }
    find("#shown span").textContent = capital(shown);
    find("#where").textContent = `${capital(where)}.`;
    find("#zero").hidden = Boolean(card) || article.dataset.zero === "no";
    main.setAttribute("aria-label", `${imageName}, ${shown}: ${where}`);
    find("#ramp").setAttribute("href", maps.ramp(table(signed), signed));
    find("#low").textContent = signed ? "−" : "0";
    find("#high").textContent = signed ? "+" : "hottest";
    for (const other of all(".card", cards)) {
      other.classList.toggle("lit", other === card);
      find(".look", other).setAttribute("aria-pressed", String(other === state.kept));
    }
  };

  // The small pictures of units are kept until they shall look otherwise: targets are shown in quick turns.
  const small = new Map();
  const drawCards = () => {
    if (!places) return;
    for (const card of all(".card", cards)) {
      const map = card.dataset.map;
      const picture = find("svg.photo", card);
      if (small.has(map)) set(find("image.map", picture), "href", small.get(map));
      else draw(picture, cells.units[map], false);
      small.set(map, find("image.map", picture).getAttribute("href"));
    }
  };

  const bar = (holder, share) => {
    const width = 50 * Math.min(1, Math.abs(share));
    const rect = find("rect", holder);
    rect.setAttribute("class", share < 0 ? "minus" : "plus");
    rect.setAttribute("x", share < 0 ? 50 - width : 50);
    rect.setAttribute("width", width);
  };

  // A card says what its row of the target's table says. These are the table's columns.
  const columns = ["rank", "title", "who", "sure", "alpha", "activation", "contribution", "fires", "where"];
  const say = (row, field) => row.cells[columns.indexOf(field)].textContent;
  // What speaks for and against a unit's name stands on the cards of the first target only, so it is kept.
  const whys = new Map(all(".card", cards).map((card) => [card.dataset.unit, find(".why", card)]));
  const fill = (card, row) => {
    find(".why", card)?.remove();
    const why = whys.get(row.dataset.unit);
    if (why) card.append(why.cloneNode(true));
    card.className = row.className.replace("unit", "card");
    card.dataset.unit = row.dataset.unit;
    card.dataset.map = row.dataset.map;
    card.dataset.where = say(row, "where");
    for (const field of all("[data-field]", card)) {
      field.textContent = say(row, field.dataset.field);
    }
    const [alpha, contribution] = row.dataset.bars.split(" ").map(Number);
    bar(find('[data-bar="alpha"]', card), alpha);
    bar(find('[data-bar="contribution"]', card), contribution);
    find("svg.photo", card)?.setAttribute("aria-label", `unit ${row.dataset.unit}: ${card.dataset.where}`);
    const examples = find(".examples", card);
    if (!examples) return;
    const picture = document.getElementById(`strip-${row.dataset.unit}`);
    examples.hidden = !picture;
    if (!picture) return;
    const strip = find("svg.strip", examples);
    strip.setAttribute("viewBox", `0 0 ${picture.getAttribute("width")} ${picture.getAttribute("height")}`);
    strip.setAttribute("aria-label", `Crops of the images on which unit ${row.dataset.unit} fires most, its mask outlined`);
    find("use", strip).setAttribute("href", `#strip-${row.dataset.unit}`);
  };

  // Names that a reader does not trust are greyed, in the tables and on the cards; they stay where they are.
  const doubts = find("#doubts");
  const doubted = (units, i, most, least) => {
    const q = units.q?.[i] ?? Infinity;
    const margin = units.margin[i] ?? Infinity;
    if (units.concept[i] === null) return null;
    if (q > most) return q === Infinity ? "greyed: not tested against chance" : `greyed: q ${q.toPrecision(2)}`;
    return margin < least ? `greyed: margin ${margin.toFixed(3)}` : null;
  };
  const sideOf = (side) => (side.classList.contains("for") ? "for" : "against");
  const rowsOf = (article, side) => all(`tbody[data-side="${side}"] tr.unit`, article);
  const greyRows = () => {
    const most = Number(find("#q", doubts)?.value || Infinity);
    const least = Number(find("#margin", doubts)?.value ?? 0);
    if (find("#apart", doubts)) find("#apart", doubts).textContent = least.toFixed(3);
    twin.explanation.targets.forEach((target, number) => {
      for (const side of ["for", "against"]) {
        rowsOf(articles[number], side).forEach((row, i) => {
          const why = doubted(target[side], i, most, least);
          row.classList.toggle("doubted", why !== null);
          set(row, "data-doubt", why);
        });
      }
    });
  };
  const greyCards = () => {
    const rows = sides.flatMap((side) => rowsOf(articles[state.target], sideOf(side)));
    all(".card", cards).forEach((card, i) => {
      const why = rows[i].dataset.doubt;
      card.classList.toggle("doubted", why !== undefined);
      find(".doubt", card).hidden = why === undefined;
      find(".doubt", card).textContent = why ?? "";
    });
    const named = rows.filter((row) => !row.classList.contains("unnamed"));
    const grey = named.filter((row) => row.dataset.doubt).length;
    if (doubts) find("#doubted").textContent = grey ? `${grey} of ${named.length} names here are greyed` : "";
  };
  doubts?.addEventListener("input", () => {
    greyRows();
    greyCards();
  });
  doubts?.addEventListener("submit", (event) => event.preventDefault());

  // Where the first target has no card, the page carries one to copy.
  const model = (find(".card", cards) ?? document.getElementById("spare")?.content.querySelector(".card"))?.cloneNode(true);
  const listen = (card) => {
    if (!places) return;
    const light = (on) => () => {
      state.lit = on ? card : null;
      drawMain();
    };
    card.addEventListener("pointerenter", light(true));
    card.addEventListener("pointerleave", light(false));
    const button = find(".look", card);
    button.addEventListener("focus", light(true));
    button.addEventListener("blur", light(false));
    button.addEventListener("click", () => {
      state.kept = state.kept === card ? null : card;
      drawMain();
    });
  };

  const show = (number) => {
    if (number === state.target) return;
    Object.assign(state, { target: number, lit: null, kept: null });
    articles.forEach((article, i) => {
      article.hidden = i !== number;
    });
    const article = articles[number];
    find(".shares", article).before(cards);
    for (const side of sides) {
      const rows = rowsOf(article, sideOf(side));
      find("h3", side).textContent = find(`tbody[data-side="${sideOf(side)}"] [data-field="column"]`, article).textContent;
      const few = find(`tbody[data-side="${sideOf(side)}"] .few`, article);
      find(".few", side).hidden = !few;
      find(".few", side).textContent = few?.textContent ?? "";
      const list = find(".cards", side);
      while (list.children.length > rows.length) list.lastElementChild.remove();
      while (list.children.length < rows.length) {
        const card = model.cloneNode(true);
        listen(card);
        list.append(card);
      }
      rows.forEach((row, i) => fill(list.children[i], row));
    }
    greyCards();
    drawMain();
    drawCards();
  };

  const showChosen = () => show(state.chosen);

  const choose = (number) => {
    state.chosen = number;
    for (const link of links) set(link, "aria-current", link.hash === `#target-${number}` ? "true" : null);
    show(number);
  };

  const fromHash = () => {
    const number = Number(/^#target-(\d+)$/.exec(location.hash)?.[1] ?? -1);
    if (number in articles) choose(number);
  };

  const tools = {
    mode: find("#mode"),
    opacity: find("#opacity"),
    coarse: find("#coarse"),
    paper: find("#paper"),
  };
  const readTools = () => {
    state.mode = find("input:checked", tools.mode).value;
    state.coarse = tools.coarse.checked;
    state.paper = tools.paper.checked;
    document.documentElement.style.setProperty("--map-opacity", tools.opacity.value / 100);
  };
  const redraw = () => {
    readTools();
    small.clear();
    drawMain();
    drawCards();
  };
  if (places) {
    for (const tool of [tools.mode, tools.coarse, tools.paper]) tool.addEventListener("change", redraw);
    tools.opacity.addEventListener("input", readTools);
    find("#offer").addEventListener("click", () => {
      find('input[value="signed"]', tools.mode).checked = true;
      redraw();
    });
  }
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", link.hash);
      fromHash();
    });
  }
  addEventListener("hashchange", fromHash);

  // Paper shows every target in turn, so the cards and the large photograph go back to the first.
  addEventListener("beforeprint", () => show(0));
  addEventListener("afterprint", showChosen);

  for (const card of all(".card", cards)) listen(card);
  if (places) readTools();
  choose(0);
  fromHash();
  return { show, showChosen };
})();
