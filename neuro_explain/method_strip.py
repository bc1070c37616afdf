"""What do all methods say of one image, side by side? A strip of maps for each class, and Grad-CAM at every layer.

    strip = method_strip(model, "cat.jpg", classes=["tabby", "tiger cat"])
    strip.maps["grad-cam"][0]                   # [h, w], of the first class
    strip.refused["cam"]                        # why a method has none for this network
    strip.save("runs/cat")                      # a document with arrays.npz; write_report makes its page

Every method is run once on all classes; a method that does not apply to the network says so in its place.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dissection.fingerprint import weights_fingerprint
from dissection.recording import evaluating, split_layer
from neuro_explain.document import Block, Document, Fact, Picture, Pictures, Section, Text
from neuro_explain.explain import best_classes
from neuro_explain.explanation import PHOTOGRAPH_SIDE
from neuro_explain.inquiry import ImageSource, Photo, read_photo
from neuro_explain.methods.layer_strip import layer_strip
from neuro_explain.methods.rectifiers import NONE_REPLACED
from neuro_explain.methods.registry import METHODS, method_named
from neuro_explain.model import Model
from neuro_explain.speaking import check_classifier
from neuro_explain.targets import class_probabilities
from reports.draw import pixel_picture, thumbnail
from reports.words import count as _count
from reports.words import where_hot

Maps = NDArray[np.float32]
_OF_RELUS = (
    "grad-cam-guided-relu",
    "grad-cam-deconvolution-relu",
)  # change what ReLUs behind the layer hand back


@dataclass(frozen=True, eq=False)
class MethodStrip:
    """The maps of one image.

    Attributes:
        model: the network.
        photo: the upright image.
        classes: numbers of the classes that the maps are of.
        scores, probabilities: of these.
        maps: of each method by its name, `[T, h, w]` for T classes, at least 0; those of pixels `[T, H, W]`.
        refused: why a method has no map, by its name.
        notes: what the methods say of how their maps were made, by their names.
        layers: Grad-CAM at every layer by the layer's name, `[T, h, w]`, at least 0; empty if the network has none.
    """

    model: Model
    photo: Photo
    classes: tuple[int, ...]
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    maps: Mapping[str, Maps]
    refused: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]
    layers: Mapping[str, Maps]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(self.model.classes[index] for index in self.classes)

    def lines(self) -> list[str]:
        """What the command prints: the classes, and the methods that gave no map."""
        said = [
            f"{label}: score {score:.3g}, probability {probability:.1%}"
            for label, score, probability in zip(self.labels, self.scores, self.probabilities, strict=True)
        ]
        said.append(f"{_count(len(self.maps), 'method')}; Grad-CAM at {_count(len(self.layers), 'layer')}")
        said += [f"  {note}" for note in self._unshown()]
        return said + [f"  no {METHODS[name].title}: {reason}" for name, reason in self.refused.items()]

    def to_dict(self) -> dict[str, Any]:
        """The content of `data.json`."""
        return {
            "image": {
                "name": self.photo.name,
                "width": self.photo.image.width,
                "height": self.photo.image.height,
                "crop": list(self.model.preprocess.crop(self.photo.image.size)),
            },
            "classes": [
                {"index": index, "label": label, "score": score, "probability": probability}
                for index, label, score, probability in zip(
                    self.classes, self.labels, self.scores, self.probabilities, strict=True
                )
            ],
            "methods": [
                {
                    "name": name,
                    "title": METHODS[name].title,
                    "source": METHODS[name].source,
                    "array": f"maps/{name}" if name in self.maps else None,
                    "refused": self.refused.get(name),
                    "notes": list(self.notes.get(name, ())),
                }
                for name in (*self.maps, *self.refused)
            ],
            "layers": [{"name": name, "array": f"layers/{name}"} for name in self.layers],
        }

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        command: list[str] | None = None,
    ) -> Path:
        """Writes the artifact: a document with `data.json` and `arrays.npz`.

        Raises:
            ArtifactError: an artifact is there and `overwrite` is not given.
        """
        arrays = {f"maps/{name}": maps for name, maps in self.maps.items()}
        arrays |= {f"layers/{name}": maps for name, maps in self.layers.items()}
        document = Document(
            f"Where in {self.photo.name} is the evidence?",
            f"What {self.model.name} saw of the picture, by {_count(len(self.maps), 'method')}. Every map has its own "
            "scale, up to its strongest cell. Maps of single pixels stand by themselves, with the brightest half per "
            "cent cut off.",
            figures=[
                Fact(label, f"{probability:.1%}", f"score {score:.3g}")
                for label, score, probability in zip(
                    self.labels, self.scores, self.probabilities, strict=True
                )
            ],
            sections=[*self._sections(), *self._remarks()],
            data=self.to_dict(),
            arrays=arrays,
        )
        return document.save(
            folder,
            model=self.model.name,
            layer=self.model.layer,
            options={"class": list(self.labels), "method": [*self.maps, *self.refused]},
            weights_fingerprint=weights_fingerprint(self.model.net),
            data_fingerprint=self.photo.fingerprint,
            overwrite=overwrite,
            command=command,
        )

    def _unshown(self) -> list[str]:
        """Which layers Grad-CAM is not shown at."""
        if split_layer(self.model.layer)[2] is None:
            return []
        return [f"Layers of tokens, as {self.model.layer}, are not among those at which Grad-CAM is shown."]

    def _same_as_grad_cam(self, name: str) -> bool:
        """Whether a rule for ReLUs had none to follow, so that the map is Grad-CAM's."""
        return name in _OF_RELUS and self.notes[name][:1] == (NONE_REPLACED,)

    def _sections(self) -> list[Section]:
        pen = _Pen(self.photo.image, self.model.preprocess.crop(self.photo.image.size))
        made = []
        for place, label in enumerate(self.labels):
            pictures = [
                Picture(pen.photograph(), "photograph", f"What the network saw of {self.photo.name}.")
            ]
            for name, maps in self.maps.items():
                method = METHODS[name]
                pictures.append(
                    pen.picture(
                        maps[place],
                        method.title,
                        f"{method.title} for {label}",
                        pixels=method.pixels,
                        remark="as Grad-CAM: no ReLU follows the layer"
                        if self._same_as_grad_cam(name)
                        else None,
                    )
                )
            made.append(Section(f"Every method: {label}", [Pictures(pictures)]))
        for place, label in enumerate(self.labels):
            pictures = [
                pen.picture(maps[place], layer, f"Grad-CAM for {label} at {layer}", size=True)
                for layer, maps in self.layers.items()
            ]
            if pictures:
                last = "last one that puts out maps" if self._unshown() else "last one"
                lead = (
                    f"From the layers near the image to the {last}. One forward and one backward pass; each layer's "
                    "map is the sum of its units, weighed by their mean gradient, where it is positive."
                )
                made.append(
                    Section(
                        f"Grad-CAM at every layer: {label}",
                        [Pictures(pictures)],
                        lead if place == 0 else None,
                    )
                )
        return made

    def _remarks(self) -> list[Section]:
        blocks: list[Block] = [
            Text(f"{METHODS[name].title} has no map here. {reason[0].upper()}{reason[1:]}.", note=True)
            for name, reason in self.refused.items()
        ]
        blocks += [
            Text(f"{METHODS[name].title}: {'; '.join(notes)}.") for name, notes in self.notes.items() if notes
        ]
        blocks += [Text(note) for note in self._unshown()]
        blocks.append(
            Text(
                "Where the methods are defined: "
                + "; ".join(
                    f"{METHODS[name].title}: {METHODS[name].source}" for name in (*self.maps, *self.refused)
                )
                + "."
            )
        )
        return [Section("What to know of these maps", blocks)]


def method_strip(
    model: Model,
    image: ImageSource,
    *,
    classes: Sequence[str | int] = (),
    methods: Sequence[str] = (),
) -> MethodStrip:
    """Runs the methods on one image.

    Args:
        model: a classifier.
        image: a path, or an upright `PIL.Image`.
        classes: by name or number; the predicted one if there are none.
        methods: their names; all if there are none.

    Raises:
        ValueError: an unknown class or method, an unreadable image, scores that are not finite.
    """
    check_classifier(model)
    chosen = [method_named(name) for name in dict.fromkeys(methods)] or list(METHODS.values())
    wanted = [model.class_index(one) for one in classes]
    photo = read_photo(image)
    prepared = model.prepare(photo.image)
    output = _output(model, prepared)
    numbers = list(dict.fromkeys(wanted)) or [best_classes(model.classes, output)[0].index]
    many = prepared.expand(len(numbers), -1, -1, -1).contiguous()
    maps: dict[str, Maps] = {}
    refused: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for method in chosen:
        try:
            made = method(model.net, many, numbers, layer=model.layer)
        except ValueError as error:
            refused[method.name] = str(error)
            continue
        maps[method.name], notes[method.name] = made.map.float().cpu().numpy(), made.notes
    if not maps:
        raise ValueError("; ".join(refused.values()))
    return MethodStrip(
        model,
        photo,
        tuple(numbers),
        tuple(float(output[0, number]) for number in numbers),
        tuple(float(class_probabilities(output)[0, number]) for number in numbers),
        maps,
        refused,
        notes,
        _layers(model, many, numbers),
    )


def _output(model: Model, prepared: torch.Tensor) -> torch.Tensor:
    with evaluating(model.net) as net, torch.no_grad():
        output: torch.Tensor = net(prepared.clone()).float().cpu()
    if not bool(output.isfinite().all()):
        raise ValueError(
            f"{model.name} answers with NaN or infinity, so there is nothing to explain; check its weights, its "
            "preprocessing and its precision"
        )
    return output


def _layers(model: Model, images: torch.Tensor, classes: list[int]) -> dict[str, Maps]:
    try:
        strip = layer_strip(model.net, images, classes)
    except ValueError:  # a network of tokens has no maps but at the layer that was found
        return {}
    return {name: signed.clamp(min=0).float().cpu().numpy() for name, signed in strip.signed.items()}


class _Pen:
    """Draws maps on the part of a photograph that the network saw."""

    def __init__(self, image: Image.Image, crop: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = (round(edge) for edge in crop)
        seen = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        self.size = seen.size
        seen.thumbnail((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        seen.save(buffer, "PNG")
        self.encoded = buffer.getvalue()

    def photograph(self) -> bytes:
        return thumbnail(self.encoded, np.zeros((1, 1), np.float32), "heat")

    def picture(
        self,
        cells: Maps,
        label: str,
        of: str,
        *,
        pixels: bool = False,
        size: bool = False,
        remark: str | None = None,
    ) -> Picture:
        where = where_hot(cells, (0, 0, *self.size), *self.size)
        note = f"{cells.shape[0]}×{cells.shape[1]}" if size else remark
        if not cells.max() > 0:
            note = "nowhere above zero"
        made = pixel_picture(cells, self.size) if pixels else thumbnail(self.encoded, cells, "heat")
        return Picture(made, label, f"{of}: {where}.", note)
