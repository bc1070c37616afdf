"""Does a network that answers real questions get sensible names and reasons? LSTM × CNN on easy-VQA.

    python -m benchmarks.easy_vqa --out runs/easy-vqa [--epochs 12] [--seed 0]

The package `easy-vqa` (Victor Zhou, MIT licence) holds 5,000 pictures of 64 × 64 pixels with one coloured shape each,
and 48,248 questions about them, cut into training and test. The network is `LstmCnnVqa` with a small CNN. Printed is
its accuracy on the test questions, and that of the same network that never sees a picture: what the questions alone
give away.

Then its units are named on the test pictures, whose masks follow from their pixels, and one test question of each kind
is explained. DIR gets

| folder | holds |
|---|---|
| `shapes/`, `colors/` | the concept sets, in the layout of `folder:` |
| `dissection/` | the names of the units, and their page |
| `yes-no/`, `shape/`, `color/` | the explanations, and their pages |
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import easy_vqa
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dissection.artifact import write_csv
from dissection.writers.folder import check_new, new_folder, save_png
from neuro_explain.diorama.train import to_input
from neuro_explain.explain_answer import explain_answer
from neuro_explain.language.lstm_cnn import PAD, LstmCnnVqa
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.names import dissect, open_concepts
from neuro_explain.preprocess import Preprocess
from neuro_explain.report import write_report
from neuro_explain.vqa import QuestionAnswerer

SIZE = 64
PREPROCESS = Preprocess((SIZE, SIZE), resize=SIZE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
SHAPES = ("circle", "rectangle", "triangle")
COLORS = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}
KINDS = ("yes-no", "shape", "color")
# (channels, kernel, stride) of each convolution. Together they see 41 × 41 pixels, more than the largest shape.
_STAGES = ((24, 5, 2), (32, 3, 2), (48, 3, 1), (64, 3, 2), (96, 3, 1))
# A color covers about one hundredth of all pixels; a unit may be active as often.
_QUANTILE = 0.01


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test part: N pictures, M questions about them, sorted by picture.

    Attributes:
        images: uint8 `[N, 64, 64, 3]`.
        questions: the M texts.
        answers: their numbers in `easy_vqa.get_answers()`, `[M]`.
        first: where each picture's questions begin, and the end of the last, `[N + 1]`.
    """

    images: NDArray[np.uint8]
    questions: tuple[str, ...]
    answers: Tensor
    first: Tensor


def load(name: Literal["train", "test"], *, images: int | None = None) -> Part:
    """A part of the set as the package gives it, or its first pictures."""
    paths = {"train": easy_vqa.get_train_image_paths, "test": easy_vqa.get_test_image_paths}[name]()
    asked = {"train": easy_vqa.get_train_questions, "test": easy_vqa.get_test_questions}[name]()
    numbers = {answer: number for number, answer in enumerate(easy_vqa.get_answers())}
    ids = sorted(paths)[:images]
    of: dict[int, list[tuple[str, int]]] = {identity: [] for identity in ids}
    for text, answer, identity in zip(*asked, strict=True):
        if identity in of:
            of[identity].append((text, numbers[answer]))
    return Part(
        np.stack([np.asarray(Image.open(paths[identity]).convert("RGB")) for identity in ids]),
        tuple(text for identity in ids for text, _ in of[identity]),
        torch.tensor([answer for identity in ids for _, answer in of[identity]]),
        torch.tensor([0, *(len(of[identity]) for identity in ids)]).cumsum(0),
    )


def words_of(question: str) -> list[str]:
    """The question's words, as `Vocabulary` cuts them."""
    return question.lower().replace("?", "").split()


def kind_of(answer: str) -> str:
    """Which of `KINDS` a question is, by its answer."""
    return "yes-no" if answer in ("yes", "no") else "shape" if answer in SHAPES else "color"


def make_net(words: int, *, seed: int = 0) -> LstmCnnVqa:
    """The untrained network, whose `cnn` ends in a map of 96 × 8 × 8, its maxima and a vector of 128."""
    torch.manual_seed(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for number, (width, kernel, stride) in enumerate(_STAGES, 1):
        layers[f"conv{number}"] = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        channels = width
    # the maximum, not the mean: a small shape counts as much as a large one
    layers |= {"pool": nn.AdaptiveMaxPool2d(1), "flat": nn.Flatten()}
    layers |= {"dense": nn.Linear(channels, 128), "relu": nn.ReLU(inplace=True)}
    net = LstmCnnVqa(
        nn.Sequential(layers),
        words=words,
        answers=len(easy_vqa.get_answers()),
        image_size=128,
        embedding_size=32,
        rnn_size=64,
        layers=1,
        common_size=128,
    )
    # Image features have length 1 and question vectors are short: with weights of the usual size their product is
    # next to nothing, and answers of yes and no are learned very late.
    nn.init.normal_(net.multimodal_net.image.weight)
    nn.init.normal_(net.multimodal_net.question.weight, std=0.5)
    return net


class Asker:
    """Puts the questions about pictures to a network, all those about one picture with one look at it.

    Args:
        net: the network.
        part: pictures and questions.
        vocabulary: the questions' words.
        blind: show it nothing: pictures of zeros.
    """

    def __init__(self, net: LstmCnnVqa, part: Part, vocabulary: Vocabulary, *, blind: bool = False) -> None:
        self.net, self.part, self.blind = net, part, blind
        texts = sorted(set(part.questions))
        number = {text: at for at, text in enumerate(texts)}
        self._question = torch.tensor([number[text] for text in part.questions])
        read = [torch.tensor(vocabulary.read(text).tokens) for text in texts]
        self._tokens = torch.full((len(read), max(map(len, read))), PAD)
        for row, tokens in zip(self._tokens, read, strict=True):
            row[-len(tokens) :] = tokens

    def ask(self, pictures: Tensor, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
        """Scores `[m, A]` of the m questions about the pictures of these numbers, and the questions' places."""
        first = self.part.first
        places = torch.cat([torch.arange(int(first[one]), int(first[one + 1])) for one in pictures])
        whose = torch.repeat_interleave(torch.arange(len(pictures)), first[pictures + 1] - first[pictures])
        images = to_input(self.part.images[pictures.numpy()])
        if self.blind:
            images = torch.zeros_like(images[:1])  # one stands for all, since they are alike
            whose = torch.zeros_like(whose)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.net.training):
            feature = self.net.cnn(images.flip(3) if mirrored else images).float()
        asked, which = self._question[places].unique(return_inverse=True)  # there are but about a hundred
        return self.net.answer(self.net.encode_question(self._tokens[asked])[which], feature[whose]), places

    def train(self, *, epochs: int, seed: int = 0, rate: float = 1e-2, batch: int = 64) -> None:
        """Trains the network, which is in eval mode afterwards; its CNN at a third of the rate."""
        language = (self.net.embedding_net_q, self.net.encoder_net_q, self.net.multimodal_net)
        groups = [
            {"params": list(self.net.cnn.parameters())},
            {"params": [weight for part in language for weight in part.parameters()]},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
        count = len(self.part.images)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [rate / 3, rate], epochs=epochs, steps_per_epoch=-(-count // batch)
        )
        generator = torch.Generator().manual_seed(seed)
        self.net.train()
        for _ in range(epochs):
            for pictures in torch.randperm(count, generator=generator).split(batch):
                # no question is about left or right
                mirrored = bool(torch.rand((), generator=generator) < 0.5)
                scores, places = self.ask(pictures, mirrored=mirrored)
                loss = nn.functional.cross_entropy(scores, self.part.answers[places])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
        self.net.eval()

    def accuracy(self) -> dict[str, float]:
        """Share of right answers, over all questions ("all") and over each kind of them."""
        self.net.eval()
        right = torch.zeros(len(self.part.questions), dtype=torch.bool)
        with torch.inference_mode():
            for pictures in torch.arange(len(self.part.images)).split(128):
                scores, places = self.ask(pictures)
                right[places] = scores.argmax(1) == self.part.answers[places]
        answers = easy_vqa.get_answers()
        kinds = np.array([kind_of(answers[number]) for number in self.part.answers.tolist()])
        shares = {"all": float(right.float().mean())}
        for kind in KINDS:
            those = torch.from_numpy(kinds == kind)
            shares[kind] = float(right[those].float().mean()) if bool(those.any()) else float("nan")
        return shares


def look(image: NDArray[np.uint8]) -> tuple[str, str, NDArray[np.bool_]]:
    """Shape, color and mask `[64, 64]` of a picture's one shape, from its pixels `[64, 64, 3]`.

    The edge is smoothed: what share of a pixel the shape covers shows in its color, and a pixel belongs to it from one
    half on. A triangle lies mostly in its lower half; of width times height a rectangle covers all, a circle π/4.

    Raises:
        ValueError: no pixel has one of the colors.
    """
    counts = {name: int((image == COLORS[name]).all(2).sum()) for name in COLORS}
    color = max(counts, key=counts.__getitem__)
    if not counts[color]:
        raise ValueError(f"the picture has no pixel of {', '.join(COLORS)}")
    packed, often = np.unique(image @ np.array([1 << 16, 1 << 8, 1]), return_counts=True)
    ground = packed[often.argmax()] >> np.array([16, 8, 0]) & 255
    way = np.array(COLORS[color]) - ground
    cover = np.clip((image - ground) @ way / (way @ way), 0, 1)
    mask = cover >= 0.5
    rows = np.flatnonzero(mask.any(1))
    if (
        mask[: (rows[0] + rows[-1] + 1) // 2].sum() < 3 / 8 * mask.sum()
    ):  # of a triangle it is 1/4, of others 1/2
        return "triangle", color, mask
    share = cover.sum() / cover.sum(0).max() / cover.sum(1).max()
    return "rectangle" if share > (1 + np.pi / 4) / 2 else "circle", color, mask


def write_concepts(images: NDArray[np.uint8], folder: Path, category: Literal["shape", "color"]) -> None:
    """Writes the pictures with masks of their shapes, or colors, as a new `folder:` concept set."""
    names = SHAPES if category == "shape" else tuple(COLORS)
    with new_folder(folder) as draft:
        (draft / "images").mkdir()
        (draft / "masks").mkdir()
        rows = [{"value": one, "name": name, "category": category} for one, name in enumerate(names, 1)]
        write_csv(draft / "labels.csv", rows)
        for number, image in enumerate(images):
            shape, color, mask = look(image)
            value = 1 + names.index(shape if category == "shape" else color)
            save_png(draft / f"images/{number:04}.png", image)
            save_png(draft / f"masks/{number:04}.png", np.where(mask, value, 0).astype(np.uint8))


class EasyAnswerer(QuestionAnswerer):
    """The trained network as one that `explain_answer` takes."""

    def scores(self, images: Tensor, question: Tensor) -> Tensor:
        """Scores of the answers `[N, A]`."""
        return self.net(images, question.expand(len(images), -1))


def explain(net: LstmCnnVqa, vocabulary: Vocabulary, test: Part, out: Path) -> dict[str, str]:
    """Names the units on the test pictures, and explains the first question of each kind that there is.

    Returns:
        For each kind the question, the answer, and why, for people.
    """
    answers = easy_vqa.get_answers()
    answerer = EasyAnswerer(
        net,
        preprocess=PREPROCESS,
        tower="cnn",
        vocabulary=vocabulary,
        answers=answers,
        name="easy-vqa",
        origin="trained by benchmarks.easy_vqa",
    )
    write_concepts(test.images, out / "shapes", "shape")
    write_concepts(test.images, out / "colors", "color")
    concepts = open_concepts([f"folder:{out / 'shapes'}", f"folder:{out / 'colors'}"])
    names = dissect(answerer.tower, concepts, quantile=_QUANTILE, label_size=SIZE)
    names.save(out / "dissection")
    write_report(out / "dissection")
    units = Counter(str(unit.concept.name) for unit in names if unit.concept is not None)
    listed = ", ".join(f"{count} {name}" for name, count in units.most_common())
    told = {"names": f"{names.named} of {len(names)} units have one: {listed}"}
    kinds = [kind_of(answers[number]) for number in test.answers.tolist()]
    for kind in KINDS:
        if kind not in kinds:
            continue
        place = kinds.index(kind)
        picture = int(torch.searchsorted(test.first, place, right=True)) - 1
        why = explain_answer(answerer, Image.fromarray(test.images[picture]), test.questions[place], names)
        why.save(out / kind)
        write_report(out / kind)
        right = answers[int(test.answers[place])]
        told[kind] = f"{test.questions[place]} {why.predictions[0].label} (right: {right}). {why.text}"
    return told


def main(arguments: list[str] | None = None) -> None:
    """Trains, prints accuracies, names the units, explains."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.easy_vqa",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="a new folder for names and pages")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first weights and the order of the pictures"
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--threads", type=int, default=1, help="so small a network gains nothing by a second one"
    )
    parser.add_argument("--images", type=int, help="only so many of the training and of the test pictures")
    options = parser.parse_args(arguments)
    check_new(options.out)
    torch.set_num_threads(options.threads)
    train, test = (load(part, images=options.images) for part in ("train", "test"))
    print(f"{len(train.questions):,} questions to learn from, {len(test.questions):,} to be tested with")
    # a question's words are those of the training part alone
    vocabulary = Vocabulary(sorted({word for text in train.questions for word in words_of(text)}))
    print(f"{'':<22}{'all':>8}" + "".join(f"{kind:>8}" for kind in KINDS))
    for name, blind in (("the question alone", True), ("question and picture", False)):
        start = time.perf_counter()
        net = make_net(len(vocabulary), seed=options.seed)
        Asker(net, train, vocabulary, blind=blind).train(epochs=options.epochs, seed=options.seed)
        shares = Asker(net, test, vocabulary, blind=blind).accuracy()
        took = time.perf_counter() - start
        print(
            f"{name:<22}" + "".join(f"{share:>8.2%}" for share in shares.values()) + f"   {took:.0f} s",
            flush=True,
        )
    start = time.perf_counter()
    for kind, text in explain(net, vocabulary, test, options.out).items():
        print(f"{kind}: {text}")
    print(f"named and explained in {time.perf_counter() - start:.0f} s: {options.out}")


if __name__ == "__main__":
    main()
