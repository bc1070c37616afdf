"""Captioners and answerers on the towers of the paper, and on `nn.LSTM`: layers, answers, words, alphas by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from small_nets import State
from torch import Tensor, nn

from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from dissection.names import Names, UnitName
from neuro_explain.captioning import Captioner
from neuro_explain.explain_answer import explain_answer
from neuro_explain.explain_caption import explain_caption
from neuro_explain.gradcam import grad_cam
from neuro_explain.language.lstm_cnn import LstmCnnVqa
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.preprocess import Preprocess
from neuro_explain.tower import Tower
from neuro_explain.vqa import QuestionAnswerer

# torchvision's name: layer, units, side of its map for 64 × 64 pixels
TOWERS = {
    "alexnet": ("features.11", 256, 3),
    "vgg16": ("features.29", 512, 4),
    "vgg19": ("features.35", 512, 4),
}
PREPROCESS = Preprocess((64, 64), resize=64)
WORDS = ("a", "cat", "dog", "sits", "on", "the", "mat", "is", "there")
ANSWERS = ("yes", "no", "cat", "dog", "mat")
CAPTION = "the dog sits on a mat"
END = len(WORDS)


class Teller(Captioner):
    def encode(self, images: Tensor) -> Tensor:
        return self.net.cnn(images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        return self.net.lm(encoded, tokens)


class Answerer(QuestionAnswerer):
    def scores(self, images: Tensor, question: Tensor) -> Tensor:
        return self.net(images, question.expand(len(images), -1))


class Encoder(nn.Module):
    """A network of torchvision, and NeuralTalk2's linear layer and ReLU behind it."""

    def __init__(self, seen: nn.Module, size: int) -> None:
        super().__init__()
        self.seen = seen
        self.encoding = nn.Linear(64, size)
        self.act = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return self.act(self.encoding(self.seen(images)))


def make_teller(net: nn.Module) -> Teller:
    return Teller(
        net, preprocess=PREPROCESS, tower="cnn", vocabulary=Vocabulary(WORDS), start=END, end=END, longest=8
    )


def make_answerer(net: nn.Module) -> Answerer:
    return Answerer(net, preprocess=PREPROCESS, tower="cnn", vocabulary=Vocabulary(WORDS), answers=ANSWERS)


@pytest.fixture(
    scope="module",
    params=["alexnet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg16", "vgg19"))],
)
def tower(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    """A network of torchvision down to fc7, with random weights; fc6 and fc7 are 64 wide instead of 4096."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = torchvision.models.get_model(request.param, weights=None)
    linear = next(layer for layer in net.classifier if isinstance(layer, nn.Linear))
    net.classifier = nn.Sequential(
        nn.Linear(linear.in_features, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, 64), nn.ReLU(True)
    )
    return request.param, net.eval()


def picture() -> Image.Image:
    small = np.random.default_rng(5).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((90, 72), Image.Resampling.BICUBIC)


def names_of(tower: Tower) -> Names:
    """Names for every other unit."""
    units = tuple(
        UnitName(
            unit=unit,
            concept=None if unit % 2 else Concept(f"thing {unit}", "object"),
            iou=0.1,
            best=Concept(f"thing {unit}", "object"),
            threshold=0.5,
        )
        for unit in range(tower.units)
    )
    return Names(units, tower.layer, weights_fingerprint(tower.net), "made up", ("made up",), 0.005, 0.05, {})


def state_of(net: nn.Module) -> list[object]:
    """What must be as before: the weights, modes, hooks, gradients. (`State` goes through every number.)"""
    modules = [(module.training, len(module._forward_hooks)) for module in net.modules()]
    weights = [(weight.requires_grad, weight.grad is None) for weight in net.parameters()]
    return [weights_fingerprint(net), modules, weights]


def alphas_by_hand(
    before: Callable[[Tensor], Tensor], behind: Callable[[Tensor], Tensor], image: Tensor
) -> Tensor:
    """Eq. 1 in the type of the image, one score after the other: `[T, U]` for the scores `[T]` of `behind`."""
    with torch.no_grad():
        maps = before(image)
    rows = []
    for score in range(len(behind(maps))):
        leaf = maps.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(behind(leaf)[score], leaf)
        rows.append(gradient[0].sum(dim=(1, 2)) / (gradient.shape[2] * gradient.shape[3]))
    return torch.stack(rows)


def assert_near(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    scale = wanted.abs().amax(dim=1)
    assert bool((scale > 0).all()), "an alpha of nothing but zeros shows nothing"
    for row, want, size in zip(found.double(), wanted, scale.tolist(), strict=True):
        # float32 has 7 digits; sums over thousands of terms, through some twenty layers, keep 4 of the largest
        torch.testing.assert_close(row, want, rtol=1e-3, atol=1e-4 * size)


def split(net: nn.Module, name: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """torchvision's forward pass in two, cut behind the last ReLU of the convolutions."""
    last = int(TOWERS[name][0].split(".")[1])
    return net.features[: last + 1], lambda maps: net.classifier(
        net.avgpool(net.features[last + 1 :](maps)).flatten(1)
    )


def test_words_of_a_caption_on_the_towers_of_the_paper(tower: tuple[str, nn.Module]) -> None:
    name, cnn = tower
    layer, units, side = TOWERS[name]
    torch.manual_seed(2)
    encoder = Encoder(cnn, 12)
    net = ShowAndTell(encoder, LanguageModel(len(WORDS), 12, 14))
    teller = make_teller(net)
    assert (teller.tower.layer, teller.tower.units) == (f"seen.{layer}", units)
    assert teller.tower.map_size == (side, side)
    assert teller.tower.layer_rectified
    assert teller.layer == f"cnn.seen.{layer}"

    state = state_of(net)
    why = explain_caption(teller, picture(), names_of(teller.tower), caption=CAPTION, draws=2)
    assert state_of(net) == state
    assert [word.text for word in why.asked.words] == CAPTION.split()

    image = teller.prepare(picture())
    telling = teller.telling(teller.read(CAPTION))
    targets = [telling.word_target(word, str(word)) for word in range(6)]
    together = grad_cam(telling, image, [targets], layer=telling.layer)
    alone = torch.stack(
        [grad_cam(telling, image, [[one]], layer=telling.layer).alpha[0, 0] for one in targets]
    )
    tokens = [WORDS.index(word) for word in CAPTION.split()]
    try:
        net.double()
        before, behind = split(cnn, name)

        def words(maps: Tensor) -> Tensor:
            encoding = torch.relu(encoder.encoding(behind(maps)))
            logits = net.lm(encoding, torch.tensor([[END, *tokens]]))[0]
            return torch.stack([logits[at].log_softmax(0)[token] for at, token in enumerate(tokens)])

        wanted = alphas_by_hand(before, words, image.double())
    finally:
        net.float()
    assert_near(together.alpha[0], wanted)
    assert_near(alone, wanted)
    for word in why.asked.words:
        evidence = why.targets[word.target]
        assert_near(torch.from_numpy(evidence.alpha)[None], wanted[word.target - 1 :][:1])


def test_answers_on_the_towers_of_the_paper(tower: tuple[str, nn.Module]) -> None:
    name, cnn = tower
    layer, units, side = TOWERS[name]
    torch.manual_seed(3)
    net = LstmCnnVqa(
        cnn, words=len(WORDS), answers=5, image_size=64, embedding_size=6, rnn_size=7, common_size=8
    ).eval()
    answerer = make_answerer(net)
    assert (answerer.tower.layer, answerer.tower.units) == (layer, units)
    assert answerer.tower.map_size == (side, side)
    assert answerer.layer == f"cnn.{layer}"

    question = "is there a cat on the mat?"
    state = state_of(net)
    why = explain_answer(answerer, picture(), question, names_of(answerer.tower), answer="dog", draws=2)
    assert state_of(net) == state
    assert why.asked.text == "dog"
    best = answerer.answer(picture(), question)
    assert [one.label for one in why.predictions] == [label for label, _ in best]

    image = answerer.prepare(picture())
    text = answerer.read(question)
    answering = answerer.answering(text)
    together = grad_cam(answering, image, [list(range(5))], layer=answering.layer)
    try:
        net.double()
        before, behind = split(cnn, name)
        asked = net.encode_question(torch.tensor([text.tokens]))

        def scores(maps: Tensor) -> Tensor:
            feature = behind(maps)
            return net.multimodal_net(asked, feature / feature.norm(dim=1, keepdim=True))[0]

        wanted = alphas_by_hand(before, scores, image.double())
    finally:
        net.float()
    assert_near(together.alpha[0], wanted)
    assert_near(torch.from_numpy(why.targets[0].alpha)[None], wanted[3:4])


class Recurrent(nn.Module):
    """A captioner on torch's own recurrent layers; the image is what comes before the first word."""

    def __init__(self, kind: type[nn.RNNBase], *, layers: int = 2) -> None:
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(3, 6, 5, stride=4), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU())
        self.squeeze = nn.Linear(8, 10)
        self.words = nn.Embedding(END + 1, 10)
        self.rnn = kind(10, 12, num_layers=layers, dropout=0.5, batch_first=True)
        self.decoder = nn.Linear(12, END + 1)

    def forward(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        first = self.squeeze(encoded.mean(dim=(2, 3)))[:, None]
        states, _ = self.rnn(torch.cat([first, self.words(tokens)], dim=1))
        return self.decoder(states[:, 1:])


class RecurrentTeller(Captioner):
    def encode(self, images: Tensor) -> Tensor:
        return self.net.cnn(images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        return self.net(encoded, tokens)


class PickyLSTM(nn.LSTM):
    """Refuses a backward pass in eval mode, as cuDNN does."""

    def forward(self, x: Tensor, state: Any = None) -> Any:
        found, last = super().forward(x, state)
        if not self.training and found.requires_grad:
            found.register_hook(refuse)
        return found, last


def refuse(gradient: Tensor) -> None:
    raise RuntimeError("cudnn RNN backward can only be called in training mode")


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, PickyLSTM])
@pytest.mark.parametrize("training", [False, True])
def test_torchs_own_recurrent_layers(kind: type[nn.RNNBase], training: bool, device: str) -> None:
    net = Recurrent(kind).train(training).to(device)
    teller = RecurrentTeller(
        net, preprocess=PREPROCESS, tower="cnn", vocabulary=Vocabulary(WORDS), start=END, end=END, longest=8
    )
    state = State(net)
    why = explain_caption(teller, picture(), names_of(teller.tower), caption=CAPTION, top=3, draws=2)
    state.assert_same()
    assert [module.training for module in net.modules()] == [training] * len(list(net.modules()))
    assert net.rnn.dropout == 0.5

    image = teller.prepare(picture()).double().cpu()
    tokens = [WORDS.index(word) for word in CAPTION.split()]
    wide = net.cpu().double().eval()
    wide.rnn.train().dropout = 0.0

    def words(maps: Tensor) -> Tensor:
        logits = wide(maps, torch.tensor([[END, *tokens]]))[0]
        return torch.stack([logits[at].log_softmax(0)[token] for at, token in enumerate(tokens)])

    wanted = alphas_by_hand(wide.cnn, words, image)
    found: list[Any] = [why.targets[word.target].alpha for word in why.asked.words]
    assert_near(torch.from_numpy(np.stack(found)), wanted)


def test_the_picky_lstm_is_picky() -> None:
    picky = PickyLSTM(2, 3, batch_first=True).eval()
    x = torch.randn(1, 4, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="only be called in training mode"):
        picky(x)[0].sum().backward()
