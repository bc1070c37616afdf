"""From a stage to a picture: pixels, and for every pixel the shape that is seen there.

A picture is a map of shape numbers, drawn at twice the size; all else is a table. Colours and patterns are
looked up by shape number and averaged to the final size, and every label (thing, part, material, texture) is
a lookup too, so that labels are exact and cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from neuro_explain.diorama.light import Light
from neuro_explain.diorama.paint import Paint
from neuro_explain.diorama.pattern import LEVELS, bank
from neuro_explain.diorama.stage import FAR, Shadow, Shape, Stage

_NOTHING = (120, 120, 120)  # what is seen where nothing was drawn
_PERIOD = 0.3  # of the labelled textures, in metres
_FINE = 0.13  # of the materials' own patterns, in metres

Repaint = Callable[[Shape], Paint]


def shape_map(stage: Stage, size: int, shapes: Sequence[Shape] | None = None) -> NDArray[np.int32]:
    """The shape seen at each point of a grid twice as fine as the picture.

    Args:
        stage: what to draw.
        size: the picture's side in pixels.
        shapes: those to draw, in order; all of the stage's by distance if not given.

    Returns:
        int32 `[2·size, 2·size]`: 1 + the shape's place in `shapes`; 0 where nothing was drawn.
    """
    side = 2 * size
    canvas = Image.new("I", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    polygon, ellipse, line = draw.polygon, draw.ellipse, draw.line
    drawn = stage.drawn() if shapes is None else shapes
    # all corners at once: a picture has a thousand of them
    corners = np.fromiter(chain.from_iterable(shape.points for shape in drawn), np.float64).reshape(-1, 2)
    if stage.mirrored:
        corners[:, 0] = 1.0 - corners[:, 0]
    flat: list[float] = (corners * side).ravel().tolist()
    start = 0
    for number, shape in enumerate(drawn, 1):
        end = start + len(shape.points)
        points = flat[start:end]
        start = end
        if shape.kind == "polygon":
            polygon(points, fill=number)
        elif shape.kind == "line":
            line(points, fill=number, width=max(round(shape.width * side), 2))
        else:
            x0, y0, x1, y1 = points
            if y1 >= y0:
                ellipse((min(x0, x1), y0, max(x0, x1), y1), fill=number)
    return np.asarray(canvas)


def labels_of(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """The shape of each pixel of the picture, from the finer grid: one point in four, int32 `[size, size]`."""
    return np.ascontiguousarray(numbers[1::2, ::2])


def paint_picture(
    stage: Stage, numbers: NDArray[np.int32], shapes: Sequence[Shape], *, repaint: Repaint | None = None
) -> Image.Image:
    """The picture, lit, RGB.

    Args:
        stage: gives light and shadows.
        numbers: from `shape_map`.
        shapes: the list that was drawn.
        repaint: another paint for a shape, if it must look different from its own.
    """
    side = numbers.shape[0]
    table, offsets = _tables(stage, shapes, side, repaint)
    tiles = bank(side)
    flat = numbers.ravel().astype(np.intp)  # take() is several times as fast on the machine's own integers
    level = tiles.levels.take(offsets.take(flat) + tiles.place)
    fine = table.ravel().take(flat * LEVELS + level)
    rgbx = Image.frombuffer("RGBX", (side, side), fine, "raw", "RGBX", 0, 1)
    # [size, size, 4]: the fourth channel is nothing, and keeps it quick
    pixels = np.asarray(rgbx.reduce(2)).astype(np.float32)
    size = side // 2
    light = stage.light
    field = _light_field(size, stage)
    if stage.shadows:
        flats = np.array([False, *(stage.things[shape.thing].flat for shape in shapes)])
        field = field * np.where(flats[labels_of(numbers)], _shadow_field(size, stage), np.float32(1.0))
    pixels *= _per_channel(field)
    if light.weather != "clear":
        pixels = _with_weather(pixels, light)
    pixels += _per_channel(_noise(size, light.phase) * np.float32(light.noise) + np.float32(0.5))
    np.clip(pixels, 0, 255, out=pixels)
    return Image.frombuffer("RGBX", (size, size), pixels.astype(np.uint8), "raw", "RGBX", 0, 1).convert("RGB")


def _per_channel(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """The field once for each of four channels `[h, w, 4]`: quicker than to spread it in the arithmetic."""
    return np.repeat(field, 4, axis=1).reshape(*field.shape, 4)


def _tables(
    stage: Stage, shapes: Sequence[Shape], side: int, repaint: Repaint | None
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Per shape: its colour at each level of its pattern, uint32 `[P + 1, 16]`; where its pattern's tile starts."""
    light = stage.light
    paints = [shape.paint for shape in shapes] if repaint is None else [repaint(shape) for shape in shapes]
    z = np.array([shape.z for shape in shapes])
    ends = np.empty((len(shapes) + 1, 2, 3), np.float32)
    ends[0] = _NOTHING
    flat = [value for paint in paints for value in (*paint.rgb, *paint.second)]
    ends[1:] = np.array(flat, np.float32).reshape(-1, 2, 3)
    ends[1:] *= np.array([shape.shade for shape in shapes], np.float32)[:, None, None]
    if light.haze:
        # the sky, which ends every view, has its own colours
        share = np.where(z >= FAR, 0.0, np.minimum(light.haze * np.minimum(z, 40.0) / 20, 0.6))
        ends[1:] += (np.array(light.haze_color, np.float32) - ends[1:]) * share.astype(np.float32)[
            :, None, None
        ]
    offsets = np.zeros(len(shapes) + 1, np.intp)
    period = np.array([_PERIOD if paint.texture else _FINE for paint in paints]) * stage.camera.focal / z
    # a shift that depends on the thing alone keeps a pattern in one piece over its faces
    thing = np.array([shape.thing for shape in shapes], np.float64)
    offsets[1:] = bank(side).offsets(
        [paint.pattern for paint in paints], period, thing * 0.6180339887 % 1, thing * 0.7548776662 % 1
    )
    steps = (np.arange(LEVELS, dtype=np.float32) / (LEVELS - 1))[None, :, None]
    colors = (ends[:, :1] * (1 - steps) + ends[:, 1:] * steps) * np.array(light.tint, np.float32)
    table = np.zeros((*colors.shape[:2], 4), np.uint8)
    table[..., :3] = np.clip(colors, 0, 255)
    return table.view(np.uint32)[..., 0], offsets


@lru_cache(maxsize=8)
def _ramps(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Right, up and squared distance from the centre, each about −1 to 1, of every pixel."""
    line: NDArray[np.float32] = (((np.arange(size) + 0.5) / size - 0.5) * 2).astype(np.float32)
    right, up = np.broadcast_to(line[None, :], (size, size)), np.broadcast_to(-line[:, None], (size, size))
    return right, up, ((right**2 + up**2) / 2).astype(np.float32)


def _light_field(size: int, stage: Stage) -> NDArray[np.float32]:
    right, up, radius = _ramps(size)
    light = stage.light
    lean = -light.lean[0] if stage.mirrored else light.lean[0]
    field: NDArray[np.float32] = (
        1 + np.float32(lean) * right + np.float32(light.lean[1]) * up - np.float32(light.vignette) * radius
    )
    return field


def _shadow_field(size: int, stage: Stage) -> NDArray[np.float32]:
    canvas = Image.new("L", (size, size), 255)
    draw = ImageDraw.Draw(canvas)
    for shadow in stage.shadows:
        x0, y0, x1, y1 = _mirrored(shadow) if stage.mirrored else shadow.box
        draw.ellipse((x0 * size, y0 * size, x1 * size, y1 * size), fill=round(255 * (1 - shadow.strength)))
    soft = canvas.filter(ImageFilter.BoxBlur(size / 100))
    field: NDArray[np.float32] = np.asarray(soft, dtype=np.float32) / np.float32(255)
    return field


def _mirrored(shadow: Shadow) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = shadow.box
    return 1 - x1, y0, 1 - x0, y1


@lru_cache(maxsize=1)
def _noise_table() -> NDArray[np.float32]:
    # RandomState's stream never changes between versions, so the same seed gives the same bytes
    return np.random.RandomState(11).standard_normal(1 << 20).astype(np.float32)


def _noise(size: int, phase: float) -> NDArray[np.float32]:
    table = _noise_table()
    count = size * size
    if count > len(table) // 2:
        table = np.resize(table, 2 * count)
    start = int(phase * (len(table) - count))
    return table[start : start + count].reshape(size, size)


def _with_weather(pixels: NDArray[np.float32], light: Light) -> NDArray[np.float32]:
    """Rain as slanted light streaks, snow as flakes."""
    size = pixels.shape[0]
    canvas = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(canvas)
    count = int(40 + 90 * light.amount)
    for number in range(count):
        x = (number * 0.6180339887 + light.phase) % 1 * size
        y = (number * 0.7548776662 + light.phase * 7) % 1 * size
        if light.weather == "rain":
            length = size * (0.03 + 0.03 * (number % 3))
            draw.line((x, y, x - length * 0.3, y + length), fill=70, width=max(round(size / 128), 1))
        else:
            radius = size * (0.004 + 0.003 * (number % 3))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=190)
    cover = (np.asarray(canvas, dtype=np.float32) / np.float32(255))[..., None]
    covered: NDArray[np.float32] = pixels * (1 - cover) + np.float32(238) * cover
    return covered
