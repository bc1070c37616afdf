"""A CLIP of open_clip: small, random, never downloaded."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from word_worlds import small_clip

from neuro_explain.clip import load_clip
from neuro_explain.preprocess import Preprocess

open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_clip(tmp_path_factory.mktemp("clips") / "small")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr("open_clip.factory.download_pretrained", refuse)
    monkeypatch.setattr("open_clip.factory.download_pretrained_from_hf", refuse)


def pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(count)]


def test_embeddings_are_the_networks(folder: Path) -> None:
    clip = load_clip(folder, weights="random")
    assert (clip.name, clip.weights) == ("small (random weights)", "random (seed 0), never trained")
    assert clip.preprocess == Preprocess(
        input_size=(32, 32), resize=32, interpolation="bilinear", mean=(0.5,) * 3, std=(0.25,) * 3
    )
    images, words = clip.embed_images(pictures(5)), clip.embed_texts(["a bed", "lamp", "a bed"], batch_size=2)
    assert (images.shape, words.shape) == ((5, 24), (3, 24))
    torch.testing.assert_close(images.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(words.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(words[0], words[2])
    assert not torch.allclose(words[0], words[1])
    with torch.no_grad():
        batch = torch.stack([clip.preprocess(one) for one in pictures(5)])
        own = clip.net.encode_image(batch, normalize=True)  # type: ignore[operator]
        texts = clip.net.encode_text(open_clip.tokenize(["lamp"], context_length=16), normalize=True)  # type: ignore[operator]
    torch.testing.assert_close(images, own)
    torch.testing.assert_close(words[1:2], texts)
    assert not images.requires_grad


def test_the_preprocessing_is_open_clips(folder: Path) -> None:
    clip = load_clip(folder, weights="random")
    theirs = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**clip.net.visual.preprocess_cfg),
        is_train=False,  # type: ignore[union-attr,arg-type]
    )
    for picture in pictures(3):
        torch.testing.assert_close(clip.preprocess(picture), theirs(picture), atol=1e-6, rtol=0)


def test_random_weights_are_the_same_every_time_and_leave_random_numbers_alone(folder: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, other = (load_clip(folder, weights="random") for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert one.fingerprint == other.fingerprint


def test_logging_stays_as_it_was(folder: Path) -> None:
    handlers, disabled = list(logging.getLogger().handlers), logging.root.manager.disable
    load_clip(folder, weights="random")
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == disabled


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_weights_come_from_a_file_or_from_the_folder(folder: Path, tmp_path: Path, kind: str) -> None:
    from safetensors.torch import save_file

    net = load_clip(folder, weights="random").net
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.01)
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    mine = small_clip(tmp_path / "mine")
    if kind == "torch":
        torch.save(state, mine / "open_clip_pytorch_model.bin")
    else:
        save_file(state, mine / "open_clip_model.safetensors")
    file = next(path for path in mine.iterdir() if path.suffix != ".json")
    found = load_clip(mine)
    assert (found.name, found.weights) == ("mine", file.name)
    assert found.fingerprint == load_clip(folder, weights=file).fingerprint
    assert found.fingerprint != load_clip(folder, weights="random").fingerprint
    assert str(tmp_path) not in f"{found.name}{found.weights}{found.note}"


def test_wrong_weights_and_names_are_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clip small: no weights: give a file with --clip-weights"):
        load_clip(folder)
    other = tmp_path / "other.pt"
    torch.save({"weight": torch.ones(3)}, other)
    with pytest.raises(ValueError, match=r"other\.pt does not fit CLIP: .* weights are missing"):
        load_clip(folder, weights=other)
    torch.save(torch.nn.Linear(2, 2), other)
    with pytest.raises(ValueError, match="refused, because it holds a Python object"):
        load_clip(folder, weights=other)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_clip(folder, weights=tmp_path / "nowhere.pt")
    with pytest.raises(
        ValueError, match=r"'ViT-B-23' is no architecture of open_clip; did you mean .*ViT-B-32"
    ):
        load_clip("ViT-B-23", weights="random")
    with pytest.raises(ValueError, match=r"ViT-B-32:opnai: expected one of openai, .* after the colon"):
        load_clip("ViT-B-32:opnai", weights="random")
    with pytest.raises(FileNotFoundError, match=r"ViT-B-32:openai: no weights: .*download=True"):
        load_clip("ViT-B-32:openai")
    with pytest.raises(FileNotFoundError, match=r"ViT-B-16-SigLIP: a part of it comes from elsewhere"):
        load_clip("ViT-B-16-SigLIP", weights="random")
    with pytest.raises(ValueError, match="device"):
        load_clip(folder, weights="random", device="nowhere")


def test_embeddings_that_are_not_finite_are_refused(folder: Path) -> None:
    clip = load_clip(folder, weights="random")
    with torch.no_grad():
        clip.net.visual.proj.fill_(float("nan"))  # type: ignore[union-attr,operator]
    with pytest.raises(ValueError, match="its embeddings of these images are not finite"):
        clip.embed_images(pictures(1))


def test_without_the_library_the_message_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "neuro-explain\[clip\]"'):
        load_clip(folder, weights="random")


@pytest.mark.slow
def test_published_weights_say_their_activation_and_others_are_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = open_clip.get_model_config("ViT-B-32")
    config["vision_cfg"] |= {"layers": 1, "width": 32, "head_width": 16}
    config["text_cfg"] |= {"layers": 1, "width": 16, "heads": 2}
    monkeypatch.setattr("open_clip.factory.get_model_config", lambda _name: dict(config))
    plain = load_clip("ViT-B-32", weights="random")
    file = tmp_path / "weights.pt"
    torch.save(plain.net.state_dict(), file)
    told, tagged = load_clip("ViT-B-32", weights=file), load_clip("ViT-B-32:openai", weights=file)
    assert "write ViT-B-32:TAG with one of" in told.note and "openai" in told.note
    assert (plain.note, tagged.note) == ("", "")
    assert tagged.name == "ViT-B-32:openai"
    kinds = [
        {type(m).__name__ for m in one.net.modules() if "GELU" in type(m).__name__} for one in (told, tagged)
    ]
    assert kinds == [{"GELU"}, {"QuickGELU"}]
    assert tagged.preprocess.mean == (0.48145466, 0.4578275, 0.40821073)
