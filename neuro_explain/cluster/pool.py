"""Shares of work on a Ray cluster: a few at a time, done again if they are lost, handed over as they come."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from neuro_explain.cluster import Cluster

ATTEMPTS = 8
"""At one share, when processes or machines are lost."""
_PER_SLOT = 2  # shares that wait or run for each that the cluster has room for, so that nobody waits for work


class HasNet(Protocol):
    """Work on a network."""

    @property
    def net(self) -> nn.Module:
        """The network."""


class Pool:
    """A cluster that was joined.

    Args:
        cluster: which, and how much of it a share takes.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._ray = _ray()
        if self._slots() < 1:
            has = self._ray.cluster_resources()
            raise ValueError(
                f"cluster: a share needs {cluster.cpus} processors and {cluster.gpus:g} accelerators, the cluster has "
                f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g}; ask for fewer with cpus and gpus (--cpus-per-share, "
                "--gpus-per-share)"
            )

    def hold(self, thing: HasNet) -> list[Any]:
        """Hands a thing to the cluster once; each process that works on shares of it opens it once, by `held`.

        Its weights travel as they are on the CPU: those who open it may have other accelerators, or none.

        Raises:
            ValueError: it cannot be pickled.
        """
        device = next((parameter.device for parameter in thing.net.parameters()), None)
        try:
            thing.net.to("cpu")
            return [self._ray.put(thing)]  # in a list, so that Ray does not open it anew for each share
        except TypeError as error:
            raise ValueError(
                f"cluster: the network or the data set cannot be handed to other processes "
                f"({error.__cause__ or error}); they must be picklable"
            ) from error
        finally:
            if device is not None:
                thing.net.to(device)

    def get(self, reference: Any) -> Any:
        """What a share gave.

        Raises:
            Exception: whatever went wrong in it, as it was raised there.
            OSError: it was lost with its process too often.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, Exception) and not isinstance(cause, self._ray.exceptions.RayError):
                raise cause from None
            raise OSError(
                f"the cluster failed at a share of the work ({_last_line(error)}); its machines need the same "
                "packages, code and files as this one"
            ) from error
        except self._ray.exceptions.RayError as error:
            raise OSError(
                f"the cluster lost a share of the work {ATTEMPTS} times ({_last_line(error)}); what is done is kept "
                "where the work can be resumed"
            ) from error

    def each(
        self,
        function: Callable[..., Any],
        shares: Iterable[tuple[int, tuple[Any, ...]]],
        *,
        gives: int = 1,
    ) -> Iterator[tuple[int, list[Any]]]:
        """Does shares of work on the cluster.

        Args:
            function: does one; of a module that the cluster's machines have, too.
            shares: number and arguments of each; taken as there is room for them.
            gives: how many things a share gives.

        Yields:
            The number of a share and references to what it gave, as they are done; `get` opens them.
        """
        task = self._ray.remote(function).options(
            num_cpus=self.cluster.cpus,
            num_gpus=self.cluster.gpus,
            max_retries=ATTEMPTS - 1,
            num_returns=gives,
        )
        running: dict[Any, tuple[int, list[Any]]] = {}
        todo = iter(shares)
        try:
            while True:
                room = _PER_SLOT * max(1, self._slots()) - len(running)
                for number, arguments in islice(todo, max(0, room)):
                    given = task.remote(*arguments)
                    references = [given] if gives == 1 else list(given)
                    running[references[0]] = (number, references)
                if not running:
                    return
                (ready,), _ = self._ray.wait(list(running), num_returns=1)
                yield running.pop(ready)
        finally:
            for reference in running:
                self._ray.cancel(reference)

    def _slots(self) -> int:
        """How many shares the cluster has room for, at present."""
        has = self._ray.cluster_resources()
        slots = has.get("CPU", 0) / self.cluster.cpus
        if self.cluster.gpus:
            slots = min(slots, has.get("GPU", 0) / self.cluster.gpus)
        return int(slots)


@contextmanager
def joined(cluster: Cluster) -> Iterator[Pool]:
    """Joins a cluster and leaves it at the end; one that this process belongs to already is left alone.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: there is no such cluster.
        ValueError: it has no room for a share.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        # what runs here is told to nobody
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options = {"include_dashboard": False} if cluster.address == "local" else {}
        # a network of one's own may be in a folder that only this process knows
        code = {"env_vars": {"PYTHONPATH": _own_code()}}
        _check_reachable(cluster.address)
        try:
            ray.init(
                address=cluster.address,
                runtime_env=code,
                log_to_driver=False,
                logging_level="error",
                **options,
            )
        except ConnectionError as error:
            raise _no_cluster(cluster.address, error) from error
    try:
        yield Pool(cluster)
    finally:
        if ours:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes."""
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    try:
        if not host or not port.isdecimal():
            raise ValueError("that is no HOST:PORT")
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> ConnectionError:
    return ConnectionError(
        f"cluster: there is none to join at {address!r} ({_last_line(error)}); begin one with `ray start --head`, or "
        "give the HOST:PORT of its head, auto, or local; one that asks for a token needs RAY_AUTH_MODE=token here, and "
        "the token"
    )


def held(box: list[Any], cpus: int, device: str) -> Any:
    """In a process of the cluster: the thing that was handed over with `Pool.hold`, its `net` on the device.

    Args:
        box: what `Pool.hold` gave.
        cpus: threads.
        device: where the network belongs.
    """
    torch.set_num_threads(cpus)
    (reference,) = box
    key = reference.hex()
    if key not in _opened:
        _opened.clear()
        thing = _ray().get(reference)
        thing.net.to(device)
        _opened[key] = thing
    return _opened[key]


_opened: dict[str, Any] = {}


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError(
            'Ray is not installed: pip install "neuro-explain[ray]"', name="ray"
        ) from error
    return ray


def _own_code() -> str:
    """Folders of this process from which code is imported, but for its installation; for its helpers."""
    installed = (sys.prefix, sys.base_prefix)
    return os.pathsep.join(
        str(Path(path).resolve()) for path in dict.fromkeys(sys.path) if not path.startswith(installed)
    )


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
