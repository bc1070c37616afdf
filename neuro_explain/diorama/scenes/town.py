"""Street, playground."""

from __future__ import annotations

from neuro_explain.diorama.objects.animals import sheep
from neuro_explain.diorama.objects.backdrops import Landscape
from neuro_explain.diorama.objects.buildings import building, side_building
from neuro_explain.diorama.objects.crops import hay_bale
from neuro_explain.diorama.objects.farm import fence
from neuro_explain.diorama.objects.furniture import chair
from neuro_explain.diorama.objects.pavement import crosswalk, mat, road_marks, sidewalk
from neuro_explain.diorama.objects.people import person
from neuro_explain.diorama.objects.playground import climbing_frame, merry_go_round, seesaw, slide, swing
from neuro_explain.diorama.objects.streetware import (
    bench,
    bin,
    fire_hydrant,
    held_umbrella,
    mailbox,
    sign,
    street_lamp,
    traffic_cone,
    traffic_light,
)
from neuro_explain.diorama.objects.toys import ball, playhouse, sandbox, spring_rider
from neuro_explain.diorama.objects.trees import bush, tree
from neuro_explain.diorama.objects.vehicles import bicycle, bus, car
from neuro_explain.diorama.scenes.places import across, columns, pick
from neuro_explain.diorama.stage import Stage

_TALL = {"traffic light": 0.7, "street lamp": 0.7, "sign": 0.7, "tree": 0.45}
_SMALL = {
    "fire hydrant": 0.55,
    "mailbox": 0.5,
    "bin": 0.45,
    "traffic cone": 0.5,
    "bicycle": 0.4,
    "bench": 0.3,
    "person": 0.5,
}
_STRAY = ("ball", "chair", "hay bale", "sheep")
_MAKE = {
    "traffic light": traffic_light,
    "street lamp": street_lamp,
    "sign": sign,
    "fire hydrant": fire_hydrant,
    "mailbox": mailbox,
    "bin": bin,
    "traffic cone": traffic_cone,
    "bicycle": bicycle,
    "bench": bench,
    "ball": ball,
    "chair": chair,
    "hay bale": hay_bale,
    "sheep": sheep,
    "bush": bush,
    "car": car,
}


def street(stage: Stage) -> None:
    """A street, across the picture or away from the camera, with houses, traffic and what stands about."""
    Landscape(stage, "road", "asphalt", horizon=(0.4, 0.5))
    names = [*pick(stage, _TALL, least=2), *pick(stage, _SMALL, least=2)]
    stage.rng.shuffle(names)
    names = names[:7]
    if stage.chance(0.25):
        names.append(stage.rng.choice(_STRAY))
    if stage.chance(0.55):
        _street_across(stage, names)
    else:
        _street_away(stage, names)


def _street_across(stage: Stage, names: list[str]) -> None:
    rng = stage.rng
    x = -8.5 + rng.uniform(-1.0, 1.0)
    while x < 8.5:
        wide = rng.uniform(3.2, 5.0)
        if stage.chance(0.8):
            building(stage, x + wide / 2, 10.5, wide=wide, floors=rng.choice((1, 2, 2, 3)))
        x += wide + rng.choice((0.0, 0.0, 0.8))
    sidewalk(stage, -12.0, 12.0, 7.0, 10.5, kerb="near")
    sidewalk(stage, -6.0, 6.0, 0.6, 4.4, kerb="far")
    if stage.chance(0.5):
        x = across(stage, rng.uniform(0.15, 0.85), 5.2)
        crosswalk(stage, x, 4.45, wide=1.7, deep=2.4, along=False)
    else:
        road_marks(stage, [(u, 5.6, 0.7, 0.14) for u in range(-5, 6)])
    rolling = pick(stage, {"car": 0.8, "bus": 0.6, "second car": 0.35}, least=1)
    for name, share in zip(rolling, columns(stage, len(rolling)), strict=True):
        if name == "bus":
            bus(stage, across(stage, share, 6.6), 6.6)
        else:
            z = rng.uniform(5.0, 6.3)
            car(stage, across(stage, share, z), z, size=rng.uniform(0.95, 1.15))
    for name, share in zip(names, columns(stage, len(names), low=0.03, high=0.97), strict=True):
        tall = name in _TALL
        far = stage.chance(0.4 if tall else 0.25)
        z = rng.uniform(7.1, 7.8) if far else rng.uniform(4.0, 4.3) if tall else rng.uniform(3.7, 4.2)
        _put(stage, name, share, z)


def _street_away(stage: Stage, names: list[str]) -> None:
    rng = stage.rng
    half, walk = rng.uniform(1.6, 2.0), rng.uniform(1.5, 2.0)
    edge = half + walk
    for side in (-1, 1):
        z = 34.0
        while z > 5.0:
            long = rng.uniform(4.0, 7.0)
            z -= long
            if stage.chance(0.85):
                floors = rng.choice((1, 2, 2, 3))
                side_building(stage, side * edge, max(z, 3.0), side=side, long=long, floors=floors)
        sidewalk(stage, side * half, side * (edge + 0.02), 0.6, 34.0, kerb="x0")
    if stage.chance(0.55):
        crosswalk(stage, 0.0, rng.uniform(4.2, 6.0), wide=2 * half, deep=1.8, along=True)
    road_marks(stage, [(0.0, z, 0.1, 0.9) for z in (3.5, 8.5, 10.5, 13.0, 16.0)])
    rolling = pick(stage, {"car": 0.8, "bus": 0.55, "second car": 0.35}, least=1)
    lanes = [(-0.5, rng.uniform(4.8, 6.3)), (0.5, rng.uniform(5.4, 7.2)), (rng.choice((-0.5, 0.5)), 10.5)]
    for name, (lane, z) in zip(rolling, lanes, strict=False):
        if name == "bus":
            bus(stage, lane * half, z + 0.8, view="front")
        else:
            view, size = "front" if lane < 0 else "rear", rng.uniform(1.0, 1.15)
            car(stage, lane * half, z, view=view, size=size)
    side = rng.choice((-1, 1))
    for k, name in enumerate(names):
        # from near to far on both sides in turn; the farther, the more room beside the road
        z = 4.3 + 0.75 * (k // 2) + rng.uniform(0.0, 0.6) + (0.5 if name in _TALL else 0.0)
        side = -side
        x = side * min(half + rng.uniform(0.25, 0.8) * walk, 0.43 * z)
        _put(stage, name, 0.5 + (x - stage.camera.x) * stage.camera.focal / z, z)


def _put(stage: Stage, name: str, share: float, z: float) -> None:
    x = across(stage, share, z)
    if name == "tree":
        tree(stage, x, z + 0.5, high=stage.rng.uniform(2.8, 3.8))
    elif name == "person":
        who = person(stage, x, z, high=stage.rng.uniform(1.4, 1.8))
        if stage.light.weather == "rain" or stage.chance(0.15):
            held_umbrella(stage, who)
    else:
        _MAKE[name](stage, x, z)


_PLAY = {
    "slide": (slide, 0.75),
    "swing": (swing, 0.75),
    "seesaw": (seesaw, 0.65),
    "sandbox": (sandbox, 0.6),
    "climbing frame": (climbing_frame, 0.6),
    "merry go round": (merry_go_round, 0.5),
    "spring rider": (spring_rider, 0.55),
    "playhouse": (playhouse, 0.45),
}
_FAR_PLAY = ("slide", "swing", "climbing frame", "playhouse")
_BESIDE = {"ball": 0.4, "bench": 0.35, "bin": 0.25, "bush": 0.3, "person": 0.5, "bicycle": 0.2, "tree": 0.35}


def playground(stage: Stage) -> None:
    """A playground on grass, sand or soft ground, with trees, a fence or houses behind it."""
    rng = stage.rng
    ground = rng.choice(("grass", "grass", "sand", "mat", "path"))
    Landscape(stage, "sand" if ground == "sand" else "grass", "sand" if ground == "sand" else "grass")
    _behind(stage)
    if ground == "mat":
        rubber = stage.paint("rubber", color=rng.choice(("red", "orange", "brown", "blue")))
        mat(stage, "play mat", rubber, near=0.6, far=rng.uniform(6.5, 8.5))
    elif ground == "path":
        mat(stage, "path", stage.paint("soil"), near=0.6, far=rng.uniform(5.0, 8.0))
    names = pick(stage, {name: odd for name, (_, odd) in _PLAY.items()}, least=3)[:6]
    for k, (name, share) in enumerate(
        zip(names, columns(stage, len(names), low=0.04, high=0.96), strict=True)
    ):
        far = (name in _FAR_PLAY and stage.chance(0.7)) or k % 2 == 1
        z = rng.uniform(5.8, 7.2) if far else rng.uniform(4.2, 5.0)
        _PLAY[name][0](stage, across(stage, share, z), z)
    beside = pick(stage, _BESIDE)[:4]
    if stage.chance(0.25):
        beside.append(rng.choice(("car", "sheep", "traffic light", "chair", "hay bale")))
    for name, share in zip(beside, columns(stage, len(beside)), strict=True):
        z = rng.uniform(6.0, 8.0) if name in ("tree", "bush", "car", "bench") else rng.uniform(3.8, 6.0)
        _put(stage, name, share, z)


def _behind(stage: Stage) -> None:
    rng = stage.rng
    if stage.chance(0.35):
        for share in columns(stage, rng.randrange(1, 4)):
            building(
                stage, across(stage, share, 16.0), 16.0, wide=rng.uniform(4.0, 6.0), floors=rng.choice((1, 2))
            )
    for share in columns(stage, rng.randrange(0, 4)):
        tree(stage, across(stage, share, 12.0), rng.uniform(10.0, 13.0), high=rng.uniform(3.5, 5.5))
    if stage.chance(0.5):
        fence(stage, 0.0, 9.5, wide=12.0, rails=True)
    elif stage.chance(0.5):
        for share in columns(stage, 5, low=0.0, high=1.0):
            bush(stage, across(stage, share, 10.0), 9.5, high=rng.uniform(0.9, 1.4))
