"""The whole road, offline: names, explanations and one linked set of pages.

Two worlds: the diorama, which is drawn here and whose truth is known, with the small networks that come with this
package; and the photographs that scikit-image ships, with EfficientNet-Lite0 and names computed beforehand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.artifact import check_writable
from neuro_explain.collection import KIND, Member, save_collection
from neuro_explain.diorama.dataset import Diorama
from neuro_explain.explain import explain
from neuro_explain.model import Model
from neuro_explain.names import dissect, open_concepts, set_names
from neuro_explain.recipes.diorama_nets import NAMES as DIORAMA_NETS
from neuro_explain.report import write_report
from neuro_explain.shipped_names import shipped_names
from neuro_explain.zoo import load_model

if TYPE_CHECKING:
    from PIL import Image

    from dissection.concepts import Concept
    from dissection.names import Names
    from dissection.result import Dissection
    from neuro_explain.diorama.scene import Scene

CONCEPT_SEED, CONCEPT_SCENES = 7, 1000
"""The world that names the units, and how many of its scenes."""

FRESH_SEED, FRESH_SCENES = 8, 300
"""The world of the scenes that are explained, and how many are looked through for mistakes."""

EXPLAINED, MISTAKES = 12, 3
_AT_ONCE = 32  # scenes of a forward pass

# Photographs that come inside scikit-image's package, without a download.
PHOTOGRAPHS = (
    "chelsea.png",
    "coffee.png",
    "astronaut.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "camera.png",
)


def run_demo(
    out: Path,
    *,
    model_name: str = DIORAMA_NETS[0],
    weights: str | None = None,
    concepts: Sequence[str] = (),
    command: list[str] | None = None,
) -> Iterator[str]:
    """Names the model's units, explains a dozen images, writes the pages into `out`; yields lines to print.

    Args:
        out: folder; what an earlier demo left in it is replaced.
        model_name, weights: as for `load_model`; a network of the diorama explains scenes, any other one the
            photographs that scikit-image ships.
        concepts: specs of concept sets to name the units by, in place of the demo's own.
        command: the command line, for the manifests.

    Raises:
        ValueError: a model without names of its own, and no concept set to make some.
    """
    check_writable(out, kind=KIND, overwrite=True)
    if model_name in DIORAMA_NETS:
        yield from _scenes(out, model_name, weights, concepts, command)
    else:
        yield from _photographs(out, model_name, weights, concepts, command)


def _scenes(
    out: Path, model_name: str, weights: str | None, concepts: Sequence[str], command: list[str] | None
) -> Iterator[str]:
    specs = list(concepts) or [f"diorama:{CONCEPT_SEED}:{CONCEPT_SCENES}"]
    yield (
        f"This draws a small world, names the units of {model_name} by {' and '.join(specs)}, explains "
        f"{EXPLAINED} scenes that it has not seen, its mistakes among them, and writes the pages to {out}. "
        "About half a minute; nothing is downloaded."
    )
    model = load_model(model_name, weights=weights)
    yield f"{model.name}: {model.layer_reason}"
    names = dissect(model, open_concepts(specs))
    yield _named(names)
    chosen, right = choose_scenes(model, names)
    members: list[tuple[Member, Path]] = []
    (out / "scenes").mkdir(parents=True, exist_ok=True)
    for one in chosen:
        scene = one.scene
        name = f"{scene.category.replace(' ', '-')}-{scene.index}{'-without' if one.without else ''}"
        path = out / "scenes" / f"{name}.png"
        scene.image(without=one.without).save(path)
        path.with_suffix(".json").write_text(json.dumps(scene.graph(), indent=1) + "\n", encoding="utf-8")
        members.append((Member(name, label=scene.category, note=one.note), path))
    intro = (
        f"Scenes drawn by this program, with their categories known. {model.name} is right on {right} of "
        f"{FRESH_SCENES} fresh scenes. Where it makes too few mistakes to show, some are provoked: from a scene are "
        f"taken away, with all else equal, the things that spoke for its category. The units were named by "
        f"{names.images:,} other scenes."
    )
    yield from _explained(out, model, names, members, "Scenes of a small world", intro, command)


@dataclass(frozen=True)
class Chosen:
    """A scene to explain, and what of it is switched off."""

    scene: Scene
    without: tuple[Concept, ...] = ()

    @property
    def note(self) -> str | None:
        """What a reader must know of it."""
        words = " or ".join(concept.name for concept in self.without)
        return f"The same scene was drawn without {words}, all else equal." if words else None


def choose_scenes(model: Model, names: Names) -> tuple[list[Chosen], int]:
    """A dozen fresh scenes, mistakes among them, and how many of all fresh ones the model gets right.

    The first mistakes; if there are not enough, scenes that it gets wrong once the concepts of its strongest units
    are switched off; and the first correct scene of each category. In the order of their numbers.
    """
    from tqdm import tqdm

    world = Diorama(FRESH_SEED, FRESH_SCENES)
    mistakes: list[Chosen] = []
    correct: dict[str, Chosen] = {}
    right = 0
    with tqdm(total=len(world), desc="looking for mistakes", unit="scene", disable=None, delay=1) as looking:
        for first in range(0, len(world), _AT_ONCE):
            scenes = [world.scene(index) for index in range(first, min(first + _AT_ONCE, len(world)))]
            answers = predicted_classes(model, [scene.image() for scene in scenes])
            for scene, answer in zip(scenes, answers, strict=True):
                if answer != scene.category:
                    mistakes.append(Chosen(scene))
                    continue
                right += 1
                correct.setdefault(scene.category, Chosen(scene))
            looking.update(len(scenes))
    for index in range(len(world)):
        if len(mistakes) >= MISTAKES:
            break
        if provoked := provoke(model, names, world.scene(index)):
            mistakes.append(provoked)
    shown = mistakes[:MISTAKES]
    shown += [correct[category] for category in sorted(correct)][: EXPLAINED - len(shown)]
    return sorted(shown, key=lambda one: (one.scene.index, one.without)), right


def provoke(model: Model, names: Names, scene: Scene) -> Chosen | None:
    """The scene without the concepts of its strongest units, if the model then gets it wrong."""
    image = scene.image()
    evidence = explain(model, image, names, rank_by="contribution", check=False).targets[0]
    concepts = (unit.concept for unit in evidence.top if unit.contribution > 0)
    off = tuple(sorted({c for c in concepts if c is not None and c.category in ("object", "part")}))
    if not off or predicted_classes(model, [scene.image(without=off)])[0] == scene.category:
        return None
    return Chosen(scene, off)


def predicted_classes(model: Model, images: Sequence[Image.Image]) -> list[str]:
    """The class of each image with the highest score."""
    import torch

    from dissection.recording import evaluating

    batch = torch.stack([model.preprocess(image) for image in images]).to(model.device, model.dtype)
    with evaluating(model.net) as net, torch.no_grad():
        return [model.classes[number] for number in net(batch).argmax(1).tolist()]


def _photographs(
    out: Path, model_name: str, weights: str | None, concepts: Sequence[str], command: list[str] | None
) -> Iterator[str]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    photographs = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()]
    yield (
        f"This explains what {model_name} sees in {len(photographs)} photographs that come with scikit-image, and "
        f"writes the pages to {out}."
    )
    model = load_model(model_name, weights=weights)
    yield f"{model.name}: {model.layer_reason}"
    if concepts:
        dataset = open_concepts(list(concepts))
        names = dissect(model, dataset)
        by = ", ".join(set_names(dataset))
    else:
        names = shipped_names(model_name)
        by = f"{', '.join(names.concept_sets)}, computed beforehand"
    yield f"{_named(names)} ({by})"
    intro = f"Photographs that come with scikit-image. The units of {model.name} were named by {by}."
    members = [(Member(path.stem), path) for path in photographs]
    yield from _explained(out, model, names, members, "Photographs", intro, command)


def _named(names: Dissection) -> str:
    return f"{names.named} of {len(names)} units named, {names.distinct} different names"


def _explained(
    out: Path,
    model: Model,
    names: Dissection,
    members: Sequence[tuple[Member, Path]],
    title: str,
    intro: str,
    command: list[str] | None,
) -> Iterator[str]:
    """Saves names and explanations, then the pages of all of them; yields the sentences and the index."""
    from tqdm import tqdm

    names.save(out / "dissection", overwrite=True, command=command)
    for member, path in tqdm(members, desc="explaining", unit="image", disable=None, delay=1):
        # Contributions say what happened on this image; alpha alone would be the same for a whole class.
        explanation = explain(model, path, names, rank_by="contribution")
        explanation.save(out / member.folder, overwrite=True, command=command)
        wrong = member.label is not None and explanation.predictions[0].label != member.label
        yield f"{path.name}: {explanation.text}{f' Wrong: it shows {member.label}.' if wrong else ''}"
    save_collection(
        out,
        title=title,
        intro=intro,
        members=[member for member, _ in members],
        dissection="dissection",
        overwrite=True,
        command=command,
    )
    yield str(write_report(out))
