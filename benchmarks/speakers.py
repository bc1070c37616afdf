"""How good are the networks that speak of the diorama, on scenes that they have never seen?

    python -m benchmarks.speakers [--seed 2003] [--scenes 2000]

Answers: the share that is right, per kind of question, beside a network that was trained on the questions alone (its
figures stand on the card, made by the training script). Captions: BLEU-4 and CIDEr against the scene's own captions, by
pycocoevalcap, and recall: of the kinds of object that these captions name, the share that the network's caption names.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from PIL import Image
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider

from neuro_explain.captioning import Captioner
from neuro_explain.diorama.learning import Asked, accuracies
from neuro_explain.diorama.looks import named
from neuro_explain.diorama.told import Told, tell_scenes
from neuro_explain.diorama.train_speakers import look
from neuro_explain.diorama.words import KINDS, plural
from neuro_explain.recipes.diorama_speakers import ANSWERERS, card
from neuro_explain.zoo import load_answerer, load_captioner

KIND_OF = {form: kind for kind in KINDS for form in (kind, plural(kind), named(kind))}


def kinds_named(text: str) -> set[str]:
    """The kinds of object that a caption names, longest names first ("street lamp" is no lamp)."""
    found, rest = set(), f" {text} "
    for form in sorted(KIND_OF, key=len, reverse=True):
        if f" {form} " in rest:
            found.add(KIND_OF[form])
            rest = rest.replace(f" {form} ", " · ")
    return found


def caption_figures(captioner: Captioner, told: Told, *, beams: int) -> dict[str, float]:
    """BLEU-4, CIDEr, and recall of objects, of the network's captions."""
    said, references = {}, {}
    recalls = []
    for number, (pixels, captions) in enumerate(zip(told.images, told.captions, strict=True)):
        text = str(captioner.caption(Image.fromarray(pixels), beams=beams)[0].text)
        said[number], references[number] = [text], [one.text for one in captions]
        wanted = set().union(*(kinds_named(one.text) for one in captions))
        main = kinds_named(captions[0].text) or wanted  # the first caption names the main objects
        if main:
            recalls.append(len(main & kinds_named(text)) / len(main))
    bleu, _ = Bleu(4).compute_score(references, said, verbose=0)
    cider, _ = Cider().compute_score(references, said)
    return {"BLEU-4": bleu[3], "CIDEr": float(cider), "recall": float(np.mean(recalls))}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=2003)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--beams", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    told = tell_scenes(options.seed, range(options.scenes))
    blind = card(ANSWERERS[0])["question_only"]
    shares = {}
    for name in ANSWERERS:
        answerer = load_answerer(name)
        maps = look(answerer.tower.net, told.images, progress=False)
        shares[name] = accuracies(
            answerer.net,
            maps,
            Asked.of(told.questions, answerer.vocabulary.words, answerer.answers),
        )
    questions = sum(len(asked) for asked in told.questions)
    print(
        f"{questions:,} questions about {options.scenes:,} scenes of world {options.seed}: share answered right"
    )
    print(f"{'':12}{'question only':>16}" + "".join(f"{name:>26}" for name in ANSWERERS))
    for kind in blind:
        print(f"{kind:12}{blind[kind]:16.1%}" + "".join(f"{shares[name][kind]:26.1%}" for name in ANSWERERS))
    start = time.monotonic()
    figures = caption_figures(load_captioner("diorama-captioner"), told, beams=options.beams)
    print(
        f"captions of diorama-captioner, {options.beams} beams: "
        + ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
        + f" ({(time.monotonic() - start) / options.scenes * 1000:.0f} ms per image)"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
