"""Imports go down through the rooms, no files import each other, and a room stays small."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
import features
import models

ROOT = Path(__file__).parent.parent

# Imports go down this list only; two rooms that never import each other may change places.
ROOMS = [
    "run_benchmark",
    "benchmarks.checks",
    "benchmarks.speed",
    "benchmarks.commands",
    "benchmarks.explain",
    "benchmarks.report.sections",
    "benchmarks.report",
    "benchmarks.paper",
    "benchmarks.studies",
    "benchmarks.importance",
    "benchmarks.external_test",
    "benchmarks.statistics",
    "benchmarks.run",
    "benchmarks.saved",
    "benchmarks.fitting",
    "benchmarks.audit",
    "benchmarks.extraction",
    "benchmarks.datasets",
    "benchmarks.datasets.phantom",
    "benchmarks.datasets.recipes",
    "benchmarks.datasets.dicom",
    "benchmarks.datasets.tables",
    "benchmarks.datasets.names",
    "benchmarks.metrics",
    "benchmarks.io",
    "benchmarks.config",
    "benchmarks.option_values",
    "benchmarks.errors",
    "models",
    "models.network",
    "features",
    "features.preprocessing",
    "features.reading",
]
BY_HAND = {"benchmarks.checks", "benchmarks.speed"}  # users run these; nothing imports them
LAYERS = {
    f"benchmarks.{room}"
    for room in ("metrics", "statistics", "studies", "paper", "report.sections", "commands")
}
MOST_FILES = 14
# One file per family and those of the embeddings; one per section.
MORE_FILES = {"features": 20, "benchmarks.speed": 15}
REGISTRIES = {"benchmarks.report.sections": 30}  # one entry per file, all listed in __init__


def module_name(file: Path) -> str:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


FILES = {
    module_name(file): file
    for file in sorted(
        [ROOT / "run_benchmark.py"]
        + [f for top in ("benchmarks", "models", "features") for f in (ROOT / top).rglob("*.py")]
    )
}


def room_of(module: str) -> str:
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def imported(file: Path) -> set[str]:
    """Our own modules that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in FILES else str(node.module))
    return names & set(FILES)


GRAPH = {module: imported(file) - {module} for module, file in FILES.items()}


def test_every_file_is_in_a_room() -> None:
    for module in FILES:
        assert module == "benchmarks" or any(f"{module}.".startswith(f"{r}.") for r in ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room: str) -> None:
    upwards = [
        f"{module} imports {name}"
        for module in FILES
        if module != "benchmarks" and room_of(module) == room
        for name in GRAPH[module]
        if ROOMS.index(room_of(name)) < ROOMS.index(room)
        or (room_of(name) in BY_HAND and room_of(name) != room and room not in BY_HAND)
    ]
    assert not upwards


def test_models_take_the_backbone_and_augmentation_from_features() -> None:
    for module, names in GRAPH.items():
        if module.split(".")[0] == "models":
            assert {n for n in names if n.split(".")[0] == "features"} <= {
                "features.backbone",
                "features.preprocessing.augmentation",
            }


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import themselves by way of others."""
    reached = {module: set(names) for module, names in graph.items()}
    for middle in graph:
        for names in reached.values():
            if middle in names:
                names |= reached[middle]
    return sorted(module for module, names in reached.items() if module in names)


def test_cycles_are_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]


def test_no_files_import_each_other() -> None:
    assert cycles(GRAPH) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_stays_small(room: str) -> None:
    files = [
        m for m in FILES if m not in (room, "benchmarks") and room_of(m) == room
        and not m.endswith(".__main__")
    ]  # fmt: skip
    most = (REGISTRIES | MORE_FILES).get(room, MOST_FILES)
    assert len(files) <= most, sorted(files)


@pytest.mark.parametrize("room", REGISTRIES)
def test_a_registry_lists_each_of_its_files(room: str) -> None:
    listed = GRAPH[room]
    assert {m for m in FILES if m.startswith(f"{room}.")} == listed


def test_a_file_name_stands_for_one_thing() -> None:
    """Files of one name are layers of one thing: formula, table, study, section, command."""
    rooms: dict[str, set[str]] = {}
    for module in FILES:
        if module.count(".") and module not in ROOMS:
            rooms.setdefault(module.rpartition(".")[2], set()).add(room_of(module))
    repeated = {name: found for name, found in rooms.items() if len(found) > 1}
    assert {name for name, found in repeated.items() if not found <= LAYERS} == set()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["features", "models", "benchmarks.commands.run"])
def test_import_is_light(module: str) -> None:
    heavy = ["torch", "timm", "matplotlib", "shap", "skops", "sklearnex"]
    code = f"import sys, {module}; sys.exit(', '.join(set({heavy}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"import {module} loads {done.stderr}"


def test_packages_share_one_folder() -> None:
    """An installed package named features or models would shadow ours."""
    parents = {Path(str(p.__file__)).parent.parent for p in (features, models, benchmarks)}
    assert parents == {ROOT}


def test_every_module_can_be_imported_first() -> None:
    for module in FILES:
        if not module.endswith("__main__"):
            importlib.import_module(module)
