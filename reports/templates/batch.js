"use strict";
// The index page of a batch run: its form, its cards, a window of them at a time, and the profile of concepts.
{
  const { data, ids, label, predicted, probability, verdict, verdicts, sides, unnamed, conceptOf } = batch;
  const get = (id) => document.getElementById(id);

  // Words.
  const whole = new Intl.NumberFormat("en");
  const images = (count) => `${whole.format(count)} ${count === 1 ? "image" : "images"}`;
  const percent = (share) => {
    const value = 100 * share;
    if (value === 0 || value === 100) return `${value} %`;
    if (value < 0.01) return "less than 0.01 %";
    if (value > 99.99) return "more than 99.99 %";
    const rest = Math.min(value, 100 - value);
    return `${value.toFixed(rest >= 9.5 ? 0 : rest >= 0.95 ? 1 : 2)} %`;
  };
  const twice = new Set();
  data.concepts.forEach(([name], i) => data.concepts[i + 1]?.[0] === name && twice.add(name));
  const conceptName = (concept) => {
    if (concept === unnamed) return "(unnamed)";
    const [name, category] = data.concepts[concept];
    return twice.has(name) ? `${name} (${category})` : name;
  };
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

  // The form: each filter has an option for each value that occurs.
  const form = get("filters");
  const field = (name) => form.elements[name];
  const className = (value) => data.classes[value];
  const offer = (name, text, occurring) => {
    const occurs = new Set(occurring);
    for (let value = 0; value < batch.sizes[name]; value++) {
      if (!occurs.has(value)) continue;
      const option = new Option("", value);
      option.dataset.name = text(value);
      field(name).append(option);
    }
  };
  offer("predicted", className, predicted);
  offer("label", (value) => data.labels[value], label);
  for (const side of sides) offer(side, conceptName, batch.occurring(side));
  const chosen = () => {
    const number = (name) => (field(name).value === "*" ? -1 : Number(field(name).value));
    return {
      ...Object.fromEntries(Object.keys(batch.sizes).map((name) => [name, number(name)])),
      verdict: verdicts.indexOf(field("verdict").value),
      low: field("low").value / 100,
      high: field("high").value / 100,
      text: field("text").value.trim(),
    };
  };

  // Cards.
  const perWindow = data.shown;
  const list = get("cards");
  const template = get("card").content.firstElementChild;
  const showThumbnail = (tile) => {
    const [part, left] = batch.placeOf(Number(tile.parentElement.dataset.row));
    const down = Math.ceil(data.parts[part] / data.across);
    const at = (place, count) => (count > 1 ? `${(100 * place) / (count - 1)}%` : "0%");
    tile.style.backgroundImage = `url("${data.sheets[part]}")`;
    tile.style.backgroundSize = `${100 * data.across}% ${100 * down}%`;
    tile.style.backgroundPosition = `${at(left % data.across, data.across)} ${at(Math.floor(left / data.across), down)}`;
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        showThumbnail(target);
      }
    },
    { rootMargin: "200px" },
  );
  const chips = (row, side) => {
    const units = new Map();
    for (const unit of batch.speaking(side, row)) {
      units.set(conceptOf[unit], (units.get(conceptOf[unit]) ?? 0) + 1);
    }
    // Strongest first, unnamed units last.
    return [...units].sort(([a], [b]) => (a === unnamed) - (b === unnamed)).map(([concept, count]) => {
      const chip = document.createElement("li");
      chip.className = "chip";
      if (concept === unnamed) {
        chip.classList.add("quiet");
        chip.textContent = `${count} unnamed`;
      } else {
        const name = document.createElement("bdi");
        name.textContent = conceptName(concept);
        chip.append(name, count > 1 ? ` ×${count}` : "");
      }
      return chip;
    });
  };
  const sayVerdict = (line, row) => {
    const word = verdicts[verdict[row]];
    const strong = document.createElement("strong");
    strong.textContent = word;
    line.classList.add(word);
    line.append(get(`mark-${word}`).content.firstElementChild.cloneNode(true), " ", strong);
    const more = document.createElement("bdi");
    if (word === "wrong") {
      more.textContent = data.labels[label[row]];
      line.append(": the label is “", more, "”");
    } else if (word === "unreadable") {
      more.textContent = data.errors[row];
      line.append(": ", more);
    }
  };
  const card = (row) => {
    const made = template.cloneNode(true);
    const part = (selector) => made.querySelector(selector);
    made.dataset.row = row;
    made.dataset.verdict = verdicts[verdict[row]];
    const read = predicted[row] >= 0;
    part("h3 bdi").textContent = read ? data.classes[predicted[row]] : "no answer";
    part(".answered .n").textContent = read ? percent(probability[row]) : "";
    sayVerdict(part(".verdict"), row);
    for (const side of sides) {
      const found = chips(row, side);
      part(`.${side} ul`).append(...found);
      if (!found.length) part(`.${side}`).remove();
    }
    part(".file bdi").textContent = ids[row];
    part(".file a").href = `#id=${encodeURIComponent(ids[row])}`;
    const slug = data.pages[row];
    if (slug) part(".made-page a").href = `pages/${slug}/index.html`;
    else part(".made-page").remove();
    if (slug || !read) part(".command").remove();
    else part("code").textContent = [...data.command, ids[row]].map(quoted).join(" ");
    if (data.sheets) watcher.observe(part(".thumbnail"));
    return made;
  };

  // The profile: concepts by how many of the images they speak for or against.
  const firstConcepts = 12;
  let everyConcept = false;
  const bar = (count, most, kind) => {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const set = (element, attributes) => Object.entries(attributes).forEach((pair) => element.setAttribute(...pair));
    set(box, { class: "bar wide", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    set(rect, { class: kind, width: (100 * count) / most, height: 8 });
    box.append(rect);
    return box;
  };
  const showProfile = () => {
    const { through } = surveyed;
    const spoke = [];
    for (let concept = 0; concept < unnamed; concept++) {
      if (through.for[concept] + through.against[concept]) spoke.push(concept);
    }
    const total = (concept) => through.for[concept] + through.against[concept];
    spoke.sort((a, b) => total(b) - total(a) || through.for[b] - through.for[a] || a - b);
    if (total(unnamed)) spoke.push(unnamed);
    const most = Math.max(1, ...spoke.flatMap((concept) => sides.map((side) => through[side][concept])));
    const shown = spoke.filter((concept, i) => everyConcept || i < firstConcepts || concept === unnamed);
    get("concepts").replaceChildren(
      ...shown.map((concept) => {
        const line = document.createElement("tr");
        const cell = (tag, className = "") => {
          const made = document.createElement(tag);
          made.className = className;
          line.append(made);
          return made;
        };
        const head = cell("th");
        head.scope = "row";
        const name = document.createElement("bdi");
        const category = document.createElement("bdi");
        name.textContent = concept === unnamed ? "units without a name" : conceptName(concept);
        category.textContent = data.concepts[concept]?.[1] ?? "";
        line.classList.toggle("unnamed", concept === unnamed);
        head.append(name);
        cell("td", "kind").append(category);
        for (const side of sides) {
          const box = document.createElement("div");
          const count = through[side][concept];
          const button = document.createElement("button");
          button.type = "button";
          button.className = "link";
          button.textContent = whole.format(count);
          button.disabled = !count;
          Object.assign(button.dataset, { side, concept });
          button.setAttribute("aria-label", `${images(count)}: ${conceptName(concept)} speaks ${side}`);
          box.append(button, bar(count, most, side === "for" ? "plus" : "minus"));
          cell("td", "images").append(box);
        }
        return line;
      }),
    );
    get("profile-count").textContent = images(hits.length);
    get("profile-of").textContent = field("predicted").value === "*" ? "the answers" : `“${className(field("predicted").value)}”`;
    get("more").hidden = spoke.length <= firstConcepts;
    get("more").textContent = everyConcept ? "only the first" : `all ${spoke.length} rows`;
  };

  // What is shown now.
  let hits = [];
  let surveyed = null;
  let page = 0;
  let visited = -1;
  const defaults = { verdict: "all", predicted: "*", label: "*", for: "*", against: "*", low: "0", high: "100", text: "", sort: "surprising" };

  const showWindow = () => {
    const pages = Math.max(1, Math.ceil(hits.length / perWindow));
    page = Math.min(Math.max(0, page), pages - 1);
    const start = page * perWindow;
    const shown = hits.slice(start, start + perWindow);
    watcher.disconnect();
    list.replaceChildren(...shown.map(card));
    for (const one of list.children) one.classList.toggle("visited", Number(one.dataset.row) === visited);
    list.start = start + 1;
    for (const pager of document.querySelectorAll(".pager")) {
      pager.hidden = pages === 1;
      pager.querySelector(".window").textContent =
        `${whole.format(start + 1)} to ${whole.format(start + shown.length)} of ${whole.format(hits.length)}`;
      for (const button of pager.querySelectorAll("button")) {
        button.disabled = ["first", "back"].includes(button.dataset.go) ? page === 0 : page === pages - 1;
      }
    }
  };
  const refresh = () => {
    surveyed = batch.survey(chosen());
    const { passes, counts } = surveyed;
    hits = batch.order(field("sort").value).filter((row) => passes[row]);
    for (const said of form.querySelectorAll("[data-count]")) {
      const code = verdicts.indexOf(said.dataset.count);
      said.textContent = whole.format(code < 0 ? counts.verdict.reduce((a, b) => a + b) : counts.verdict[code]);
    }
    for (const name in batch.sizes) {
      for (const option of field(name).options) {
        if (option.value !== "*") option.text = `${option.dataset.name} · ${whole.format(counts[name][option.value])}`;
      }
    }
    get("low-said").textContent = `${field("low").value} %`;
    get("high-said").textContent = `${field("high").value} %`;
    get("count").textContent = `${whole.format(hits.length)} of ${images(ids.length)}`;
    get("empty").hidden = hits.length > 0;
    get("order-said").hidden = field("sort").value !== "surprising";
    showProfile();
    showWindow();
  };

  // The address: what is chosen, and the page; or one image.
  const writeAddress = () => {
    const parameters = new URLSearchParams();
    for (const name in defaults) if (field(name).value !== defaults[name]) parameters.set(name, field(name).value);
    if (page) parameters.set("page", page + 1);
    history.replaceState(null, "", `#${parameters.toString().replaceAll("+", "%20")}`);
  };
  const setFields = (value) => {
    for (const name in defaults) {
      field(name).value = defaults[name];
      field(name).value = value(name) ?? defaults[name];
      if (field(name).selectedIndex === -1) field(name).value = defaults[name]; // no such option
    }
  };
  const goTo = (row) => {
    visited = row;
    if (!surveyed.passes[row]) {
      setFields(() => undefined);
      refresh();
    }
    page = Math.floor(hits.indexOf(row) / perWindow);
    showWindow();
    list.querySelector(".visited").scrollIntoView({ block: "center" });
  };
  const readAddress = () => {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return; // an element of the page
    const parameters = new URLSearchParams(text.replaceAll("+", "%2B"));
    const id = parameters.get("id");
    get("missing").hidden = true;
    visited = -1;
    if (id === null || !surveyed || parameters.size > 1) {
      setFields((name) => parameters.get(name));
      page = Number(parameters.get("page") ?? 1) - 1 || 0;
      refresh();
    }
    if (id === null) return;
    const row = ids.indexOf(id);
    get("missing").hidden = row >= 0;
    if (row >= 0) goTo(row);
    else get("missing").textContent = `This page lists no image “${id}”.`;
  };

  const changed = (event) => {
    // The ends of the range push each other.
    const [low, high] = [field("low"), field("high")];
    if (Number(low.value) > Number(high.value)) {
      if (event?.target === low) high.value = low.value;
      else low.value = high.value;
    }
    page = 0;
    refresh();
    writeAddress();
  };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  for (const pager of document.querySelectorAll(".pager")) {
    pager.addEventListener("click", ({ target }) => {
      const go = target.closest("button")?.dataset.go;
      if (!go) return;
      page = { first: 0, back: page - 1, on: page + 1, last: Infinity }[go];
      showWindow();
      writeAddress();
      list.focus({ preventScroll: true });
      list.scrollIntoView();
    });
  }
  get("more").addEventListener("click", () => {
    everyConcept = !everyConcept;
    showProfile();
  });
  get("concepts").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    field(button.dataset.side).value = button.dataset.concept;
    changed();
    get("images").scrollIntoView();
  });
  list.addEventListener("click", async ({ target }) => {
    if (!target.matches(".copy")) return;
    const code = target.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      target.textContent = "copied";
    } catch {
      // Not every browser lets a page write there: the reader can.
      getSelection().selectAllChildren(code);
      target.textContent = "selected";
    }
  });
  addEventListener("beforeprint", () => data.sheets && list.querySelectorAll(".thumbnail").forEach(showThumbnail));
  addEventListener("hashchange", readAddress);
  readAddress();
  performance.mark("interactive");
}
