"""Where are tokens made, so that gradients may be taken beside them?

    with outside_inference_mode():
        tokens = torch.tensor([[0, 4, 2]])

A tensor that is made under `torch.inference_mode` cannot be kept for a backward pass, also one of whole numbers.
Captions and questions are explained there too, so their tokens are made outside of it, as `gradcam` runs the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def outside_inference_mode() -> Iterator[None]:
    """Leaves inference mode for as long, if it is on; gradients stay off then."""
    if not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(False), torch.no_grad():
        yield
