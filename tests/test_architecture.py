"""Imports go one way, torch is loaded late, and our packages are ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
import features
import models

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "features": {"features"},
    "models": {"models", "features.backbone"},
    "benchmarks": {"features", "models", "benchmarks"},
}
OURS = set(ALLOWED) | {"run_benchmark", "tests"}


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module)
    return {name for name in names if name.split(".")[0] in OURS}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        for name in imported(file):
            parts = name.split(".")
            prefixes = {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
            assert prefixes & ALLOWED[package], f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    "module", ["features", "models", "benchmarks.commands.run", "run_benchmark"]
)
def test_import_is_light(module: str) -> None:
    heavy = ["torch", "timm", "matplotlib", "shap", "skops", "sklearnex"]
    code = f"import sys, {module}; sys.exit(', '.join(set({heavy}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"import {module} loads {done.stderr}"


def test_packages_share_one_folder() -> None:
    """A foreign package named features or models on the path would shadow ours."""
    parents = {Path(str(p.__file__)).parent.parent for p in (features, models, benchmarks)}
    assert parents == {ROOT}


def test_modules_hold_one_idea() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for package in ALLOWED
        for file in (ROOT / package).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 350
    }
    assert not long
