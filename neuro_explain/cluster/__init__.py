"""Machines that share the work of a dissection or of a batch: a Ray cluster.

    dissect(model, concepts, cluster=Cluster())                       # the cluster that this machine belongs to
    explain_batch(model, inputs, names, out, cluster=Cluster(gpus=1))

The work is cut into shares by numbers alone, so that who does which, and how often, changes no result. Ray hands a
share that was lost with its process or machine to another one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """Where shares are done.

    Attributes:
        address: "auto" for the cluster that this machine belongs to, HOST:PORT of its head, or "local" for one of this
            machine alone, begun for the occasion.
        cpus: processors of a share; the network runs with so many threads.
        gpus: accelerators of a share; 0.25 puts four on one, 0 computes on processors.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        if self.cpus < 1:
            raise ValueError(f"cpus: expected at least 1, got {self.cpus}")
        if self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ValueError(f"gpus: expected 0, a part of 1, or a whole number, got {self.gpus}")

    @property
    def device(self) -> str:
        """Where the network of a share is."""
        return "cuda:0" if self.gpus else "cpu"
