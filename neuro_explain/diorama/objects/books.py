"""Books, and what holds them."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def book_row(
    stage: Stage, on: Thing, u0: float, u1: float, v: float, *, w: float = 0.0, high: float = 0.3
) -> Thing:
    """Upright books side by side on a shelf of `on`, from u0 to u1 at height v: one thing, "book"."""
    rng = stage.rng
    row = stage.thing("book", x=on.x, y=on.y, z=on.z, on=on)
    u = u0
    while u < u1 - 0.03:
        wide = rng.uniform(0.06, 0.11)
        tall = high * rng.uniform(0.72, 1.0)
        paint = stage.paint("paper", plain=True)
        end = min(u + wide, u1)
        row.rect(u, v, end, v + tall, paint, part="spine", w=w, shade=0.95)
        if stage.chance(0.3):
            row.rect(
                u + 0.01,
                v + tall * 0.62,
                end - 0.01,
                v + tall * 0.74,
                stage.paint("paper", color="yellow", plain=True),
                part="spine",
                w=w,
            )
        u = end + 0.006
        if stage.chance(0.08):
            u += rng.uniform(0.03, 0.1)
    return row


def bookshelf(
    stage: Stage, x: float, z: float, *, wide: float = 1.2, shelves: int = 4, full: float = 0.9
) -> Thing:
    """A shelf with books on most of its boards."""
    rng = stage.rng
    wood = stage.paint("wood")
    case = stage.thing("bookshelf", x=x, z=z, color=wood.color)
    high, half = 0.42 * shelves + 0.12, wide / 2
    case.shadow(half * 1.1)
    case.box(-half, 0.0, half, high, 0.3, wood)
    dark = wood._replace(rgb=(wood.rgb[0] // 2, wood.rgb[1] // 2, wood.rgb[2] // 2), second=wood.rgb)
    case.rect(-half + 0.05, 0.08, half - 0.05, high - 0.05, dark, part="back", shade=0.75)
    for level in range(shelves):
        v = 0.08 + 0.42 * level
        case.rect(-half + 0.03, v - 0.03, half - 0.03, v + 0.01, wood, part="shelf")
        if rng.random() < full:
            start, end = -half + 0.06, half - 0.06
            if stage.chance(0.25):
                end -= rng.uniform(0.2, 0.5) * wide
            book_row(stage, case, start, end, v + 0.01, high=0.34)
    return case


def book_pile(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.0, count: int = 4) -> Thing:
    """Books lying on top of each other."""
    rng = stage.rng
    first = stage.paint("paper", plain=True)
    pile = stage.thing("book", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color=first.color)
    level = 0.0
    for k in range(count):
        paint = first if k == 0 else stage.paint("paper", plain=True)
        thick, half, shift = rng.uniform(0.045, 0.07), rng.uniform(0.15, 0.2), rng.uniform(-0.03, 0.03)
        pile.box(shift - half, level, shift + half, level + thick, 0.2, paint, part="spine")
        pile.rect(
            shift - half + 0.02,
            level + thick * 0.3,
            shift + half,
            level + thick * 0.75,
            stage.paint("paper", color="white", plain=True),
            part="page",
        )
        level += thick
    return pile


def open_book(stage: Stage, on: Thing, u: float, v: float, *, w: float = 0.0) -> Thing:
    """An open book on a table."""
    white = stage.paint("paper", color="white", plain=True)
    thing = stage.thing("book", x=on.x + u, y=on.y + v, z=on.z + w, on=on, color="white")
    thing.face(
        [(-0.24, 0.0, 0.0), (0.0, 0.03, 0.0), (0.0, 0.03, 0.25), (-0.24, 0.0, 0.25)], white, part="page"
    )
    thing.face(
        [(0.24, 0.0, 0.0), (0.0, 0.03, 0.0), (0.0, 0.03, 0.25), (0.24, 0.0, 0.25)],
        white,
        part="page",
        shade=0.88,
    )
    return thing
