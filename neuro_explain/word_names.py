"""Names from any words, without a label on any image: CLIP says which word fits what a unit fires on.

    names = name_by_words(model, "photographs", open_words(["nouns.txt"]), clip=load_clip("ViT-B-32", weights=FILE))
    names[312].concept, names[312].score, names[312].q
    names.save("runs/resnet18/words")

Each image is seen by the network and by CLIP, each through its own preprocessing. A unit's activation is averaged over
positions; its name is the word with the largest SoftWPMI (`dissection.word_match`), if chance would hardly have given
as good a one (`dissection.word_chance`). There is no IoU: a word says what the image is of, not where the unit fires.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dissection.artifact import (
    MANIFEST,
    describe_run,
    new_artifact,
    read_arrays,
    read_artifact,
    read_csv,
    reading,
    write_csv,
    write_json,
)
from dissection.concepts import Concept
from dissection.fingerprint import weights_fingerprint
from dissection.names import MAX_Q, Names, UnitName, unit_row
from dissection.significance import out_of_reach
from dissection.word_chance import TURNS, WordChance, word_chance
from dissection.word_match import log_fit, soft_wpmi, strongest, top_images, word_probability
from neuro_explain.clip import Embedder
from neuro_explain.tower import Tower
from neuro_explain.word_activations import look
from neuro_explain.word_inputs import CATEGORY, Pictures, open_images, spoken

if TYPE_CHECKING:
    import pandas as pd

KIND = "word-names"
FEWEST = 20
"""Images below which there is nothing to say."""
_CANDIDATES = 5
_ARRAYS = ("candidates", "scores", "largest", "smallest")
_CHANCE = ("p", "q", "fit")


@dataclass(frozen=True)
class WordNames(Names):
    """Names that are words, and what they come from.

    Attributes (beside those of `Names`):
        model_name: for people.
        data_fingerprint: of the images.
        images: how many.
        words: the W words.
        clip, clip_fingerprint: which embeddings.
        template: what a word was put into.
        top: K, the images of a unit that count.
        candidates: numbers of each unit's best words, the best first, int32 `[U, M]`.
        scores: their SoftWPMI, float32 `[U, M]`.
        largest, smallest: of the unit's activation averaged over positions, float32 `[U]`; equal if it never changes.
        max_q: the false discovery rate that a name may have.
        chance: what it would have given; None if that was not asked.
    """

    model_name: str
    data_fingerprint: str
    images: int
    words: tuple[Concept, ...]
    clip: str
    clip_fingerprint: str
    template: str
    top: int
    candidates: NDArray[np.int32]
    scores: NDArray[np.float32]
    largest: NDArray[np.float32]
    smallest: NDArray[np.float32]
    max_q: float = MAX_Q
    chance: WordChance | None = None

    def _known(self) -> tuple[Concept, ...]:
        return self.words

    def to_frame(self) -> pd.DataFrame:
        """A row per unit with the columns of `units.csv`, indexed by unit."""
        frame = super().to_frame()
        rows = self._unit_rows()
        for column in ("score", "runner_up_score", "fit"):
            frame[column] = np.array([row[column] for row in rows], np.float64)
        return frame

    def _unit_rows(self) -> list[dict[str, object]]:
        rows = []
        for name, scores in zip(self.units, self.scores.tolist(), strict=True):
            has = name.best is not None
            row = unit_row(name)
            row["score"] = name.score
            row["runner_up_score"] = scores[1] if has else None
            row["fit"] = None if self.chance is None or not has else float(self.chance.fit[name.unit])
            rows.append(row)
        return rows

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        found = self.chance
        by_chance = None
        if found is not None:
            by_chance = {key: getattr(found, key) for key in ("draws", "turns", "seed", "smallest_q")}
        return {
            "units": len(self),
            "images": self.images,
            "named": self.named,
            "distinct": self.distinct,
            "words": len(self.words),
            "word_sets": list(self.concept_sets),
            "clip": self.clip,
            "clip_fingerprint": self.clip_fingerprint,
            "template": self.template,
            "top": self.top,
            "max_q": self.max_q,
            "never_change": int((self.largest == self.smallest).sum()),
            "chance": by_chance,
        }

    def save(
        self, folder: str | os.PathLike[str], *, overwrite: bool = False, command: list[str] | None = None
    ) -> Path:
        """Writes the artifact folder, whole or not at all.

        Raises:
            ArtifactError: an artifact is there and `overwrite` is not given.
        """
        options = {
            key: self.summary()[key] for key in ("word_sets", "clip", "template", "top", "max_q", "chance")
        }
        manifest = describe_run(
            KIND,
            model=self.model_name,
            layer=self.layer or "",
            weights_fingerprint=self.fingerprint,
            data_fingerprint=self.data_fingerprint,
            options=options,
            seed=0 if self.chance is None else self.chance.seed,
            command=command,
        )
        named = Counter(name.concept for name in self.units)
        with new_artifact(folder, manifest, overwrite=overwrite) as draft:
            write_json(draft / "summary.json", self.summary())
            write_csv(draft / "units.csv", self._unit_rows())
            words = [
                {"word": number, **asdict(word), "units": named[word]}
                for number, word in enumerate(self.words)
            ]
            write_csv(draft / "words.csv", words)
            arrays = {name: getattr(self, name) for name in _ARRAYS}
            if self.chance is not None:
                arrays |= {name: getattr(self.chance, name) for name in _CHANCE}
            np.savez_compressed(draft / "arrays.npz", **arrays)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> WordNames:
        """Reads an artifact folder back; names follow from its numbers.

        Raises:
            ArtifactError: not whole word names, or damaged.
        """
        path = Path(folder)
        manifest = read_artifact(path, KIND)
        with reading(path, "word names"):
            summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
            asked = summary["chance"]
            arrays = read_arrays(path, _ARRAYS)
            chance = None if asked is None else WordChance(**read_arrays(path, _CHANCE), **asked)
            words = tuple(Concept(row["name"], row["category"]) for row in read_csv(path / "words.csv"))
            return cls(
                units=_units(words, arrays, chance, summary["max_q"]),
                layer=manifest["layer"],
                fingerprint=manifest["weights_fingerprint"],
                source=path.name,
                concept_sets=tuple(summary["word_sets"]),
                quantile=None,
                min_iou=None,
                exemplars={},
                model_name=manifest["model"],
                data_fingerprint=manifest["data_fingerprint"],
                words=words,
                chance=chance,
                **{
                    key: summary[key]
                    for key in ("images", "clip", "clip_fingerprint", "template", "top", "max_q")
                },
                **arrays,
            )


def name_by_words(
    tower: Tower,
    images: Pictures | str,
    words: Sequence[Concept | str],
    *,
    clip: Embedder,
    template: str = "{}",
    top: int | None = None,
    max_q: float = MAX_Q,
    draws: int | None = None,
    turns: int = TURNS,
    seed: int = 0,
    batch_size: int = 32,
    workers: int = 2,
    word_sets: Sequence[str] = (),
    progress: bool | None = None,
) -> WordNames:
    """Names the units of the tower's layer by words.

    Args:
        tower: the network with its layer and preprocessing; a `Model` is one.
        images: what is shown to it, at least `FEWEST`: any `ConceptDataset`, or what `open_images` takes.
        words: at least two, different.
        clip: embeddings of images and words.
        template: the text that a word is put into, at `{}`: "a photo of a {}".
        top: K, the images of a unit that count; 100, but at most a tenth of them, if not given.
        max_q: the false discovery rate that a name may have; 1 names every unit that changes.
        draws, turns, seed: see `word_chance`; 0 draws do not ask what chance gives.
        batch_size: images per forward pass.
        workers: threads that read images.
        word_sets: where the words come from, for people.
        progress: whether to show a bar on the standard error; None shows one if that is a terminal.

    Raises:
        ValueError: too few images or words; a template without `{}`; a layer without maps; values that are not finite.
    """
    known = tuple(one if isinstance(one, Concept) else Concept(one, CATEGORY) for one in words)
    opened = open_images(images) if isinstance(images, str) else images
    _check(known, opened, template)
    if not 0 < max_q <= 1:
        raise ValueError(
            f"max_q: expected a false discovery rate above 0, up to 1, got {max_q}; 0.05 is usual"
        )
    if top is not None and not 1 <= top <= len(opened):
        raise ValueError(f"top: expected 1 to {len(opened)}, the number of images, got {top}")
    if seed < 0 or turns < 0 or turns == 1 or (draws is not None and (draws < 0 or draws == 1)):
        raise ValueError(
            "draws, turns, seed: expected 0 or at least 2 draws and turns, and a seed of 0 or more, got "
            f"{draws}, {turns} and {seed}"
        )
    texts = clip.embed_texts([template.replace("{}", spoken(word.name)) for word in known])
    activation, pictures = look(tower, opened, clip, batch_size, workers, progress)
    count = top_images(len(opened)) if top is None else top
    order = strongest(activation, count, seed=seed)
    score = soft_wpmi(log_fit(word_probability(pictures, texts), order))
    best = score.topk(min(_CANDIDATES, len(known)), dim=1)
    largest, smallest = (one.numpy() for one in (activation.amax(dim=0), activation.amin(dim=0)))
    chance = None
    if draws != 0:
        chance = word_chance(
            pictures,
            texts,
            order,
            best.indices[:, 0],
            tested=largest > smallest,
            draws=draws,
            turns=turns,
            seed=seed,
        )
    arrays: dict[str, Any] = {
        "candidates": best.indices.numpy().astype(np.int32),
        "scores": best.values.numpy(),
        "largest": largest,
        "smallest": smallest,
    }
    return WordNames(
        units=_units(known, arrays, chance, max_q),
        layer=tower.layer,
        fingerprint=weights_fingerprint(tower.net),
        source=f"the words for {tower.name}",
        concept_sets=tuple(word_sets),
        quantile=None,
        min_iou=None,
        exemplars={},
        model_name=tower.name,
        data_fingerprint=opened.fingerprint,
        images=len(opened),
        words=known,
        clip=clip.name,
        clip_fingerprint=clip.fingerprint,
        template=template,
        top=count,
        max_q=max_q,
        chance=chance,
        **arrays,
    )


def _check(words: tuple[Concept, ...], images: Pictures, template: str) -> None:
    if len(words) < 2 or len(set(words)) < len(words):
        raise ValueError(
            f"words: expected at least two, each once, got {len(words)}, {len(set(words))} different"
        )
    if len(images) < FEWEST:
        raise ValueError(
            f"images: expected at least {FEWEST}, of which some fit a word and some do not, got {len(images)}"
        )
    if "{}" not in template:
        raise ValueError(f"template: expected a text with {{}} where the word goes, got {template!r}")


def _units(
    words: tuple[Concept, ...], arrays: dict[str, NDArray[Any]], chance: WordChance | None, max_q: float
) -> tuple[UnitName, ...]:
    names = []
    for unit, (numbers, scores) in enumerate(
        zip(arrays["candidates"].tolist(), arrays["scores"].tolist(), strict=True)
    ):
        largest = float(arrays["largest"][unit])
        if largest == float(arrays["smallest"][unit]):
            names.append(UnitName(unit, None, note="dead" if largest <= 0 else "never changes"))
            continue
        p, q = (None, None) if chance is None else (float(chance.p[unit]), float(chance.q[unit]))
        best = words[numbers[0]]
        names.append(
            UnitName(
                unit,
                best if q is None or q <= max_q else None,
                best=best,
                runner_up=words[numbers[1]],
                p=p,
                q=q,
                score=scores[0],
            )
        )
    return tuple(names)


def is_word_names(folder: str | os.PathLike[str]) -> bool:
    """Whether the folder's manifest says that it holds such names; whether it is whole, `WordNames.load` says."""
    try:
        found = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def word_lines(names: WordNames) -> list[str]:
    """What came of it, as lines for a terminal."""
    lines = []
    if names.chance is not None:
        lines.append(
            f"what chance gives, from {names.chance.draws} draws of images and {names.chance.turns} turns of words; "
            f"smallest q that one unit alone can reach: {names.chance.smallest_q:.2g}"
        )
        tested = int((names.largest > names.smallest).sum())
        more = "draws or turns" if names.chance.turns else "draws"
        smallest = max(names.chance.smallest_q / max(1, tested), 1 / (1 + names.chance.draws))  # q ends at 1
        lines += out_of_reach(smallest, names.max_q, tested=tested, more=more)
    named = f"{names.named} of {len(names)} units named ({names.distinct} different names) from {names.images} images"
    return [*lines, f"{named} and {len(names.words)} words, by {names.clip}"]
