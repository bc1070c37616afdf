"""On which images is a method measured, and which class of each is explained?

    sample = ImageSample(model, open_inputs("photographs", classes=model.classes), limit=100)
    for one in sample:
        one.number, one.image, one.target, one.second
    sample.notes()

Of more images than the limit those are taken that lie evenly over the order, since lists are often sorted by class. The
class is the one that the network predicts, or the image's label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dissection.images import ImageError, read_image
from dissection.recording import evaluating
from neuro_explain.image_lists import UNKNOWN
from neuro_explain.inputs import Inputs
from neuro_explain.model import Model
from neuro_explain.targets import Target

Explained = Literal["predicted", "label"]


@dataclass(frozen=True, eq=False)
class Sampled:
    """One image that is explained.

    Attributes:
        number: in the whole list, from 0.
        name: its id.
        image: prepared, `[1, 3, H, W]`.
        target: the explained class.
        second: the best of the other classes; None for a network of one.
    """

    number: int
    name: str
    image: Tensor
    target: Target
    second: Target | None


class ImageSample:
    """Images with the class of each that is explained; read anew each time they are gone through.

    Args:
        model: the network.
        inputs: the images.
        limit: how many to take at most; None for all.
        explained: "label" takes an image's label where it has one, and the predicted class where it has none.

    Raises:
        ValueError: a limit below 1; "label" for images without any.
    """

    def __init__(
        self, model: Model, inputs: Inputs, *, limit: int | None = None, explained: Explained = "predicted"
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit: expected at least 1 image, got {limit}")
        if explained == "label" and inputs.labels is None:
            raise ValueError(
                f"explained: no image has a label: {inputs.unlabelled or 'there are none'}; explain predicted "
                "classes, or give a list with labels"
            )
        count = len(inputs.ids)
        taken = count if limit is None else min(limit, count)
        self.model, self.inputs, self.explained = model, inputs, explained
        self.numbers = [place * count // taken for place in range(taken)]
        self.unreadable: dict[str, str] = {}
        self.unlabelled = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Sampled]:
        """The images that can be read, in their order.

        Raises:
            ValueError: not one of them can be; scores that are not finite.
        """
        self.unreadable, self.unlabelled = {}, 0
        for number in self.numbers:
            name = self.inputs.ids[number]
            try:
                photograph = read_image(self.inputs.paths[number])
            except ImageError as error:
                self.unreadable[name] = str(error)
                continue
            yield self._sampled(number, name, self.model.prepare(photograph))
        if len(self.unreadable) == len(self.numbers):
            raise ValueError(
                f"no image can be read; the first of them: {next(iter(self.unreadable.values()))}"
            )

    def _sampled(self, number: int, name: str, image: Tensor) -> Sampled:
        with evaluating(self.model.net) as plain, torch.no_grad():
            scores = plain(image.clone())[0].float()
        if not bool(scores.isfinite().all()):
            raise ValueError(
                f"{name}: the network's scores are NaN or infinite, so there is nothing to explain"
            )
        order = [int(index) for index in scores.topk(min(2, len(scores))).indices]
        chosen = order[0]
        if self.explained == "label" and self.inputs.labels is not None:
            label = int(self.inputs.labels[number])
            self.unlabelled += label == UNKNOWN
            chosen = chosen if label == UNKNOWN else label
        others = [index for index in order if index != chosen]
        return Sampled(number, name, image, self._target(chosen), self._target(others[0]) if others else None)

    def _target(self, index: int) -> Target:
        return Target.of_class(index, self.model.classes[index])

    def notes(self) -> tuple[str, ...]:
        """Sentences on what was taken, once the images were gone through."""
        class_said = "its label" if self.explained == "label" else "the one that the network predicts"
        said = [
            f"{len(self) - len(self.unreadable):,} of {len(self.inputs.ids):,} images; "
            f"the class explained is {class_said}"
        ]
        if self.unlabelled:
            said.append(f"{self.unlabelled:,} images without a label: their predicted class is explained")
        if self.unreadable:
            reason = next(iter(self.unreadable.values()))
            said.append(f"{len(self.unreadable):,} images could not be read; the first of them: {reason}")
        return tuple(said)
