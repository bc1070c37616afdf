"""Studies without networks: questions whose pictures are squares of a colour that tells nothing."""

from __future__ import annotations

import io

from PIL import Image

from neuro_explain.study.question import Material, Network, Question

METHODS = ("guided-backprop", "guided-grad-cam", "deconvolution", "deconvolution-grad-cam")


def picture(number: int, size: tuple[int, int] = (24, 16)) -> bytes:
    """A small picture, another for each number."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256 % 256, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def discrimination(images: int = 6, methods: tuple[str, ...] = METHODS) -> Material:
    """Photographs with a cat and a sofa, each asked for under each method."""
    choices = ("cat", "sofa")
    questions = [
        Question(f"photo-{image}.jpg", choices[truth], method, (picture(number),), choices, truth)
        for number, (image, truth, method) in enumerate(
            (image, truth, method) for image in range(images) for truth in (0, 1) for method in methods
        )
    ]
    return Material(tuple(questions), (Network("zebranet", "layer", "0" * 64),), "toys", None, ("a note",))


def trust(images: int = 6, methods: tuple[str, ...] = METHODS[:2]) -> Material:
    """Photographs of a kitchen, with the pictures of two networks."""
    questions = [
        Question(f"photo-{image}.jpg", "kitchen", method, (picture(2 * number), picture(2 * number + 1)))
        for number, (image, method) in enumerate(
            (image, method) for image in range(images) for method in methods
        )
    ]
    networks = (
        Network("zebranet", "layer", "0" * 64, 0.8, 50),
        Network("quaggaloo", "layer", "1" * 64, 0.6, 50),
    )
    return Material(tuple(questions), networks, "toys")
