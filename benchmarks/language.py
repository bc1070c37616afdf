"""What does it cost to explain all words of a caption, as against one? Grad-CAM on VGG-16 with NeuralTalk2's LSTM.

    python -m benchmarks.language [--words 10] [--rounds 7] [--threads 2]

The network has the sizes of NeuralTalk2: VGG-16 down to fc7, 4096 → 512, an LSTM of 512 and 9,567 words; its weights
are random, the image is one of 224 × 224. The image and the decoder run once whatever is asked, and one batched
backward pass serves all words. Aim: at most 1.3 times the cost of one word.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.ratios import alternate, table
from neuro_explain.captioning import Captioner
from neuro_explain.gradcam import GradCAM, grad_cam
from neuro_explain.language.show_and_tell import LanguageModel, ShowAndTell
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.preprocess import Preprocess
from neuro_explain.targets import Target

WORDS = 9_567
SIZE = 512


class NeuralTalk(Captioner):
    """A captioner of NeuralTalk2's kind."""

    def encode(self, images: Tensor) -> Tensor:
        """Encodings `[N, 512]`."""
        return self.net.cnn(images)

    def logits(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        """Scores of what follows each token."""
        return self.net.lm(encoded, tokens)


def captioner() -> NeuralTalk:
    """The network with random weights."""
    vgg = torchvision.models.vgg16(weights=None)
    cnn = nn.Sequential(
        OrderedDict(
            features=vgg.features,
            flat=nn.Flatten(),  # Caffe's VGG-16 has no average pooling here
            classifier=vgg.classifier[:5],  # down to the ReLU behind fc7
            encoding=nn.Linear(4096, SIZE),
            relu=nn.ReLU(),
        )
    )
    net = ShowAndTell(cnn, LanguageModel(WORDS, SIZE, SIZE)).eval()
    words = Vocabulary([f"w{number}" for number in range(WORDS)])
    return NeuralTalk(net, preprocess=Preprocess(), tower="cnn", vocabulary=words, start=WORDS, end=WORDS)


def main() -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=10, help="of the caption")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help="torch's own choice if not given")
    parser.add_argument("--profile", action="store_true", help="also which operations take how long")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    talker = captioner()
    image = torch.randn(1, 3, 224, 224)
    telling = talker.telling(talker.read(" ".join(f"w{7 * number}" for number in range(options.words))))
    words = [telling.word_target(word, str(word)) for word in range(options.words)]
    caption = telling.caption_target("caption")

    def explain(targets: list[Target]) -> GradCAM:
        return grad_cam(telling, image, [targets], layer=telling.layer)

    def inference() -> None:
        with torch.no_grad():
            telling(image)

    middle = words[len(words) // 2]
    base, ratios = alternate(
        lambda: explain([middle]),
        {
            "no word (inference alone)": inference,
            "the caption": lambda: explain([caption]),
            "all words": lambda: explain(words),
            "all words and the caption": lambda: explain([caption, *words]),
            "all words, one after the other": lambda: [explain([word]) for word in words],
        },
        options.rounds,
    )
    print(f"{talker.layer}, {options.words} words: one word {base:.3f} s, ratios to it (median, range)")
    print(table(ratios))
    if options.profile:
        from torch.profiler import ProfilerActivity, profile

        for label, targets in (("one word", [middle]), ("all words", words)):
            with profile(activities=[ProfilerActivity.CPU]) as seen:
                explain(targets)
            print(f"\n{label}\n{seen.key_averages().table(sort_by='self_cpu_time_total', row_limit=12)}")


if __name__ == "__main__":
    main()
