"""How is a study kept? Pages that are sent, and a key that is not, in one artifact.

    study = make_study(material, ratings=9, seed=0)
    study.save("runs/study")            # pages/rater-01.html, …; private/key.json
    key = load_key("runs/study")

A page is made of tokens, pictures and choices alone: another key gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dissection.artifact import describe_run, new_artifact, read_artifact, reading, write_json
from neuro_explain.study.assignment import assign
from neuro_explain.study.key import Key, Known, Placed
from neuro_explain.study.question import Material
from reports.draw import data_uri
from reports.survey_page import survey_page

KIND = "study"
PAGES = "pages"
KEY = "private/key.json"
RATINGS = 9
"""Of each question, as in the paper."""


@dataclass(frozen=True, eq=False)
class Study:
    """A study that was made.

    Attributes:
        material: its questions, with their pictures.
        key: what each rater is asked, and the answers.
        ratings: raters of each question.
        seed: of all that was left to chance.
    """

    material: Material
    key: Key
    ratings: int
    seed: int

    def page(self, rater: str) -> bytes:
        """The survey page of a rater."""
        return survey_page(
            study=self.key.study,
            rater=rater,
            task=self.key.task,
            questions=[self._shown(placed) for placed in self.key.sheets[rater]],
        )

    def _shown(self, placed: Placed) -> dict[str, Any]:
        """All that a page is told of a question; neither `truth` nor `method` nor `image` are among it."""
        question = self.material.questions[placed.question]
        way = -1 if placed.flipped else 1
        shown: dict[str, Any] = {
            "token": placed.token,
            "pictures": [data_uri(picture) for picture in question.pictures[::way]],
            "choices": list(question.choices[::way]),
        }
        # raters of trust are told what both networks say; raters of discrimination are asked for it
        return shown if question.choices else {**shown, "category": question.category}

    def save(
        self, folder: str | os.PathLike[str], *, overwrite: bool = False, command: list[str] | None = None
    ) -> Path:
        """Writes the artifact: a page for each rater, and the key; returns the folder of the pages.

        Raises:
            ArtifactError: an artifact is there and `overwrite` is not given.
        """
        networks = self.material.networks
        manifest = describe_run(
            KIND,
            model=" and ".join(network.name for network in networks),
            layer=" and ".join(network.layer for network in networks),
            weights_fingerprint=networks[0].fingerprint,
            data_fingerprint=self.material.fingerprint,
            options={
                **self.material.options,
                "task": self.key.task,
                "raters": len(self.key.sheets),
                "ratings": self.ratings,
                # the manifest itself has room for one
                **({"weights_fingerprints": [one.fingerprint for one in networks]} if networks[1:] else {}),
            },
            seed=self.seed,
            command=command,
        )
        with new_artifact(folder, manifest, overwrite=overwrite) as draft:
            for name in (PAGES, Path(KEY).parent):
                (draft / name).mkdir()
            for rater in self.key.sheets:
                (draft / PAGES / f"{rater}.html").write_bytes(self.page(rater))
            write_json(draft / KEY, self.key.to_dict())
        return Path(folder) / PAGES


def make_study(
    material: Material, *, ratings: int = RATINGS, raters: int | None = None, seed: int = 0
) -> Study:
    """Deals the questions to raters.

    Args:
        material: the questions.
        ratings: raters of each question.
        raters: how many there are; if not given, so many that none is shown a photograph twice.
        seed: of all that is left to chance.

    Raises:
        ValueError: see `assignment.assign`.
    """
    if raters is None:
        raters = ratings * max(Counter(question.image for question in material.questions).values())
    study = _identity(material, ratings, raters, seed)
    # by the pictures too, so that knowing the seed is not enough to deal the questions again
    generator = np.random.default_rng(int(study, 16))
    sheets = assign(material.questions, raters=raters, ratings=ratings, generator=generator)
    digits = max(2, len(str(raters)))
    placed = {
        f"rater-{number:0{digits}}": tuple(
            Placed(generator.bytes(8).hex(), question, bool(flipped)) for question, flipped in sheet
        )
        for number, sheet in enumerate(sheets, start=1)
    }
    known = tuple(
        Known(one.image, one.category, one.method, one.choices, one.truth) for one in material.questions
    )
    key = Key(study[:16], material.task, known, placed, material.networks, material.source, material.notes)
    return Study(material, key, ratings, seed)


def load_key(folder: str | os.PathLike[str]) -> Key:
    """The key of a study.

    Raises:
        ArtifactError: no study is there, or it is damaged.
    """
    read_artifact(folder, KIND)
    with reading(Path(folder), "a study"):
        return Key.from_dict(json.loads((Path(folder) / KEY).read_text(encoding="utf-8")))


def _identity(material: Material, ratings: int, raters: int, seed: int) -> str:
    """A digest of the study without its answers, in hexadecimal digits."""
    digest = hashlib.sha256(f"{material.task} {ratings} {raters} {seed}".encode())
    for question in material.questions:
        digest.update("\0".join(("", question.image, *question.choices)).encode("utf-8", "surrogateescape"))
        for picture in question.pictures:
            digest.update(hashlib.sha256(picture).digest())
    return digest.hexdigest()
