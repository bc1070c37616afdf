"use strict";
// One question at a time; answers are kept here, in the browser's store where there is one, and given as a file.
{
  const { study, rater } = JSON.parse(document.getElementById("facts").textContent);
  const get = (id) => document.getElementById(id);
  const asks = [...document.querySelectorAll(".ask")];
  const start = get("start");
  const end = get("end");
  const store = `survey ${study} ${rater}`;
  const answers = new Map();
  let at = -1; // before the first question

  // A page that was opened as a file may not be allowed to keep anything.
  let keeps = true;
  const keep = () => {
    try {
      localStorage.setItem(store, JSON.stringify({ at, answers: [...answers] }));
    } catch {
      keeps = false;
    }
  };
  const recall = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(store) || "null");
      if (!kept) return -1;
      for (const [token, value] of kept.answers) {
        const ask = asks.find((one) => one.dataset.token === token);
        const input = ask && [...ask.querySelectorAll("input")].find((one) => Number(one.value) === value);
        if (!input) continue;
        input.checked = true;
        answers.set(token, value);
      }
      return Math.min(Math.max(Number(kept.at) || 0, 0), asks.length);
    } catch {
      return -1;
    }
  };

  const text = () => {
    const given = asks
      .filter((ask) => answers.has(ask.dataset.token))
      .map((ask) => ({ question: ask.dataset.token, answer: answers.get(ask.dataset.token) }));
    return `${JSON.stringify({ study, rater, answers: given }, null, 1)}\n`;
  };
  const missing = () => asks.findIndex((ask) => !answers.has(ask.dataset.token));

  const show = () => {
    start.hidden = at >= 0;
    end.hidden = at < asks.length;
    asks.forEach((ask, place) => {
      ask.hidden = place !== at;
    });
    get("bar").hidden = at < 0;
    get("steps").hidden = at < 0;
    get("progress").value = answers.size;
    get("count").textContent = `${answers.size} of ${asks.length} answered`;
    const next = get("next");
    next.hidden = at >= asks.length;
    if (at >= 0 && at < asks.length) {
      const answered = answers.has(asks[at].dataset.token);
      next.textContent = answered ? (at === asks.length - 1 ? "Finish" : "Next →") : "Skip →";
    }
    if (at >= asks.length) {
      const open = asks.length - answers.size;
      get("sum").textContent = open
        ? `You have answered ${answers.size} of ${asks.length} questions. What you leave out is not counted.`
        : "You have answered all questions.";
      get("missing").hidden = open === 0;
      get("text").value = text();
    }
  };
  const go = (place) => {
    at = Math.min(Math.max(place, -1), asks.length);
    keep();
    show();
    scrollTo(0, 0);
    const head = at < 0 ? get("begin") : at < asks.length ? asks[at].querySelector("legend") : end.querySelector("h1");
    head.focus({ preventScroll: true });
  };
  const choose = (input) => {
    input.checked = true;
    answers.set(input.closest(".ask").dataset.token, Number(input.value));
    keep();
    show();
  };

  get("survey").addEventListener("submit", (event) => event.preventDefault());
  get("survey").addEventListener("change", (event) => {
    if (event.target.matches(".ask input")) choose(event.target);
  });
  get("begin").addEventListener("click", () => go(0));
  get("back").addEventListener("click", () => go(at - 1));
  get("next").addEventListener("click", () => go(at + 1));
  get("missing").addEventListener("click", () => go(missing()));
  get("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    link.download = `answers-${rater}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  get("copy").addEventListener("click", async () => {
    const area = get("text");
    area.select();
    let done;
    try {
      await navigator.clipboard.writeText(area.value);
      done = true;
    } catch {
      done = document.execCommand("copy");
    }
    get("copied").textContent = done ? "Copied." : "The text is selected; copy it with your keyboard.";
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea")) return;
    const asked = at >= 0 && at < asks.length;
    const digit = asked && /^[1-9]$/.test(event.key);
    if (digit) {
      const input = asks[at].querySelectorAll("input")[Number(event.key) - 1];
      if (input) choose(input);
    } else if (asked && event.key === "Enter" && !event.target.matches("button, summary")) {
      event.preventDefault();
      go(at + 1);
    } else if (asked && event.key === "ArrowRight") {
      event.preventDefault(); // else it would also change a choice that has the focus; up and down do that
      go(at + 1);
    } else if (at >= 0 && event.key === "ArrowLeft") {
      event.preventDefault();
      go(at - 1);
    }
  });

  at = recall();
  keep();
  get("kept").textContent = keeps
    ? "Your answers are kept in this browser, so you can close the page and go on later."
    : "This browser keeps nothing of this page: answer in one go, and do not close it.";
  show();
}
