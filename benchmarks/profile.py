"""How long does the profile of a large batch run take?

    python -m benchmarks.profile [--images 100000] [--units 1280] [--classes 365] [--concepts 150]

The run is made up (tests/batch_toy.py) in a temporary folder, which needs half a gigabyte; making it takes minutes and
is not counted. Each time is that of a new Python process without its start: reading the parts is most of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_TIMED = """
import json, resource, sys, time
import neuro_explain
from neuro_explain.profile import profile_batch
start = time.perf_counter()
made = profile_batch(sys.argv[1], **json.loads(sys.argv[2]))
print(f"{time.perf_counter() - start:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
"""
_ASKED = ("{}", '{"compare": "gender"}', '{"compare": "right"}')


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--units", type=int, default=1280)
    parser.add_argument("--classes", type=int, default=365)
    parser.add_argument("--concepts", type=int, default=150)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from batch_toy import make_batch

    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        folder = make_batch(
            Path(place) / "run",
            rows=options.images,
            units=options.units,
            classes=options.classes,
            concepts=options.concepts,
            metadata={"gender": ("f", "m")},
            explained=1,
            thumbnails=False,
        )
        size = sum(path.stat().st_size for path in (folder / "predictions").iterdir()) / 2**20
        print(
            f"{options.images:,} images × {options.units:,} units × {options.classes:,} classes, {size:.0f} MiB, "
            f"made in {time.perf_counter() - start:.0f} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        for asked in _ASKED:
            runs = [
                subprocess.run(
                    [sys.executable, "-c", _TIMED, str(folder), asked],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.split()
                for _ in range(3)
            ]
            times = " ".join(seconds for seconds, _ in runs)
            print(f"profile {asked}: {times} s, largest size {max(int(peak) for _, peak in runs)} MiB")


if __name__ == "__main__":
    main()
