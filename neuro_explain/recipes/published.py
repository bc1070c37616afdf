"""Which weights files are published where, and which of them are here? A record of each, and its place in the cache.

    file = PublishedFile("resnet18_places365.pth.tar", "http://places2.csail.mit.edu/…")
    needed("resnet18-places365", [file], download=False)       # its path, or one sentence on how to get it

Nothing is fetched unless `download` says so or `fetch_all` is called. A file without a published checksum has the one
that was recorded when it was first fetched: that it is the publisher's rests on the line it came over, and that it is
still the same is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuro_explain import cache
from neuro_explain.download import Fetched, fetch, record_of, verify


@dataclass(frozen=True)
class PublishedFile:
    """A file that can be fetched.

    Attributes:
        name: what it is called, where it is published and in the cache.
        url: its address.
        sha256: its checksum, if one was published.
    """

    name: str
    url: str
    sha256: str | None = None

    @property
    def path(self) -> Path:
        """Its place in the cache."""
        return cache.weights(self.name)

    @property
    def here(self) -> bool:
        """Whether it is there."""
        return self.path.is_file()

    def checked(self) -> Path:
        """Its path, after comparing the file with what is known of it; nothing is written.

        Raises:
            ValueError: it has another checksum.
        """
        if self.sha256 is not None or record_of(self.path).exists():
            verify(self.path, sha256=self.sha256)
        return self.path

    def fetch(self) -> Fetched:
        """Brings it into the cache if it is not there, and checks it; errors as `neuro_explain.download.fetch`."""
        return fetch(self.url, self.path, sha256=self.sha256)


def needed(model: str, files: Sequence[PublishedFile], *, download: bool) -> list[Path]:
    """The paths of a network's files.

    Args:
        model: the network's name, for the message.
        files: what it needs.
        download: whether missing files may be fetched.

    Raises:
        ConnectionError: a download failed.
        FileNotFoundError: some are not here; the message says what to type, and which file to put where.
        ValueError: one has another checksum than it must have.
    """
    if download:
        return [fetched.path for fetched in fetch_all(files)]
    missing = [file for file in files if not file.here]
    if missing:
        listed = " and ".join(f"{file.name} of {file.url}" for file in missing)
        raise FileNotFoundError(
            f"{model}: its weights are not on this machine: fetch them with `neuro-explain models fetch {model}` or "
            f"download=True; without a connection put {listed} into {cache.weights('')}, or give a file with weights="
        )
    return [file.checked() for file in files]


def fetch_all(files: Sequence[PublishedFile]) -> list[Fetched]:
    """Brings all of them; errors as `neuro_explain.download.fetch`."""
    return [file.fetch() for file in files]


def whereabouts(model: str, files: Sequence[PublishedFile]) -> str:
    """For the list of models: where the files are, or how to get them."""
    missing = [file for file in files if not file.here]
    if not missing:
        return f"{' and '.join(file.name for file in files)} in {cache.weights('')}"
    return f"`neuro-explain models fetch {model}`, or give {missing[0].name} with --weights; source: {missing[0].url}"
