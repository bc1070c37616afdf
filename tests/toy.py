"""A small classifier whose units and scores one can compute on paper, and names for its units."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from dissection.names import Names, UnitName
from neuro_explain.model import Model
from neuro_explain.preprocess import Preprocess

CLASSES = ("kitchen", "street", "coast", "forest", "office", "desert")


class ColourNet(nn.Module):
    """Units 0…5 see red, green, blue, cyan, magenta, yellow; unit 6 sees bright things, unit 7 nothing at all.

    1×1 convolution, ReLU, 4×4 pooling (that is the map of 8×8 cells), global mean, one linear layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, 8, 1)
        self.rect = nn.ReLU()
        self.cells = nn.AvgPool2d(4)
        self.maps = nn.Conv2d(8, 8, 1, bias=False)
        self.fire = nn.ReLU()
        self.head = nn.Linear(8, len(CLASSES))
        with torch.no_grad():
            rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1], [1, 1, 1], [0, 0, 0]]
            self.see.weight.copy_(torch.tensor(rows, dtype=torch.float32)[:, :, None, None])
            self.see.bias.zero_()
            self.maps.weight.copy_(torch.eye(8)[:, :, None, None])
            generator = torch.Generator().manual_seed(3)
            self.head.weight.copy_(torch.randint(-4, 5, (len(CLASSES), 8), generator=generator).float())
            self.head.bias.copy_(torch.arange(6).float() / 8)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.fire(self.maps(self.cells(self.rect(self.see(images)))))
        return self.head(maps.mean(dim=(2, 3)))


def toy_model(**options: object) -> Model:
    net = ColourNet()
    return Model(
        net,
        preprocess=Preprocess(input_size=(32, 32), resize=32, mean=(0, 0, 0), std=(1, 1, 1)),
        classes=CLASSES,
        name="colour-net",
        layer="fire",
        **options,
    )


def toy_names(model: Model, *, named: tuple[int, ...] = (0, 1, 2, 3, 4, 5), **changes: object) -> Names:
    words = ("red", "green", "blue", "cyan", "magenta", "yellow", "bright", "nothing")
    units = tuple(
        UnitName(
            unit=u,
            concept=Concept(word, "color") if u in named else None,
            iou=0.3 - 0.01 * u,
            best=Concept(word, "color"),
            runner_up=Concept("grey", "color"),
            runner_up_iou=0.02,
            threshold=0.471,
            note="dead" if u == 7 else "",
        )
        for u, word in enumerate(words)
    )
    values: dict[str, object] = {
        "units": units,
        "layer": model.layer,
        "fingerprint": weights_fingerprint(model.net),
        "source": "toy/dissection",
        "concept_sets": ("toy", "colors"),
        "quantile": 0.005,
        "min_iou": 0.05,
        "exemplars": {0: picture(), 3: picture()},
    }
    return Names(**{**values, **changes})


def picture() -> bytes:
    import io

    buffer = io.BytesIO()
    Image.new("RGB", (192, 96), (200, 30, 30)).save(buffer, "WEBP")
    return buffer.getvalue()


def photograph(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
