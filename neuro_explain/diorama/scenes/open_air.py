"""How is an open place furnished? Where things can stand, beside a river or path, and which of them do."""

from __future__ import annotations

from collections.abc import Callable

from neuro_explain.diorama.objects.forest import signpost
from neuro_explain.diorama.objects.furniture import chair, floor_lamp
from neuro_explain.diorama.objects.hiking import backpack
from neuro_explain.diorama.objects.rocks import moss, rock
from neuro_explain.diorama.objects.seaside import beach_ball, bucket, umbrella
from neuro_explain.diorama.objects.water import Station
from neuro_explain.diorama.stage import Stage, Thing

Maker = Callable[[float, float], object]
"""Puts something at (x, z)."""

Place = Callable[[float, float], tuple[float, float]]
"""Where something goes: from a share across the picture (−0.5 to 0.5) and one of depth (0 to 1), to (x, z)."""


def nearest(stage: Stage) -> float:
    """The distance at which the ground comes into the picture, in metres."""
    camera = stage.camera
    return camera.height * camera.focal / (0.95 - camera.horizon)


def spot(stage: Stage, across: float, z: float) -> float:
    """The x that is seen a share `across` (−0.5 to 0.5) from the middle of the picture, at the distance z."""
    return stage.camera.x_at(across, z)


def furnish(
    stage: Stage,
    typical: list[tuple[float, Maker]],
    shared: list[tuple[float, Maker]],
    place: Place,
    *,
    most: int = 5,
) -> None:
    """Up to `most` typical and two shared things side by side, in any order; at times a stray one."""
    rng = stage.rng
    chosen = [make for chance, make in typical if rng.random() < chance]
    rest = [make for _, make in typical if make not in chosen]
    while len(chosen) < 3:
        chosen.append(rest.pop(rng.randrange(len(rest))))
    if len(chosen) > most:
        chosen = rng.sample(chosen, most)
    chosen += [make for chance, make in shared if rng.random() < chance][:2]
    if stage.chance(0.25):
        chosen.append(_stray(stage))
    rng.shuffle(chosen)
    back = stage.chance(0.5)
    for k, make in enumerate(chosen):
        across = -0.46 + 0.92 * (k + rng.uniform(0.25, 0.75)) / len(chosen)
        # neighbours stand in two rows, so that they do not hide one another
        deep = rng.uniform(0.5, 1.0) if (k % 2 == 0) is back else rng.uniform(0.0, 0.3)
        make(*place(across, deep))


def _stray(stage: Stage) -> Maker:
    """Something that belongs elsewhere."""
    strays: list[Maker] = [
        lambda x, z: chair(stage, x, z),
        lambda x, z: floor_lamp(stage, x, z),
        lambda x, z: beach_ball(stage, x, z),
        lambda x, z: umbrella(stage, x, z, wide=1.4, high=1.5),
        lambda x, z: backpack(stage, x, z),
        lambda x, z: signpost(stage, x, z, high=1.2),
        lambda x, z: bucket(stage, x, z),
    ]
    return stage.rng.choice(strays)


def bed(stage: Stage, far: Station, near: Station) -> list[Station]:
    """The bends of a river or path from its far end to its near end."""
    swing = stage.rng.uniform(-0.12, 0.12)
    stations = []
    for k in range(9):
        share = k / 8
        z = far[2] * (near[2] / far[2]) ** share
        # straight in the picture is straight in x / z
        across = far[0] / far[2] * (1 - share) + near[0] / near[2] * share
        half = far[1] / far[2] * (1 - share) + near[1] / near[2] * share
        across += swing * (1 if k % 4 < 2 else -1) * (k % 2) + stage.rng.uniform(-0.01, 0.01)
        stations.append((across * z, half * z, z))
    return stations


def bed_at(stations: list[Station], z: float) -> Station:
    """The station of a river or path at about the distance z."""
    return min(stations, key=lambda station: abs(station[2] - z))


def clear(stations: list[Station], x: float, z: float) -> tuple[float, float]:
    """The place nearest to (x, z) beside the river or path."""
    middle, half, _ = bed_at(stations, z)
    room = half * 1.15 + 0.09 * z
    if abs(x - middle) < room:
        x = middle + (room if x > middle else -room)
    return x, z


def beside(stage: Stage, stations: list[Station], near: float) -> Place:
    """Where things can stand on both sides of a river or path."""

    def place(across: float, deep: float) -> tuple[float, float]:
        z = near * (1 + 0.9 * deep)
        x, z = clear(stations, spot(stage, across, z), z)
        if abs(x - stage.camera.x) > 0.47 * z / stage.camera.focal:  # out of the picture: to the other bank
            x, z = clear(stations, 2 * bed_at(stations, z)[0] - x, z)
        return x, z

    return place


def mossy_rock(stage: Stage, x: float, z: float) -> Thing:
    """A boulder with a cushion of moss."""
    high = stage.rng.uniform(0.45, 0.65)
    stone = rock(stage, x, z, high=high)
    moss(stage, stone, 0.0, high * 0.9, wide=high * stage.rng.uniform(0.65, 0.85), w=0.0)
    return stone
