"""Are these the weights that the names were made with? A hash of a network's weights says so.

Hashed are the floating-point weights and buffers as float32, in the order of their names, with the
prefixes that wrappers add removed. So a compiled, DataParallel or float64 copy has the same fingerprint,
and a retrained, pruned or half-precision one has another.
"""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from dissection.recording import plain_name, unwrap


def weights_fingerprint(net: nn.Module) -> str:
    """`sha256:` and 64 hexadecimal digits for the weights of `net`."""
    digest = hashlib.sha256()
    # Pairs and no dict: "module.w" and "w" of one network are the same without prefix, and both count.
    state = [(plain_name(name), tensor) for name, tensor in unwrap(net).state_dict().items()]
    for name, tensor in sorted(state, key=lambda pair: pair[0]):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue  # counters such as num_batches_tracked change nothing in what the network computes
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
    return f"sha256:{digest.hexdigest()}"
