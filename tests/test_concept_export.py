"""`concepts export`, from the command line and beneath it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from concept_sets import write_broden as a_broden_folder
from concept_sets import write_coco_masks
from PIL import Image

from dissection.concepts import Concept, Labels
from dissection.readers import open_concepts
from dissection.readers.broden import Broden
from dissection.readers.coco import open_coco
from dissection.readers.errors import ConceptSetError
from dissection.writers import PanopticImage
from neuro_explain.cli import run
from neuro_explain.concept_export import export_concepts

CUP, RED = Concept("cup", "object"), Concept("red", "color")


class Cups:
    """Two images, a cup in the right half of each; a concept set that can show its segments."""

    concepts = (RED, CUP)
    fingerprint = "sha256:0"
    name = "cups"

    def __len__(self) -> int:
        return 2

    def image_id(self, index: int) -> str:
        return f"cup {index}"

    def image(self, index: int) -> Image.Image:
        return Image.new("RGB", (4, 2), (index, 20, 30))

    def labels(self, index: int, size: int) -> Labels:
        layer = np.full((1, size, size), -1, np.int32)
        layer[..., size // 2 :] = 1
        return Labels(layer, (), frozenset({"object"}))

    def panoptic(self, index: int) -> PanopticImage:
        numbers = np.array([[0, 0, 5, 5]] * 2)
        return PanopticImage(self.image_id(index), self.image(index), numbers, {5: (CUP, True)})


def test_broden_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco, broden, out = tmp_path / "coco", tmp_path / "broden", tmp_path / "out"
    specs = [f"coco:{write_coco_masks(coco)}", f"broden:{a_broden_folder(broden)}"]
    assert run(["concepts", "export", *specs, "--as", "broden", "--out", str(out), "--size", "6"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        f"4 images, 11 concepts in 5 categories; --concepts broden:{out} opens them",
        str(out),
    ]
    joined, read = open_concepts(specs), Broden(out)
    assert set(read.concepts) == set(joined.concepts) and len(read) == len(joined)
    assert read.labels(0, 6).categories == {"object"}
    # a second time it is refused, before the sets are even opened
    assert run(["concepts", "export", "coco:nowhere", "--as", "broden", "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_coco_needs_segments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, out = f"coco:{write_coco_masks(tmp_path / 'masks')}", tmp_path / "out"
    assert run(["concepts", "export", spec, "--as", "coco", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert all(word in line for word in ("masks has labels but no segments", "diorama", "panoptic(index)"))
    assert run(["concepts", "export", spec, "--as", "coco", "--out", str(out), "--size", "6"]) == 2
    assert "--size is for --as broden" in capsys.readouterr().err
    assert run(["concepts", "export", spec, "--as", "voc", "--out", str(out)]) == 2
    assert run(["concepts", "export", spec, "--as", "broden", "--out", str(out), "--size", "0"]) == 2
    assert not out.exists()


def test_a_set_with_segments_goes_both_ways(tmp_path: Path) -> None:
    written = export_concepts(Cups(), tmp_path / "coco", layout="coco")
    assert (written.folder, written.images, written.concepts) == (tmp_path / "coco", 2, 1)
    read = open_coco(tmp_path / "coco")
    assert read.concepts == (CUP,) and len(read) == 2
    assert read.labels(1, 4).layers.tolist() == [[[-1, -1, 0, 0]] * 4]
    assert export_concepts(Cups(), tmp_path / "broden", layout="broden", size=4).concepts == 2
    broden = Broden(tmp_path / "broden")
    assert set(broden.concepts) == {CUP, RED}
    cup = broden.concepts.index(CUP)
    assert broden.labels(1, 4).layers.tolist() == [[[-1, -1, cup, cup]] * 4]


def test_joined_sets_have_no_segments(tmp_path: Path) -> None:
    with pytest.raises(ConceptSetError, match=r"cups \+ colors has labels but no segments"):
        export_concepts(open_concepts([Cups(), "colors"]), tmp_path / "out", layout="coco")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["concepts", "export", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--as [broden|coco]" in out and "--size" in out
