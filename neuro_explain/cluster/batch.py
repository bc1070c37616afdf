"""The parts of a batch run, made on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from neuro_explain.batch.decode import batches_in_threads
from neuro_explain.batch.maker import Maker, Part
from neuro_explain.batch.source import Files, Listed, read_listed
from neuro_explain.cluster import Cluster
from neuro_explain.cluster.pool import held, joined


class Makers:
    """Makes parts on a cluster.

    Args:
        cluster: which.
        workers: threads that read images, for each share.
    """

    def __init__(self, cluster: Cluster, workers: int) -> None:
        self.cluster, self.workers = cluster, workers

    @property
    def device(self) -> str:
        """What the network runs on."""
        return self.cluster.device

    @property
    def threads(self) -> int:
        """Threads of a share."""
        return self.cluster.cpus

    def make(self, maker: Maker, source: Files, parts: Sequence[int]) -> Iterator[tuple[int, Part]]:
        """These parts, as they are done."""
        with joined(self.cluster) as pool:
            box = pool.hold(maker)
            shares = (
                (
                    part,
                    (
                        box,
                        self.cluster.cpus,
                        self.cluster.device,
                        source.paths(part),
                        source.listed(part),
                        self.workers,
                    ),
                )
                for part in parts
            )
            for number, (part,) in pool.each(_make, shares):
                yield number, pool.get(part)


def _make(
    box: list[Any], cpus: int, device: str, paths: list[list[str]], listed: list[Listed], threads: int
) -> Part:
    maker: Maker = held(box, cpus, device)
    # in threads: the processes of a cluster have too many of their own to be forked
    read = batches_in_threads(paths, maker.model.preprocess, thumbnails=maker.thumbnails, threads=threads)
    return maker.make(read_listed(listed, read))
