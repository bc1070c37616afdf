"""Methods and networks for tests of measures of maps: their maps, scores and probabilities can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from neuro_explain.methods.saliency import Method, Saliency
from neuro_explain.targets import Target


def fixed(
    maps: Tensor | Callable[[nn.Module, Tensor, Sequence[Target]], Tensor], title: str = "fixed"
) -> Method:
    """A method whose map is this one, `[h, w]` for every image, or what a function makes, `[N, h, w]`."""

    def run(net: nn.Module, images: Tensor, targets: Sequence[Target], *, layer: str) -> Saliency:
        made = (
            maps.expand(len(images), *maps.shape) if isinstance(maps, Tensor) else maps(net, images, targets)
        )
        return Saliency(made.double(), torch.zeros(len(images)), notes=(f"made by {title}",))

    return Method(title, title, run, False, "this test")


class Linear(nn.Module):
    """Scores (Σ w · image, 0): the first class's probability is the sigmoid of the sum."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        score = (images * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], dim=1)
