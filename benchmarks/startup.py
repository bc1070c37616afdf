"""`import neuro_explain` ÷ `import torch`, each in a fresh interpreter, in turn.

python -m benchmarks.startup [--rounds 9]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.ratios import alternate, table


def run(code: str) -> None:
    """One fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    """Prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    base, ratios = alternate(
        lambda: run("import torch"),
        {"import neuro_explain": lambda: run("import neuro_explain")},
        options.rounds,
    )
    print(f"import torch {base:.2f} s; ratios to it (median, range)")
    print(table(ratios))


if __name__ == "__main__":
    main()
