"use strict";
// Heatmaps from raw cells: unpack, enlarge, colour. Enlarging is bilinear between the centres of the cells
// (half a cell from the border), and beyond the outermost centres the border's value holds.
const maps = (() => {
  const LONG = 224; // pixels of a drawn map's long side; the browser enlarges the rest

  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

  // Signed bytes, but a run of zeros is one 0 and the run's length.
  const unpack = (packed) => {
    const cells = [];
    const data = bytes(packed.cells);
    for (let k = 0; k < data.length; k++) {
      if (data[k]) cells.push((data[k] - (data[k] > 127 ? 256 : 0)) * packed.step);
      else for (let run = data[++k]; run > 0; run--) cells.push(0);
    }
    return Float64Array.from(cells);
  };

  // For each of `size` pixels: the two cells that it lies between, and the share of the second.
  const between = (cells, size) =>
    Array.from({ length: size }, (_, pixel) => {
      const at = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / size - 0.5));
      const low = Math.min(Math.floor(at), Math.max(0, cells - 2));
      return [low, Math.min(low + 1, cells - 1), at - low];
    });

  const nearest = (cells, size) =>
    Array.from({ length: size }, (_, pixel) => {
      const cell = Math.floor(((pixel + 0.5) * cells) / size);
      return [cell, cell, 0];
    });

  const resize = (cells, [h, w], [height, width], how = between) => {
    const rows = how(h, height);
    const columns = how(w, width);
    const out = new Float64Array(height * width);
    let k = 0;
    for (const [i0, i1, v] of rows) {
      for (const [j0, j1, u] of columns) {
        const upper = cells[i0 * w + j0] * (1 - u) + cells[i0 * w + j1] * u;
        const lower = cells[i1 * w + j0] * (1 - u) + cells[i1 * w + j1] * u;
        out[k++] = upper * (1 - v) + lower * v;
      }
    }
    return out;
  };

  // A value's colour: 0 is the first, the peak exactly the last; signed values run from both ends to the middle.
  const colourOf = (value, peak, signed) => {
    const share = peak > 0 ? Math.min(1, Math.max(signed ? -1 : 0, value / peak)) : 0;
    return Math.round(signed ? 127.5 + 127.5 * share : 255 * share);
  };

  // Cool parts let the photograph through; the peak is opaque. `even`: opaque everywhere, as in the paper.
  const opacityOf = (value, peak, even) => (even ? 255 : Math.round(90 + 165 * Math.min(1, Math.abs(value) / peak)));

  // Draw cells as a picture's address. `table`: 256 RGB colours; with `signed`, negative parts are hatched and
  // coarse cells carry their sign, so that the sign can be told without the colours.
  const paint = (cells, shape, { signed = false, coarse = false, even = false, table }) => {
    // The map is max(0, sum) cell by cell (eq. 2), and only then enlarged.
    const shown = signed ? cells : cells.map((value) => Math.max(0, value));
    const scale = LONG / Math.max(...shape);
    const [height, width] = shape.map((n) => n * Math.max(1, Math.floor(scale)));
    const values = resize(shown, shape, [height, width], coarse ? nearest : between);
    let peak = 0;
    for (const value of values) peak = Math.max(peak, signed ? Math.abs(value) : value);
    if (!(peak > 0)) return null;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(width, height);
    for (let k = 0; k < values.length; k++) {
      const colour = 3 * colourOf(values[k], peak, signed);
      const hatched = signed && values[k] < -0.04 * peak && ((k % width) + Math.floor(k / width)) % 9 < 2;
      const shade = hatched ? 0.45 : 1;
      for (let c = 0; c < 3; c++) picture.data[4 * k + c] = table[colour + c] * shade;
      picture.data[4 * k + 3] = opacityOf(values[k], peak, even);
    }
    pen.putImageData(picture, 0, 0);
    if (signed && coarse) sign(pen, cells, shape, width / shape[1], peak);
    return canvas.toDataURL();
  };

  const sign = (pen, cells, [h, w], side, peak) => {
    pen.font = `bold ${Math.round(side * 0.6)}px sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = "#000";
    for (let k = 0; k < h * w; k++) {
      if (Math.abs(cells[k]) < 0.04 * peak) continue;
      pen.fillText(cells[k] > 0 ? "+" : "−", ((k % w) + 0.5) * side, (Math.floor(k / w) + 0.5) * side);
    }
  };

  const ramp = (table, signed) =>
    paint(Float64Array.from({ length: 256 }, (_, k) => (signed ? k - 127.5 : k)), [1, 256], { signed, table, even: true });

  return { bytes, unpack, resize, colourOf, paint, ramp };
})();
