"""Every recipe reads its published layout; checked on small replicas of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.config import RunConfig
from benchmarks.datasets.recipes import RECIPES
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.errors import DataError
from tests.datasets.recipes.replicas import DICOM, REPLICAS, Replica

KNOWN = ("image", "label", "patient", "split", "subtype", "view", "site", "sex", "age")


def made(name: str, folder: Path) -> Replica:
    if name in DICOM:
        pytest.importorskip("pydicom", reason="needs the extra dicom")
    return REPLICAS[name](folder)


def words(recipe: Recipe) -> str:
    source = recipe.source
    said = [recipe.title, source.licence, source.citation, *source.limitations, *recipe.notes]
    return " ".join([*said, *source.facts.values()])


def test_every_recipe_has_a_replica() -> None:
    assert list(REPLICAS) == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_table_of_a_replica(name: str, tmp_path: Path) -> None:
    replica = made(name, tmp_path)
    table = RECIPES[name].table(tmp_path)
    assert {"image", "label"} <= set(table.columns)
    assert all(isinstance(value, str) for column in table for value in table[column])
    assert table["image"].is_unique
    assert tuple(sorted(set(table.get("split", [])))) == replica.splits
    assert ("patient" in table) == (replica.patients is not None)
    for column in KNOWN[5:]:
        assert tuple(sorted(set(table.get(column, [])))) == replica.values.get(column, ())


@pytest.mark.parametrize("name", RECIPES)
def test_images_of_a_replica_exist(name: str, tmp_path: Path) -> None:
    made(name, tmp_path)
    files = {path.name for path in tmp_path.rglob("*")}
    for image in RECIPES[name].table(tmp_path)["image"]:
        assert (tmp_path / image).is_file() if "/" in image else image in files
        assert "mask" not in image.lower()


@pytest.mark.parametrize("name", RECIPES)
def test_an_empty_folder_is_refused_by_what_it_lacks(name: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="but expected"):
            RECIPES[name].table(folder)


@pytest.mark.parametrize("name", RECIPES)
def test_declarations(name: str) -> None:
    recipe = RECIPES[name]
    source = recipe.source
    assert re.search(r"doi:10\.\d{4,}/\S+", source.citation)
    assert source.limitations
    assert set(source.facts) <= {
        "setting", "eligible", "acquired", "annotators", "test_annotators"
    }  # fmt: skip
    assert recipe.positive
    assert recipe.negative
    assert recipe.obtain.startswith("https://")
    assert not re.search("kermany|guangzhou|child|paediatric|pediatric|bacteri", words(recipe),
                         re.IGNORECASE)  # fmt: skip


def test_no_two_recipes_have_a_citation_in_common_but_of_shared_images() -> None:
    dois = {
        name: set(re.findall(r"doi:(\S+?)[;.]?(?:\s|$)", recipe.source.citation))
        for name, recipe in RECIPES.items()
    }
    shared = {
        frozenset((a, b)) for a in dois for b in dois if a < b and dois[a] & dois[b]
    }  # fmt: skip
    assert shared == {frozenset(("nih", "rsna")), frozenset(("montgomery", "shenzhen"))}


def test_conditions_are_joined() -> None:
    recipe = RECIPES["mimic-cxr"]

    def condition(where: str | None, **options: Any) -> str | None:
        return recipe.condition(RunConfig(where=where, **options))

    assert condition(None) == "view in ['PA', 'AP']"
    assert condition("split == 'test' or Edema == 1") == (
        "view in ['PA', 'AP'] and (split == 'test' or Edema == 1)"
    )
    assert condition("view == 'LATERAL'") == "view == 'LATERAL'"
    assert condition("ViewPosition == 'x'") != "ViewPosition == 'x'"
    assert condition("Dir == 'x'", columns="view=Dir") == "Dir == 'x'"
    assert condition("Edema == 'view'") != "Edema == 'view'"
    assert condition(None, keep_laterals=True) is None
    assert condition("Edema == 1", keep_laterals=True) == "Edema == 1"
    assert RECIPES["nih"].condition(RunConfig()) is None
