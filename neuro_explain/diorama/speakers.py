"""The networks that speak of the diorama: what they are made of.

A captioner and two networks that answer questions, after those of the Grad-CAM paper's Sec. 8: an LSTM that is shown
the image once (Show and Tell), the product of an LSTM's question and a normalised image feature (Lu et al. 2015), and
hierarchical co-attention (Lu et al. 2016). All three see through the same residual image tower: a unit for everything
in `told.SEEN` and one for the middles of things, 16 × 16 cells for a picture of 128 × 128, whose values are
probabilities, as those of `networks.SceneNet`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor, nn

from neuro_explain.diorama.habits import habits
from neuro_explain.diorama.networks import AFTER_LOGITS, Doubt
from neuro_explain.diorama.told import CENTRE, SEEN
from neuro_explain.diorama.words import KINDS, plural
from neuro_explain.language.coattention import CoAttentionVqa
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell

UNITS = CENTRE + 1
GROUPS = 34
"""Of kinds, see `groups_of_kinds`."""
MIXED = 4
"""Mixtures of the colours, and of the materials, that `Bound` begins with."""
PROPERTIES = 2 + 2 * MIXED
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
    """What is in the picture, and how: bilinear pooling (Lin et al. 2015) of a map.

    Its features are the mean of each unit, and, for G groups of kinds and each property t,

        F_gt = Σ_z ReLU(P A)_gz (Q [A, x])_tz / (1 + Σ_z ReLU(P A)_gz)

    the mean over the group's cells z, where x is the place across, −1 to 1; the first property, the middles of things,
    is summed instead, which gives the number of things. All are standardised over the scenes. Kinds that can be in one
    place begin in groups of their own; the properties begin as the middles, the place, and mixtures of the colours
    and of the materials.
    """

    def __init__(self) -> None:
        super().__init__()
        self.group = nn.Conv2d(UNITS, GROUPS, 1)
        self.property = nn.Conv2d(UNITS + 2, PROPERTIES, 1)
        self.where = Coordinates()
        self.size = UNITS + GROUPS * PROPERTIES
        self.norm = nn.BatchNorm1d(self.size)

    def begin(self) -> None:
        """Sets the weights that learning begins with, in place."""
        groups = groups_of_kinds()
        with torch.no_grad():
            for layer in (self.group, self.property):
                layer.weight.mul_(0.1)
                nn.init.zeros_(layer.get_parameter("bias"))
            for unit in _OBJECTS:
                self.group.weight[groups[SEEN[unit].name], unit] += 1.0
            self.property.weight[0, CENTRE] += 1.0
            self.property.weight[1, UNITS] += 1.0
            for first, category in ((2, "color"), (2 + MIXED, "material")):
                units = [unit for unit, concept in enumerate(SEEN) if concept.category == category]
                mixtures = nn.functional.normalize(torch.randn(len(units), MIXED), dim=1)
                self.property.weight[first : first + MIXED, units, 0, 0] += mixtures.T

    def forward(self, maps: Tensor) -> Tensor:
        """Maps `[N, units, 16, 16]` to features `[N, size]`."""
        amounts = maps.mean(
            (2, 3)
        )  # not the strongest cell: what explains an answer is every cell that shows it
        group = torch.relu(self.group(maps)).flatten(2)
        means = group @ self.property(self.where(maps)).flatten(2).transpose(1, 2)
        means = torch.cat([means[..., :1], means[..., 1:] / (1 + group.sum(2, keepdim=True))], dim=2)
        standardised: Tensor = self.norm(torch.cat([amounts, means.flatten(1)], dim=1))
        return standardised


def groups_of_kinds() -> dict[str, int]:
    """For each kind of object its group: none that can be in the same place as another of its group."""
    homes = {kind: {place for place, here in habits().counts.items() if kind in here} for kind in KINDS}
    near = {kind: {other for other in KINDS if homes[kind] & homes[other]} for kind in KINDS}
    groups: dict[str, int] = {}
    for kind in sorted(KINDS, key=lambda kind: (-len(near[kind]), kind)):
        taken = {groups[other] for other in near[kind] if other in groups}
        groups[kind] = next(number for number in count() if number not in taken)
    return groups


def captioning_net(words: int) -> ShowAndTell:
    """The captioner's network; `cnn.features` is its image tower."""
    bound = Bound()
    cnn = OrderedDict(
        features=residual_trunk(), fc=bound, encoding=nn.Linear(bound.size, 128), relu=nn.ReLU(inplace=True)
    )
    return ShowAndTell(nn.Sequential(cnn), LanguageModel(words, 128, 192, dropout=0.1))


def product_net(words: int, answers: int) -> LstmCnnVqa:
    """The network that multiplies question and image; `cnn.features` is its image tower."""
    bound = Bound()
    return LstmCnnVqa(
        nn.Sequential(OrderedDict(features=residual_trunk(), fc=bound)),
        words=words,
        answers=answers,
        image_size=bound.size,
        embedding_size=64,
        rnn_size=96,
        layers=1,
        common_size=512,
    )


def attending_net(words: int, answers: int) -> CoAttentionVqa:
    """The co-attention network; `cnn.features` is its image tower.

    Behind it each cell is told where it is, and four become one: the question attends to 8 × 8 cells.
    """
    cnn = OrderedDict(features=residual_trunk(), where=Coordinates(), pool=nn.MaxPool2d(2))
    return CoAttentionVqa(
        nn.Sequential(cnn), words=words, answers=answers, channels=UNITS + 2, size=96, last=192
    )


def begin(net: ShowAndTell | LstmCnnVqa | CoAttentionVqa, words: Sequence[str]) -> None:
    """Sets the weights that learning begins with where the usual ones would teach nothing, in place.

    A product of two small numbers is next to nothing, and nothing is what would be learned from: words, questions and
    the normalised feature begin with values of the order of 1, and each of the image's numbers in the product with
    one feature, so that a question has to learn which it is about. Where question and image attend to each other,
    a word begins as what the image shows where that is.

    Args:
        net: one of the three networks.
        words: of its questions; of captions, they are not needed.
    """
    if isinstance(net, CoAttentionVqa):
        _begin_to_attend(net, words)
        return
    bound = net.cnn.get_submodule("fc")
    assert isinstance(bound, Bound)
    bound.begin()
    if isinstance(net, LstmCnnVqa):
        state = net.multimodal_net.question.in_features // 2
        nn.init.normal_(net.embedding_net_q.linear.weight, std=1.0)
        nn.init.normal_(net.encoder_net_q.get_parameter("i2h_1.weight"), std=64**-0.5)
        nn.init.normal_(net.multimodal_net.question.weight, std=state**-0.5)
        image = net.multimodal_net.image.weight
        nn.init.normal_(image, std=0.3)
        with torch.no_grad():
            for row, feature in enumerate([*_OBJECTS, *range(UNITS, bound.size)]):
                # the feature's norm is 1, so its numbers are of the order of 1 / √size
                image[row, feature] += 0.5 * bound.size**0.5


def _begin_to_attend(net: CoAttentionVqa, words: Sequence[str]) -> None:
    level = net.word_level
    size = level.cnn.out_features
    nn.init.normal_(level.cnn.weight, std=size**-0.5 * 4)  # most units are silent in a cell
    nn.init.zeros_(level.cnn.bias)
    asked = torch.randn(size) / size**0.5 * 4
    with torch.no_grad():
        level.lookup_table.weight.normal_(std=size**-0.5 * 4)
        for unit, concept in enumerate(SEEN):
            name = concept.name.split()[-1]
            for number, word in enumerate(words):
                if word in (name, plural(name)):
                    level.lookup_table.weight[number] = level.cnn.weight[:, unit] + asked
        for part in (level.atten, net.phrase_level.atten, net.ques_level.atten):
            part.correlate.weight.mul_(0.1).add_(torch.eye(size) / 4)
