"""The names of a model's units: make them from a concept set, or load them.

names = dissect(model, open_concepts("broden:data/broden1_224"))
names.save("runs/resnet18/dissection")
names = load_names("runs/resnet18/dissection")        # or a NetDissect result CSV
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from dissection import readers
from dissection.arguments import shown
from dissection.artifact import MANIFEST, ArtifactError
from dissection.concepts import ConceptDataset
from dissection.dissect import Engine
from dissection.dissect import dissect_layers as dissect_net
from dissection.names import MIN_IOU, Names
from dissection.netdissect_csv import read_netdissect_csv
from dissection.options import Options, choose
from dissection.readers.merged import Merged
from dissection.readers.subset import Subset
from dissection.result import Dissection
from neuro_explain.cluster import Cluster
from neuro_explain.layer import find_layer
from neuro_explain.tower import Tower, example_input

if TYPE_CHECKING:
    from typing_extensions import Unpack


def open_concepts(specs: readers.Spec | Sequence[readers.Spec]) -> ConceptDataset:
    """Opens one concept set, or several as one; see `dissection.readers` for the kinds of spec.

    Besides those, `diorama:SEED:COUNT` is the first COUNT scenes of the diorama's world SEED.

    Raises:
        ValueError: an unknown kind, or a broken set.
    """
    return readers.open_concepts(specs, more={"diorama": _open_diorama})


def _open_diorama(text: str) -> ConceptDataset:
    from neuro_explain.diorama.dataset import open_diorama  # many small modules, for those who want them

    return open_diorama(text)


def dissect(
    model: Tower,
    concepts: ConceptDataset | readers.Spec | Sequence[readers.Spec],
    *,
    cluster: Cluster | None = None,
    **options: Unpack[Options],
) -> Dissection:
    """Names the units of the model's layer.

    Args:
        model: the network with its layer and preprocessing: a `Model`, or the `tower` of a captioner or of a network
            that answers questions.
        concepts: an opened concept set, or its spec or specs.
        cluster: machines that share the work, in place of this process.
        options: all that can be chosen, such as `quantile=0.01, permutations=1000`; see `dissection.options.Options`.

    Raises:
        TypeError: an unknown option, or an argument of the wrong kind.
        ValueError: a broken concept set, a layer without maps, values that are not finite, an option out of range.

    Warns:
        UserWarning: so few permutations that no unit can be named alone.
    """
    _check_tower(model)
    found = _dissect(model, concepts, {model.layer: model.layer_reason}, cluster, **options)
    return found[model.layer]


def dissect_layers(
    model: Tower,
    concepts: ConceptDataset | readers.Spec | Sequence[readers.Spec],
    layers: Sequence[str],
    *,
    cluster: Cluster | None = None,
    **options: Unpack[Options],
) -> dict[str, Dissection]:
    """Names the units of several layers in one pass over the images.

    Args:
        model, concepts, cluster: see `dissect`.
        layers: dotted names. A layer of tokens, or a fully connected one, gets the suffix that makes maps of its
            output (`+14x14`, `+1x1`).
        options: see `dissect`.

    Returns:
        A dissection by the name of its layer, as it was given, in that order.

    Raises:
        TypeError: as `dissect`.
        ValueError: as `dissect`; a layer named twice.
    """
    _check_tower(model)
    if isinstance(layers, str):
        raise ValueError(f"layers: expected a list of names, got the text {layers!r}")
    choose(options)  # what is wrong with them is said before the network runs
    example = example_input(model.net, model.preprocess)
    found = [find_layer(model.net, example, layer=layer, scores=False) for layer in layers]
    if len({one.name for one in found}) < len(found):
        raise ValueError(f"layers: expected different ones, got {', '.join(one.name for one in found)}")
    names = _dissect(model, concepts, {one.name: one.reason for one in found}, cluster, **options)
    return dict(zip(layers, names.values(), strict=True))


def _dissect(
    model: Tower,
    concepts: ConceptDataset | readers.Spec | Sequence[readers.Spec],
    reasons: Mapping[str, str],
    cluster: Cluster | None,
    **options: Unpack[Options],
) -> dict[str, Dissection]:
    choose(options)  # what is wrong with them is said before the sets are read
    engine: Engine | None = None
    if cluster is not None:
        from neuro_explain.cluster.dissection import found_on

        engine = partial(found_on, cluster)
    is_open = hasattr(concepts, "image_id")  # perhaps a sequence of images
    opened: ConceptDataset = concepts if is_open else open_concepts(concepts)  # type: ignore[assignment]
    return dissect_net(
        model.net,
        tuple(reasons),
        model.preprocess.probe,
        opened,
        engine=engine,
        model_name=model.name,
        layer_reason=reasons,
        concept_sets=set_names(opened),
        **options,
    )


def _check_tower(model: object) -> None:
    """Refuses what has no layer and no preprocessing."""
    if isinstance(model, Tower):
        return
    if isinstance(model, nn.Module):
        hint = "Tower(net, preprocess=…, layer=…) makes one of a module"
    elif isinstance(getattr(model, "tower", None), Tower):
        hint = "give its tower"
    else:
        hint = "load_model gives one by its name"
    raise TypeError(f"model: expected a neuro_explain.Model or Tower, got {shown(model)}; {hint}")


def set_names(dataset: ConceptDataset) -> tuple[str, ...]:
    """What the joined sets are called, for people: folder names, "colors", or the class of a set of one's own."""
    if isinstance(dataset, readers.WithColors):
        return (*set_names(dataset.base), "colors")
    if isinstance(dataset, Merged):
        return (*set_names(dataset.base), "merged by a table")
    if isinstance(dataset, Subset):
        return (*set_names(dataset.base), f"{len(dataset)} images of them")
    if isinstance(dataset, readers.Union):
        return tuple(dataset.names)
    return (str(getattr(dataset, "name", type(dataset).__name__)),)


def load_names(path: str | os.PathLike[str], *, min_iou: float | None = None) -> Names:
    """Names from the folder of a dissection or of names by words, or from a NetDissect result CSV.

    Args:
        path: the folder or the file.
        min_iou: the IoU that a name needs, for a CSV, which does not say; default 0.05.

    Raises:
        ArtifactError: nothing there that can be read as names.
        TypeError: it is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"names: expected the folder of a dissection, a NetDissect result CSV, or what dissect() gives, got "
            f"{shown(path)}; dissect() makes names, and load_names() reads them"
        )
    place = Path(path)
    if place.is_dir():
        if min_iou is not None:
            raise ArtifactError(f"{place} is a dissection, which has its own min_iou; leave it out")
        from neuro_explain.word_names import WordNames, is_word_names  # which itself names by words

        inside = sorted(one.name for one in place.iterdir() if (one / MANIFEST).is_file())
        if inside and not (place / MANIFEST).exists():
            raise ArtifactError(
                f"{place} is no dissection, but holds some: give one of {', '.join(inside)} in it"
            )
        return WordNames.load(place) if is_word_names(place) else Dissection.load(place)
    if not place.exists():
        raise ArtifactError(
            f"{place} does not exist; expected a dissection's folder or a NetDissect result CSV"
        )
    return read_netdissect_csv(place, min_iou=MIN_IOU if min_iou is None else min_iou)
