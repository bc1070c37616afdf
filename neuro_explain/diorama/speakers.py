"""The networks that speak of the diorama: what they are made of.

A captioner and two networks that answer questions, after those of the Grad-CAM paper's Sec. 8: an LSTM that is shown
the image once (Show and Tell), the product of an LSTM's question and a normalised image feature (Lu et al. 2015), and
hierarchical co-attention (Lu et al. 2016). All three see through the same residual image tower: a unit for everything
in `told.SEEN` and one for the middles of things, 16 × 16 cells for a picture of 128 × 128, whose values are
probabilities, as those of `networks.SceneNet`.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from neuro_explain.diorama.networks import AFTER_LOGITS, Doubt
from neuro_explain.diorama.told import CELLS, CENTRE, SEEN
from neuro_explain.language.coattention import CoAttentionVqa
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell

UNITS = CENTRE + 1
_OBJECTS = [unit for unit, concept in enumerate(SEEN) if concept.category == "object"]


def trunk_logits(trunk: nn.Sequential, images: Tensor) -> Tensor:
    """The units' logits `[N, units, 16, 16]`, before they become probabilities."""
    seen: Tensor = trunk[:-AFTER_LOGITS](images)
    return seen


class Coordinates(nn.Module):
    """Adds two channels that say where a pixel is: across and down, −1 to 1."""

    def forward(self, images: Tensor) -> Tensor:
        """`[N, C, h, w]` to `[N, C + 2, h, w]`."""
        h, w = images.shape[2:]
        down = torch.linspace(-1, 1, h).view(1, 1, h, 1).expand(len(images), 1, h, w)
        across = torch.linspace(-1, 1, w).view(1, 1, 1, w).expand(len(images), 1, h, w)
        return torch.cat([images, across.to(images), down.to(images)], dim=1)


class Block(nn.Module):
    """Two convolutions and a shortcut around them (He et al. 2016); `reach` 2 leaves out every second pixel."""

    def __init__(self, before: int, after: int, stride: int = 1, *, reach: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=reach, dilation=reach, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=reach, dilation=reach, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.skip = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, before, h, w]` to `[N, after, h / stride, w / stride]`."""
        residual = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(residual + self.skip(x))


def residual_trunk(units: int = UNITS) -> nn.Sequential:
    """A residual network that knows where it looks, down to its rectified map; its last part is called `units`.

    It sees 105 × 105 pixels around each cell.
    """
    return nn.Sequential(
        OrderedDict(
            coordinates=Coordinates(),
            conv=nn.Conv2d(5, 24, 5, 2, padding=2, bias=False),
            norm=nn.BatchNorm2d(24),
            relu=nn.ReLU(inplace=True),
            block1=Block(24, 48, 2),
            block2=Block(48, 96, 2),
            block3=Block(96, 128, reach=2),
            last=nn.Conv2d(128, units, 1, bias=False),
            last_norm=nn.BatchNorm2d(units),
            probability=nn.Sigmoid(),
            doubt=Doubt(),
            units=nn.ReLU(inplace=True),
        )
    )


class Bound(nn.Module):
    """A fully connected layer over a map, factorised: first what goes together in a cell, then where it counts.

        x[b, j] = ReLU(Σ_z W_where[j, z] · ReLU(Σ_u W_bind[b, u] A[u, z])), standardised over the scenes

    It begins as sums over the map and as sums that count more to the right: of each unit by itself, then of each kind
    of object in the middles of things (which is their number).

    Args:
        bind: how many combinations of units, at least one for each unit.
    """

    def __init__(self, bind: int = 336) -> None:
        super().__init__()
        self.bind = nn.Conv2d(UNITS, bind, 1)
        self.where = nn.Linear(CELLS**2, 2)
        self.norm = nn.BatchNorm1d(2 * bind)
        self.size = 2 * bind
        together = torch.zeros(bind)
        together[UNITS : UNITS + len(_OBJECTS)] = -1.0  # both must be there
        with torch.no_grad():
            self.bind.weight.mul_(0.1)
            for unit in range(UNITS):
                self.bind.weight[unit, unit] += 1.0
            for row, unit in enumerate(_OBJECTS[: bind - UNITS], start=UNITS):
                self.bind.weight[row, [unit, CENTRE]] += 1.0
            self.bind.load_state_dict({"weight": self.bind.weight, "bias": together})
            across = torch.linspace(0, 1, CELLS).expand(CELLS, CELLS)
            self.where.weight.copy_(torch.stack([torch.ones(CELLS**2), across.flatten()]) / CELLS)
            self.where.bias.zero_()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps `[N, units, 16, 16]` to features `[N, 2 · bind]`."""
        features = torch.relu(self.where(torch.relu(self.bind(maps)).flatten(2)))
        standardised: Tensor = self.norm(features.flatten(1))
        return standardised


def captioning_net(words: int) -> ShowAndTell:
    """The captioner's network; `cnn.features` is its image tower."""
    bound = Bound()
    cnn = OrderedDict(
        features=residual_trunk(), fc=bound, encoding=nn.Linear(bound.size, 128), relu=nn.ReLU(inplace=True)
    )
    return ShowAndTell(nn.Sequential(cnn), LanguageModel(words, 128, 192, dropout=0.1))


def product_net(words: int, answers: int) -> LstmCnnVqa:
    """The network that multiplies question and image; `cnn.features` is its image tower.

    A product of two small numbers is next to nothing, and nothing is what it would learn from: words, questions and
    the normalised feature begin with values of the order of 1. The image's side of the product begins with a number
    for each unit and one for the place of each kind of object, and a question has to learn which it is about.
    """
    bound = Bound()
    net = LstmCnnVqa(
        nn.Sequential(OrderedDict(features=residual_trunk(), fc=bound)),
        words=words,
        answers=answers,
        image_size=bound.size,
        embedding_size=64,
        rnn_size=128,
        layers=1,
        common_size=UNITS + len(_OBJECTS),
    )
    image = net.multimodal_net.image.weight
    nn.init.normal_(net.embedding_net_q.linear.weight, std=1.0)
    nn.init.normal_(net.encoder_net_q.get_parameter("i2h_1.weight"), std=64**-0.5)
    nn.init.normal_(net.multimodal_net.question.weight, std=128**-0.5)
    nn.init.normal_(image, std=0.3)
    own = 0.5 * bound.size**0.5  # the feature's norm is 1, so its numbers are of the order of 1 / √size
    with torch.no_grad():
        for unit in range(UNITS):
            image[unit, 2 * unit] += own
        for row, unit in enumerate(_OBJECTS, start=UNITS):
            image[row, 2 * unit + 1] += own
            image[row, 2 * unit] -= own / 2
    return net


def attending_net(words: int, answers: int) -> CoAttentionVqa:
    """The co-attention network; `cnn.features` is its image tower. Behind it each cell is told where it is."""
    cnn = nn.Sequential(OrderedDict(features=residual_trunk(), where=Coordinates()))
    net = CoAttentionVqa(cnn, words=words, answers=answers, channels=UNITS + 2, size=96, last=192)
    nn.init.normal_(net.word_level.cnn.weight, std=1.0)  # most units are silent in a cell
    return net
