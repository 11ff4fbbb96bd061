"""What the documentation shows is what a run gave; nothing is typed in by hand."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pandas as pd

from benchmarks import results
from features import DEFAULT_FEATURE_SETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_table_of_the_readme_comes_from_the_run() -> None:
    script = ROOT / "docs" / "results" / "make_table.py"
    spec = importlib.util.spec_from_file_location("make_table", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scores = pd.read_csv(ROOT / "docs" / "results" / "scores.csv", dtype={"operating_point": str})
    assert scores.columns.tolist() == results.SCORE_COLUMNS
    assert module.table(scores) in README
    test = scores[scores["split"] == "test"]
    assert set(test["n"]) == {624}
    assert set(DEFAULT_FEATURE_SETS) < set(test["features"])


def test_first_two_commands_are_make_targets() -> None:
    commands = re.findall(r"^    (\S.*?)\s*(?:#.*)?$", README, flags=re.MULTILINE)
    assert commands[:2] == ["make benchmark", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{name}:" in makefile for name in ("benchmark", "test"))


def test_options_in_the_readme_exist() -> None:
    from run_benchmark import main

    known = {option for parameter in main.params for option in parameter.opts}
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", README)) <= known | {"--help"}


def test_links_lead_to_files() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
