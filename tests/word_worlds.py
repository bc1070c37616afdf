"""A world whose words are known: coloured pictures, a network with a unit for each colour, embeddings that know them.

`Colours` fires on the eight corners of the colour cube and on nothing in particular; `Knowing` is an `Embedder` that
knows the colours' words, `ignorant` makes one that does not. `small_clip` is a real CLIP with random weights.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower

CORNERS = list(itertools.product((0, 1), repeat=3))
COLOURS = ("black", "blue", "green", "cyan", "red", "magenta", "yellow", "white")
OTHERS = tuple(f"thing_{i}" for i in range(32))
WORDS = (*COLOURS, *OTHERS)
NOISE_UNITS = 16
SIZE = 6


@dataclass
class Painted:
    """Pictures of one colour each, with noise; sorted by colour, as folders are."""

    count: int = 240
    seed: int = 0
    fingerprint: str = "sha256:painted"

    def __len__(self) -> int:
        return self.count

    def image_id(self, index: int) -> str:
        return f"{index:03d}.png"

    def colour(self, index: int) -> int:
        return index * len(COLOURS) // self.count

    def image(self, index: int) -> Image.Image:
        noise = np.random.default_rng([self.seed, index]).uniform(0, 0.3, (SIZE, SIZE, 3))
        corner = np.array(CORNERS[self.colour(index)]) * 0.7
        return Image.fromarray(((corner + noise) * 255).astype(np.uint8))


class Colours(nn.Module):
    """Units 0 to 7 fire on the colours, the last on nothing, those between on what no one could name."""

    def __init__(self, noise: int = NOISE_UNITS) -> None:
        super().__init__()
        self.corners = nn.Parameter(torch.tensor(CORNERS, dtype=torch.float32) * 0.7 + 0.15)
        self.odd = torch.arange(1, noise + 1) * 9973.0
        self.maps = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        near = 0.5 - (x[:, None] - self.corners[None, :, :, None, None]).norm(dim=2)
        odd = torch.sin(x.double().mean(dim=(1, 2, 3))[:, None] * self.odd).float() + 1
        odd = odd[:, :, None, None].expand(-1, -1, *x.shape[2:])
        maps = self.maps(torch.cat([near, odd, torch.zeros_like(near[:, :1])], dim=1))
        return maps.mean(dim=(2, 3))


def colour_tower(noise: int = NOISE_UNITS) -> Tower:
    recipe = Preprocess(
        input_size=(SIZE, SIZE), resize=(SIZE, SIZE), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    return Tower(Colours(noise).eval(), preprocess=recipe, layer="maps", name="colours")


@dataclass
class Knowing:
    """Embeddings of `[D]`: a colour's word and its pictures lie together, other words lie anywhere."""

    seed: int = 0
    size: int = 48
    name: str = "a knowing embedder"
    fingerprint: str = "sha256:knowing"
    pictures_seen: int = 0

    def _vector(self, *key: int) -> Tensor:
        generator = torch.Generator().manual_seed(hash((self.seed, *key)) % 2**31)
        return F.normalize(torch.randn(self.size, generator=generator), dim=0)

    def _meaning(self, number: int) -> Tensor:
        return self._vector(1, number)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        spoken = [word.replace("_", " ") for word in WORDS]
        rows = []
        for text in texts:
            word = next((w for w in sorted(spoken, key=len, reverse=True) if w in text), None)
            rows.append(self._meaning(spoken.index(word) if word else 1000 + len(text)) + 2 * self._vector(2))
        return F.normalize(torch.stack(rows), dim=1)

    def embed_images(self, images: Sequence[Image.Image]) -> Tensor:
        self.pictures_seen += len(images)
        rows = []
        for picture in images:
            pixels = np.asarray(picture, np.float32) / 255
            corner = tuple((pixels.mean(axis=(0, 1)) > 0.5).astype(int).tolist())
            noise = self._vector(4, int(np.asarray(picture, np.int64).sum()))
            rows.append(self._seen(CORNERS.index(corner)) + noise + 2 * self._vector(3))
        return F.normalize(torch.stack(rows), dim=1)

    def _seen(self, colour: int) -> Tensor:
        return self._meaning(colour)


class Ignorant(Knowing):
    """Pictures of one colour lie together, and no word lies with them."""

    def _seen(self, colour: int) -> Tensor:
        return self._vector(5, colour)


CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def small_clip(folder: Path) -> Path:
    """A folder with the config of a small CLIP, as open_clip's published weights have it."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"}
    text = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": recipe})
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    return folder
