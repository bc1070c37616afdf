"""What do a network's units do on images, and where do the images lie among words? Both in one pass over them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image
from torch import Tensor

from dissection.recording import evaluating, record
from neuro_explain.clip import Embedder
from neuro_explain.tower import Tower
from neuro_explain.word_inputs import Pictures


def look(
    tower: Tower, images: Pictures, clip: Embedder, batch_size: int, workers: int, progress: bool | None
) -> tuple[Tensor, Tensor]:
    """Each unit's activation averaged over positions, `[N, U]`, and the embeddings of the same images, `[N, D]`.

    Args:
        tower: the network; it sees each image as at inference.
        images: N of them.
        clip: sees the same images through its own preprocessing.
        batch_size: images per forward pass; at most twice as many are in memory.
        workers: threads that read images.
        progress: whether to show a bar on the standard error; None shows one if that is a terminal.

    Raises:
        ValueError: a layer that puts out neither maps nor one number per unit; a value that is not finite.
    """
    from tqdm import tqdm

    def read(index: int) -> tuple[Image.Image, Tensor]:
        picture = images.image(index)
        return picture, tower.preprocess(picture)

    activations, embeddings = [], []
    batches = [range(i, min(i + batch_size, len(images))) for i in range(0, len(images), batch_size)]
    bar = tqdm(
        total=len(images),
        desc="looking",
        unit="image",
        disable=None if progress is None else not progress,
        delay=1,
    )
    with ThreadPoolExecutor(workers) as pool, evaluating(tower.net) as net, bar:
        ahead = [pool.submit(read, index) for index in batches[0]]
        for number, batch in enumerate(batches):
            pairs = [one.result() for one in ahead]
            after = batches[number + 1] if number + 1 < len(batches) else range(0)
            ahead = [pool.submit(read, index) for index in after]
            pixels = torch.stack([prepared for _, prepared in pairs]).to(tower.device, tower.dtype)
            with torch.no_grad(), record(net, tower.layer) as seen:
                net(pixels)
            means = _averaged(seen.output, tower.layer, len(batch))
            _check_finite(means, [images.image_id(index) for index in batch], tower.layer)
            activations.append(means)
            embeddings.append(clip.embed_images([picture for picture, _ in pairs]))
            bar.update(len(batch))
    return torch.cat(activations), torch.cat(embeddings)


def _averaged(output: Tensor, layer: str, images: int) -> Tensor:
    if output.dim() not in (2, 4) or len(output) != images:
        raise ValueError(
            f"layer {layer!r} puts out {list(output.shape)} for {images} images, expected [N, U, h, w] or [N, U]; "
            "choose a spatial layer"
        )
    return output.float().flatten(2).mean(dim=2).cpu() if output.dim() == 4 else output.float().cpu()


def _check_finite(means: Tensor, called: list[str], layer: str) -> None:
    bad = ~means.sum(dim=1).isfinite()
    if bool(bad.any()):
        name = called[int(bad.nonzero()[0])]
        raise ValueError(f"layer {layer!r} puts out NaN or infinity on {name}; check the network's weights")
