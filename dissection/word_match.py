"""Which word describes what a unit fires on? CLIP-Dissect's soft weighted pointwise mutual information (SoftWPMI).

    probability = word_probability(images, words)        # p(t|x): how well each word fits each image, [N, W]
    order = strongest(activation, top_images(len(images)))   # B_k: the images on which each unit fires most, [K, U]
    fit = log_fit(probability, order)                    # log E[p(t|B_k)], [U, W]
    score = soft_wpmi(fit)                               # log E[p(t|B_k)] - lambda · log p(t), [U, W]

Oikarinen and Weng, *CLIP-Dissect* (ICLR 2023), Sec. 3: P = I · T', the cosines of image and word embeddings; q_k, a
unit's activations averaged over positions, one number per image; the name is the word with the largest similarity of
q_k and P. Of its five similarities this is SoftWPMI, the one that the authors take by default:

    p(t|x)         = softmax over words of a · P                                       a = 10
    p(x in B_k)    = 0.998 for the first image, falling by equal steps towards 0.97    K = 100, others 0
    log E[p(t|B_k)] = sum over x of log(1 + p(x in B_k) · (p(t|x) - 1))
    p(t)           = mean over units of E[p(t|B_k)]
    SoftWPMI(t, k) = log E[p(t|B_k)] - lambda · log p(t)                               lambda = 1

These constants are the defaults of `soft_wpmi` in the authors' program (Trustworthy-ML-Lab/CLIP-dissect,
`similarity.py`), whose `describe_neurons.py` takes this similarity if no other is asked for. There 1e-7 is added inside
of the logarithm; here nothing is, since 1 - p(x in B_k) keeps its argument at 0.002 or above. The program takes K = 100
whatever the number of images, which are ten thousand and more in the paper. On fewer, K is a tenth of them here: the
hundred strongest of two hundred would be half of all.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOP = 100
SHARPNESS = 10.0
LAMBDA = 1.0
FIRST, LAST = 0.998, 0.97
_CELLS = 1 << 18  # of a table that is worked on at a time: 1 MiB, which stays near the processor


def top_images(images: int, top: int = TOP) -> int:
    """K for so many images: `top`, but at most a tenth of them, and at least one."""
    return max(1, min(top, images // 10))


def word_probability(images: Tensor, words: Tensor, *, sharpness: float = SHARPNESS) -> Tensor:
    """p(t|x), float32 `[N, W]`, of embeddings of length 1, `[N, D]` and `[W, D]`."""
    return (sharpness * (images.float() @ words.float().T)).softmax(dim=1)


def strongest(activation: Tensor, top: int, *, seed: int = 0) -> Tensor:
    """The `top` images on which each unit fires most, strongest first, `[K, U]`.

    Ties go by lot, each unit's own: where many images leave a unit at zero, their order in the folder would make a
    set of its own, and a folder is sorted by class.

    Args:
        activation: `[N, U]`.
        top: K, at most N.
        seed: of the lots.
    """
    if not 1 <= top <= len(activation):
        raise ValueError(f"top: expected 1 to {len(activation)}, the number of images, got {top}")
    generator = torch.Generator().manual_seed(seed)
    values = activation.cpu()
    # Unit by unit: a table of lots for all of them would be another [N, U], and sorting it several more.
    columns = []
    for unit in range(values.shape[1]):
        lots = torch.randperm(len(values), generator=generator)
        columns.append(lots[values[lots, unit].argsort(descending=True, stable=True)[:top]])
    return torch.stack(columns, dim=1) if columns else torch.zeros(top, 0, dtype=torch.int64)


def memberships(top: int) -> Tensor:
    """p(x in B_k) of the image of each rank, float64 `[K]`."""
    return FIRST - (FIRST - LAST) * torch.arange(top, dtype=torch.float64) / top


def log_fit(probability: Tensor, order: Tensor) -> Tensor:
    """log E[p(t|B_k)], float32 `[U, W]`.

    Args:
        probability: p(t|x), `[N, W]`.
        order: images by rank, `[K, U]`; a column may stand for a unit or for a draw of images.
    """
    top, units = order.shape
    member = memberships(top)
    share, rest = (one.float().to(probability.device)[:, None, None] for one in (member, 1 - member))
    fit = probability.new_empty(units, probability.shape[1])
    words = max(1, min(probability.shape[1], _CELLS // top))
    at_once = max(1, _CELLS // (top * words))
    for first in range(0, probability.shape[1], words):
        part = probability[:, first : first + words]
        for unit in range(0, units, at_once):
            chosen = part[order[:, unit : unit + at_once].to(part.device)]  # [K, u, w]
            fit[unit : unit + at_once, first : first + words] = (
                chosen.mul_(share).add_(rest).log_().sum(dim=0)
            )
    return fit


def soft_wpmi(fit: Tensor, *, lam: float = LAMBDA) -> Tensor:
    """SoftWPMI of every unit and word, `[U, W]`, from `log_fit` of all units together."""
    return fit - lam * (fit.logsumexp(dim=0) - math.log(max(1, len(fit))))
