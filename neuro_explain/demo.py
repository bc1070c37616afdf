"""The whole road on photographs that are on every machine with scikit-image: names, explanations, pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dissection.concepts import Concept, Labels
from dissection.images import read_image
from neuro_explain.names import dissect, open_concepts, set_names
from neuro_explain.report import write_report
from neuro_explain.runs import Failed, explain_to_folders
from neuro_explain.zoo import load_model


class _Photographs:
    """Photographs without labels; a `ConceptDataset` for `colors` to work on."""

    concepts: tuple[Concept, ...] = ()
    name = "images:scikit-image"

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in self.paths))
        return f"sha256:{digest.hexdigest()}"

    def __len__(self) -> int:
        return len(self.paths)

    def image_id(self, index: int) -> str:
        return self.paths[index].name

    def image(self, index: int) -> Image.Image:
        return read_image(self.paths[index])

    def labels(self, index: int, size: int) -> Labels:
        return Labels(np.empty((0, size, size), np.int32), (), frozenset())


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
    out: Path, concepts: Sequence[str], *, model_name: str, weights: str | None = None
) -> Iterator[str]:
    """Dissects the model, explains the photographs, writes the pages into `out`; yields lines to print.

    Args:
        out: folder; what an earlier demo left in it is replaced.
        concepts: specs of concept sets; without any, the colours of the photographs themselves.
        model_name, weights: as for `load_model`.
    """
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    photographs = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()]
    yield (
        f"This names the units of {model_name} and explains what it sees in {len(photographs)} photographs; "
        f"pages go to {out}."
    )
    model = load_model(model_name, weights=weights)
    yield f"{model.name}: {model.layer_reason}"
    if concepts:
        dataset = open_concepts(list(concepts))
    else:
        yield (
            "No concept set was given: units are named after the colours of these photographs alone, which shows "
            "the road and not much more. Try --concepts coco:DIR."
        )
        dataset = open_concepts([_Photographs(photographs), "colors"])
    names = dissect(model, dataset)
    names.save(out / "dissection", overwrite=True)
    yield f"{names.named} of {len(names)} units named ({', '.join(set_names(dataset))})"
    yield f"  {write_report(out / 'dissection')}"
    pairs = [(image, out / image.stem) for image in photographs]
    for done in explain_to_folders(model, pairs, names, overwrite=True, options={}):
        if isinstance(done, Failed):
            raise done.error
        yield f"{done.image.name}: {done.explanation.text}"
        yield f"  {done.page}"
