"""What belongs to a network so that its answers can be explained? One record, `Model`.

    model = Model(net, preprocess=Preprocess(), classes=["cat", "dog"])
    model.layer, model.layer_reason       # chosen automatically, and why
    model.class_index("dog")              # 1

A network alone cannot be explained: it needs its true preprocessing, the names of its classes, and the layer
whose units are meant. `neuro_explain.load_model` makes the record for known networks; for your own, make
it yourself. The network is held as it is: its mode, its gradients and its weights are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from neuro_explain.classes import find_class, numbered, read_classes
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower


@dataclass(frozen=True, eq=False, init=False)
class Model(Tower):
    """A classifier with all that an explanation of it needs: a `Tower` whose output is class scores.

    Attributes:
        net: the network; `[N, 3, h, w]` in, class scores before softmax `[N, C]` out.
        classes: C display names.
    """

    classes: tuple[str, ...]

    def __init__(
        self,
        net: nn.Module,
        *,
        preprocess: Preprocess | str | None = None,
        classes: Sequence[str] | str | Path | None = None,
        layer: str | None = None,
        name: str | None = None,
        weights: str = "as given",
        origin: str = "the caller's network",
        licence: str = "not stated",
    ) -> None:
        """Looks at one forward pass to find or check the layer and to count the classes.

        Args:
            net: the network.
            preprocess: the recipe, or the name of one of `preprocess.PRESETS`.
            classes: names, or a text file with one per line; numbered if not given.
            layer: a dotted name; chosen automatically if not given.
            name: the class name of the network if not given.
            weights: which weights these are.
            origin: where they come from.
            licence: under which terms.

        Raises:
            ValueError: no module; another number of names than of scores; no spatial layer; see `find_layer`.
        """
        found = self._look(net, preprocess, layer, name, weights, origin, licence, scores=True)
        names = numbered(found.scores) if classes is None else read_classes(classes)
        if len(names) != found.scores:
            raise ValueError(
                f"classes: {self.name} gives {found.scores} scores, but there are {len(names)} class names; "
                "give one name for each score"
            )
        object.__setattr__(self, "classes", names)

    def class_index(self, wanted: str | int) -> int:
        """The number of a class given by name or number.

        Names are matched exactly first, then without regard to capitals, underscores and the letter folder of
        Places names; digits are a number if no class is named so.

        Raises:
            ValueError: no such class (near names are offered), or several of that name.
        """
        return find_class(self.classes, wanted)
