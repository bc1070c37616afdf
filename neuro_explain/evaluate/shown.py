"""What does the network say of annotated photographs, and where? Scores and maps, a few photographs at a time.

    for shown in show(model, images, source, choose):
        shown.scores                            # [C]
        shown.picture("Grad-CAM", 281)          # [height, width] of the photograph, NaN where the network does not see

The photographs of a batch go through the network once for their scores; then each method gets as many pairs of a
photograph and a class at a time. Nothing of a batch is kept when the next one comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dissection.images import orientation, read_image
from dissection.recording import evaluating
from neuro_explain.evaluate.annotations import AnnotatedImage
from neuro_explain.evaluate.map_source import MapSource
from neuro_explain.evaluate.regions import on_image, seen_pixels
from neuro_explain.model import Model
from neuro_explain.targets import Target

View: TypeAlias = Literal["crop", "whole"]
"""What the network is shown: the centre crop of its own preprocessing, or the whole photograph, squashed."""

OTHER_SIZE = "photographs of another size than annotated, left out"
TURNED = "photographs turned or mirrored by EXIF, annotated maybe as they lie in the file, left out"
Choose: TypeAlias = Callable[[AnnotatedImage, NDArray[np.float64]], Sequence[int]]
"""From a photograph and its scores `[C]` to the classes whose maps are wanted."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One photograph, what the network says of it, and the maps that were asked for.

    Attributes:
        number: of the photograph in its set.
        image: what is known of it.
        crop: left, top, right, bottom of what the network sees, in its pixels.
        scores: of all classes, `[C]`.
        maps: by the method's title and the class; raw, `[h, w]`.
    """

    number: int
    image: AnnotatedImage
    crop: tuple[float, float, float, float]
    scores: NDArray[np.float64]
    maps: dict[str, dict[int, NDArray[np.float64]]]

    def picture(self, title: str, number: int) -> NDArray[np.float64]:
        """A map, resized to the photograph: `[height, width]`; see `regions.on_image`."""
        return on_image(torch.from_numpy(self.maps[title][number]), self.crop, self.image.size)

    def seen(self) -> NDArray[np.bool_]:
        """The pixels of the photograph that the network sees, `[height, width]`."""
        return seen_pixels(self.crop, self.image.size)

    def ranked(self, count: int) -> list[int]:
        """The classes of the highest scores; see `best_classes`."""
        return best_classes(self.scores, count)


def best_classes(scores: NDArray[np.float64], count: int) -> list[int]:
    """The classes of the highest of the scores `[C]`, best first; of equal ones the lower number."""
    best: list[int] = np.argsort(-scores, kind="stable")[:count].tolist()
    return best


def show(
    model: Model,
    images: Sequence[AnnotatedImage],
    source: MapSource,
    choose: Choose,
    *,
    view: View = "crop",
    batch_size: int = 16,
    apart: Counter[str] | None = None,
) -> Iterator[Shown]:
    """The photographs in order, each with its maps.

    Args:
        model: the network; comes back as it was.
        images: what to show it.
        source: the methods.
        choose: which classes' maps are wanted of each; may be none.
        view: what the network is shown of each.
        batch_size: images that go through the network at once.
        apart: where photographs that are left out are counted.

    Raises:
        ValueError: batches of nothing, another view; a photograph that cannot be read; what a method cannot do.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if view not in ("crop", "whole"):
        raise ValueError(f"view: expected crop or whole, got {view!r}")
    apart = Counter() if apart is None else apart
    prepared = _prepared(model, images, view, apart)
    while batch := list(islice(prepared, batch_size)):
        inputs = torch.cat([one for _, _, _, one in batch])
        scores = _scores(model, inputs)
        chosen = [
            list(dict.fromkeys(choose(image, row)))
            for (_, image, _, _), row in zip(batch, scores, strict=True)
        ]
        maps = _maps(model, inputs, chosen, source, batch_size)
        for (number, image, crop, _), row, own in zip(batch, scores, maps, strict=True):
            yield Shown(number, image, crop, row, own)


def _prepared(
    model: Model, images: Sequence[AnnotatedImage], view: View, apart: Counter[str]
) -> Iterator[tuple[int, AnnotatedImage, tuple[float, float, float, float], Tensor]]:
    for number, image in enumerate(images):
        photo = read_image(image.path)
        if photo.size != image.size:  # turned by EXIF, or another file: boxes would lie elsewhere
            apart[OTHER_SIZE] += 1
            continue
        turn = orientation(image.path)
        if turn != 1 and (turn < 5 or photo.width == photo.height):
            # the size does not tell whether the boxes are of the upright photograph or lie mirrored
            apart[TURNED] += 1
            continue
        if view == "crop":
            yield number, image, model.preprocess.crop(photo.size), model.prepare(photo)
        else:
            whole = (0.0, 0.0, float(photo.width), float(photo.height))
            yield number, image, whole, model.preprocess.probe(photo)[None].to(model.device, model.dtype)


def _scores(model: Model, inputs: Tensor) -> NDArray[np.float64]:
    with evaluating(model.net) as plain, torch.no_grad():
        scores: NDArray[np.float64] = plain(inputs).double().cpu().numpy()
    if not np.isfinite(scores).all():
        raise ValueError(f"{model.name}: its scores are NaN or infinite for at least one photograph")
    return scores


def _maps(
    model: Model, inputs: Tensor, chosen: Sequence[Sequence[int]], source: MapSource, batch_size: int
) -> list[dict[str, dict[int, NDArray[np.float64]]]]:
    found: list[dict[str, dict[int, NDArray[np.float64]]]] = [
        {title: {} for title in source.titles} for _ in chosen
    ]
    pairs = [(row, number) for row, numbers in enumerate(chosen) for number in numbers]
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        targets = [Target.of_class(number, model.classes[number]) for _, number in part]
        for title, maps in source.maps(inputs[[row for row, _ in part]], targets).items():
            for (row, number), map in zip(part, maps, strict=True):
                found[row][title][number] = map
    return found
