"""What works on a farm: tractor, wheelbarrow."""

from __future__ import annotations

from neuro_explain.diorama.stage import Stage, Thing


def tractor(stage: Stage, x: float, z: float, *, size: float = 1.0) -> Thing:
    """A tractor from the side, one wheel large and one small."""
    rng = stage.rng
    body = stage.paint("metal", color=rng.choice(("red", "green", "blue", "orange", "yellow")), plain=True)
    rubber = stage.paint("rubber", plain=True)
    hub = stage.paint("metal", color=rng.choice(("yellow", "white", "red")), plain=True)
    glass = stage.paint("glass", color="blue")
    dark = stage.paint("metal", color="black", plain=True)
    thing = stage.thing("tractor", x=x, z=z, color=body.color)
    k, s = size * rng.choice((-1, 1)), size
    thing.shadow(1.3 * s, 0.4)
    thing.disc(-0.5 * k, 0.5 * s, 0.5 * s, rubber, part="wheel", shade=0.6, w=0.8)
    thing.poly(
        [(-0.95 * k, 0.95 * s), (0.1 * k, 0.95 * s), (0.02 * k, 1.62 * s), (-0.85 * k, 1.62 * s)],
        glass,
        part="window pane",
    )
    for a, b in (((-0.95, 0.9), (-0.85, 1.65)), ((0.1, 0.9), (0.02, 1.65)), ((-0.4, 0.9), (-0.4, 1.65))):
        thing.line([(a[0] * k, a[1] * s), (b[0] * k, b[1] * s)], 0.07, body, part="frame", shade=0.85)
    thing.poly(
        [(-1.0 * k, 1.6 * s), (0.16 * k, 1.6 * s), (0.1 * k, 1.74 * s), (-0.94 * k, 1.74 * s)],
        body,
        part="roof",
        shade=1.08,
    )
    thing.poly(
        [
            (-0.9 * k, 0.45 * s),
            (1.1 * k, 0.42 * s),
            (1.14 * k, 0.86 * s),
            (1.0 * k, 0.98 * s),
            (-0.9 * k, 0.98 * s),
        ],
        body,
        part="body",
    )
    for u in (0.42, 0.6, 0.78):
        thing.line([(u * k, 0.62 * s), (u * k, 0.86 * s)], 0.05, dark, part="body")
    thing.line([(0.55 * k, 0.96 * s), (0.55 * k, 1.42 * s)], 0.09, dark, part="chimney")
    thing.disc(
        1.06 * k,
        0.74 * s,
        0.1 * s,
        stage.paint("glass", color="yellow", plain=True),
        part="headlight",
        shade=1.1,
    )
    for u, r in ((-0.5, 0.58), (0.82, 0.36)):
        thing.disc(u * k, r * s, r * s, rubber, part="wheel")
        thing.disc(u * k, r * s, r * s * 0.5, hub, part="wheel")
    return thing


def wheelbarrow(stage: Stage, x: float, z: float) -> Thing:
    """A wheelbarrow, empty or with soil or hay."""
    rng = stage.rng
    tray = stage.paint("metal", color=rng.choice(("green", "red", "blue", "grey", "orange")), plain=True)
    wood, rubber = stage.paint("wood", plain=True), stage.paint("rubber", plain=True)
    thing = stage.thing("wheelbarrow", x=x, z=z, color=tray.color)
    k = 1.15 * rng.choice((-1, 1))
    thing.shadow(0.8, 0.25)
    load = rng.choice(("soil", "grass", ""))
    if load:
        thing.blob(
            0.05 * k, 0.78, 0.48, 0.26, stage.paint(load, color="brown" if load == "soil" else "yellow")
        )
    thing.line([(-0.95 * k, 0.62), (0.6 * k, 0.3)], 0.1, wood, part="handle")
    thing.line([(-0.4 * k, 0.5), (-0.48 * k, 0.0)], 0.1, wood, part="leg")
    thing.poly([(-0.6 * k, 0.82), (0.66 * k, 0.82), (0.34 * k, 0.36), (-0.36 * k, 0.36)], tray, part="body")
    thing.poly(
        [(-0.6 * k, 0.82), (0.66 * k, 0.82), (0.63 * k, 0.74), (-0.56 * k, 0.74)],
        tray,
        part="body",
        shade=1.2,
    )
    thing.disc(0.62 * k, 0.24, 0.24, rubber, part="wheel")
    thing.disc(0.62 * k, 0.24, 0.11, stage.paint("metal", color="grey", plain=True), part="wheel")
    return thing
