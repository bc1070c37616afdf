"use strict";
// What the index page of a batch run knows of its images: columns, orders, and which images pass which filters.
// A row is a place in the columns. Numbers are little-endian, as every browser's machine has them.
const batch = (() => {
  const data = JSON.parse(document.getElementById("twin").textContent);
  const arrays = { i1: Int8Array, i2: Int16Array, i4: Int32Array, f4: Float32Array };
  const unpack = (column) =>
    new arrays[column.type](Uint8Array.from(atob(column.data), (sign) => sign.charCodeAt(0)).buffer);
  const shared = unpack(data.ids.shared);
  const ids = [];
  data.ids.rest.forEach((rest, row) => ids.push(shared[row] ? ids[row - 1].slice(0, shared[row]) + rest : rest));
  const labelled = unpack(data.label); // the class
  const label = data.own ? unpack(data.own) : labelled; // as the list of images has it
  const predicted = unpack(data.predicted);
  const probability = unpack(data.probability);
  const number = data.number ? unpack(data.number) : null; // place in the run, if not all images are listed
  const conceptOf = unpack(data.unit_concept); // of each unit; unnamed ones have one number of their own
  const unnamed = data.concepts.length;
  const sides = ["for", "against"];
  const units = { for: unpack(data.speaking.for), against: unpack(data.speaking.against) };
  const verdicts = ["right", "wrong", "unlabelled", "unreadable"];
  const verdict = Uint8Array.from(predicted, (said, row) =>
    said < 0 ? 3 : labelled[row] < 0 ? 2 : said === labelled[row] ? 0 : 1,
  );

  // Units that speak on an image, strongest first.
  const speaking = (side, row) => {
    const all = units[side].subarray(row * data.top, (row + 1) * data.top);
    const end = all.indexOf(-1);
    return end < 0 ? all : all.subarray(0, end);
  };

  const occurring = (side) => Array.from(units[side], (unit) => (unit < 0 ? -1 : conceptOf[unit]));

  // Sorting keeps equals in the order of the run.
  const surest = (a, b) => probability[b] - probability[a];
  const group = verdict.map((code) => [1, 0, 1, 2][code]); // wrong ones, others, unreadable ones
  const unread = verdict.map((code) => code === 3);
  const compare = {
    input: (a, b) => a - b,
    surprising: (a, b) => group[a] - group[b] || (group[a] === 0 ? surest(a, b) : surest(b, a)) || 0,
    sure: (a, b) => unread[a] - unread[b] || surest(a, b) || 0,
    unsure: (a, b) => unread[a] - unread[b] || surest(b, a) || 0,
  };
  const orders = {};
  const order = (name) => (orders[name] ??= Array.from(ids, (_, row) => row).sort(compare[name]));

  const sizes = { predicted: data.classes.length, label: data.labels.length, for: unnamed + 1, against: unnamed + 1 };
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  let folded = null; // made when something is first searched for

  // Which rows pass the filters; and how many would for each value of a filter, if the other filters stay.
  // Of `want`, the numbers are −1 where anything will do.
  const survey = (want) => {
    const text = fold(want.text);
    if (text) folded ??= ids.map(fold);
    const any = want.low === 0 && want.high === 1; // then images without a probability pass, too
    const passes = new Uint8Array(ids.length);
    const counts = { verdict: new Int32Array(verdicts.length) };
    for (const name in sizes) counts[name] = new Int32Array(sizes[name]);
    const through = { for: new Int32Array(unnamed + 1), against: new Int32Array(unnamed + 1) };
    // The row on which a concept was last found; one more is added when it is counted.
    const found = { for: new Float64Array(unnamed + 1), against: new Float64Array(unnamed + 1) };
    for (let row = 0; row < ids.length; row++) {
      if (!any && !(probability[row] >= want.low && probability[row] <= want.high)) continue;
      if (text && !folded[row].includes(text)) continue;
      let fails = 0;
      let failed = "";
      if (want.verdict >= 0 && verdict[row] !== want.verdict) [fails, failed] = [fails + 1, "verdict"];
      if (want.predicted >= 0 && predicted[row] !== want.predicted) [fails, failed] = [fails + 1, "predicted"];
      if (want.label >= 0 && label[row] !== want.label) [fails, failed] = [fails + 1, "label"];
      const stamp = 2 * row + 1;
      for (const side of sides) {
        for (const unit of speaking(side, row)) found[side][conceptOf[unit]] = stamp;
        if (want[side] >= 0 && found[side][want[side]] !== stamp) [fails, failed] = [fails + 1, side];
      }
      if (fails > 1) continue;
      passes[row] = fails === 0;
      const counted = (name) => fails === 0 || failed === name;
      if (counted("verdict")) counts.verdict[verdict[row]]++;
      if (counted("predicted") && predicted[row] >= 0) counts.predicted[predicted[row]]++;
      if (counted("label") && label[row] >= 0) counts.label[label[row]]++;
      for (const side of sides) {
        if (!counted(side)) continue;
        for (const unit of speaking(side, row)) {
          const concept = conceptOf[unit];
          if (found[side][concept] !== stamp) continue; // another unit of that name
          found[side][concept] = stamp + 1;
          counts[side][concept]++;
          if (fails === 0) through[side][concept]++;
        }
      }
    }
    return { passes, counts, through };
  };

  // Part and place in it, of a row.
  const placeOf = (row) => {
    let place = number ? number[row] : row;
    let part = 0;
    while (place >= data.parts[part]) place -= data.parts[part++];
    return [part, place];
  };
  return {
    data, ids, label, predicted, probability, verdict, verdicts, sides, sizes, unnamed, conceptOf,
    speaking, occurring, order, survey, placeOf,
  };
})();
