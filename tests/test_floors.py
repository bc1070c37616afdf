"""The one structural rule: who may import whom, and what each package drags in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "dissection": {"neuro_explain", "reports"},
    "reports": {"neuro_explain", "dissection", "torch", "torchvision"},
    "neuro_explain": set(),
}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_package_imports_a_floor_above_or_beside(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        tops = {name.split(".")[0] for name in _imports(path)}
        assert not tops & FORBIDDEN[package], path


def test_nobody_imports_the_command_line() -> None:
    for path in sorted((ROOT / "neuro_explain").rglob("*.py")):
        assert "neuro_explain.cli" not in _imports(path), path


def test_hooks_are_registered_in_one_place_only() -> None:
    for package in FORBIDDEN:
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "recording.py":
                assert "register_forward" not in path.read_text(encoding="utf-8"), path


@pytest.mark.slow
@pytest.mark.parametrize("package", FORBIDDEN)
def test_each_package_can_be_imported_alone(package: str) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    for module in (package, modules[-1]):
        subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], check=True)


@pytest.mark.slow
def test_light_work_imports_nothing_heavy() -> None:
    code = (
        "import sys, neuro_explain; "
        "heavy = {'pandas', 'torchvision', 'skimage', 'jinja2', 'timm', 'scipy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, neuro_explain.cli, reports.write; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_module_outgrows_its_room() -> None:
    sizes = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for package in FORBIDDEN
        for path in (ROOT / package).rglob("*.py")
    }
    assert max(sizes.values()) <= 400, max(sizes, key=sizes.__getitem__)
