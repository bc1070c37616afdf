"""Several images into several folders: each explained, saved and rendered; a bad one stops none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dissection.artifact import check_writable
from dissection.images import ImageError
from neuro_explain.explanation import KIND, Explanation
from neuro_explain.inquiry import printable
from neuro_explain.report import write_report

_LONGEST_STEM = 100  # characters of an image's name that its folder takes over


@dataclass(frozen=True)
class Done:
    """An image that was explained: the folder, its page, and the explanation in it."""

    image: Path
    folder: Path
    page: Path
    explanation: Explanation


@dataclass(frozen=True)
class Failed:
    """An image that could not be read, and why."""

    image: Path
    error: Exception


def output_folders(images: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[tuple[Path, Path]]:
    """(image, folder) pairs: `out` itself for one image, `out/STEM`, `out/STEM-2` … for several.

    Raises:
        ArtifactError: a folder cannot be written, or holds an artifact that may not be replaced.
    """
    if len(images) == 1:
        pairs = [(images[0], out)]
    else:
        taken: set[str] = set()
        pairs = []
        for image in images:
            stem = image.stem[:_LONGEST_STEM] or "image"
            name = next(
                n
                for n in (stem, *(f"{stem}-{i}" for i in range(2, len(images) + 2)))
                if n.casefold() not in taken
            )
            taken.add(name.casefold())
            pairs.append((image, out / name))
    for _, folder in pairs:
        check_writable(folder, kind=KIND, overwrite=overwrite)
    return pairs


def explain_to_folders(
    explain: Callable[[Path], Explanation],
    pairs: Sequence[tuple[Path, Path]],
    *,
    overwrite: bool = False,
    arguments: Sequence[str] | None = None,
) -> Iterator[Done | Failed]:
    """Explains each image into its folder; an image that cannot be read becomes a `Failed`.

    Args:
        explain: what makes the explanation of an image.
        pairs: from `output_folders`.
        overwrite: replace artifacts.
        arguments: of the command line, for the manifests; each tells of its own image alone, since a page is
            passed on and the other names are nobody's business.
    """
    for image, folder in pairs:
        try:
            explanation = explain(image)
        except (ImageError, FileNotFoundError) as error:
            yield Failed(image, error)
            continue
        others = {str(other) for other, _ in pairs if other != image}
        own = None if arguments is None else command_line([a for a in arguments if a not in others])
        explanation.save(folder, overwrite=overwrite, command=own)
        yield Done(image, folder, write_report(folder), explanation)


def command_line(arguments: Sequence[str]) -> list[str]:
    """The command line for a manifest, paths cut to their last part, so that no home directory travels."""
    return ["neuro-explain", *(_last_part(argument) for argument in arguments)]


def _last_part(argument: str) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    kind, colon, path = printable(value).partition(":")
    if not (colon and "/" in path and set(kind).isdisjoint("/ ")):
        kind, colon, path = "", "", printable(value)
    last = Path(path).name if ("/" in path or chr(92) in path) and not _is_text(path) else path
    return f"{option}{equals}{kind}{colon}{last}"


def _is_text(value: str) -> bool:
    """Whether it is something said, as a question is ("Is it red/blue?"), and no path."""
    if " " not in value or Path(value).is_absolute() or value.startswith("~"):
        return False
    try:
        return not Path(Path(value).parts[0]).exists()
    except OSError:  # too long to be a path at all
        return True
