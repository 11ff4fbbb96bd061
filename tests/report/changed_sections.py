"""Read and render again only the tables and sections of a report that have changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.commands import report
from benchmarks.io import results
from benchmarks.io.results import Results

Steps = tuple[str, ...]
ALL = "*"  # the last step of a path: the whole dictionary was read


class Noted(dict[str, Any]):
    """A dictionary that notes the path of every value that is read."""

    def __init__(self, values: dict[str, Any], read: set[Steps], path: Steps = ()) -> None:
        super().__init__({
            key: Noted(value, read, (*path, key)) if isinstance(value, dict) else value
            for key, value in values.items()
        })  # fmt: skip
        self.read, self.path = read, path

    def __getitem__(self, key: str) -> Any:
        self.read.add((*self.path, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add((*self.path, key))
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.read.add((*self.path, str(key)))
        return super().__contains__(key)


def _whole(name: str) -> Callable[..., Any]:
    def method(self: Noted, *arguments: Any) -> Any:
        self.read.add((*self.path, ALL))
        return getattr(dict, name)(self, *arguments)

    return method


for _name in ("__iter__", "__len__", "__eq__", "__ne__", "__repr__", "__or__", "__ror__",
              "__reversed__", "keys", "values", "items", "copy"):  # fmt: skip
    setattr(Noted, _name, _whole(_name))


def noting(found: Results, read: set[Steps]) -> Results:
    """The same results; the paths that are read from them are added to ``read``."""

    class NotedResults(Results):
        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            if isinstance(value, pd.DataFrame):
                read.add((name,))
            return value

    fields = {name: getattr(found, name) for name in Results.__dataclass_fields__}
    nested = {name: Noted(fields[name], read, (name,)) for name in ("run", "tables")}
    return NotedResults(**{**fields, **nested})


def value_at(found: Results, path: Steps) -> Any:
    """What a path leads to: of a dictionary, whether it is one; a table as it is."""
    value = getattr(found, path[0])
    for key in path[1:]:
        if key == ALL:
            return json.dumps(value, default=pd.DataFrame.to_csv)
        value = value.get(key, "absent") if isinstance(value, dict) else "no dictionary"
    if isinstance(value, pd.DataFrame):
        return value
    return "a dictionary" if isinstance(value, dict) else json.dumps(value)


def same(first: Any, second: Any) -> bool:
    if isinstance(first, pd.DataFrame):
        return isinstance(second, pd.DataFrame) and first.equals(second)
    return bool(first == second)


class Remembered:
    """A function of results that is called again only for another value of what it read."""

    def __init__(self, function: Callable[[Results], Any]) -> None:
        self.function = function
        self.before: dict[Steps, Any] = {}

    def __call__(self, found: Results) -> Any:
        if self.before and all(same(v, value_at(found, p)) for p, v in self.before.items()):
            return self.result
        read = set[Steps]()
        result = self.function(noting(found, read))
        if not self.before:
            self.before, self.result = {path: value_at(found, path) for path in read}, result
        return result


def reading() -> Callable[..., pd.DataFrame]:
    """Return ``read_table``, but a file of the same bytes is read and checked once."""
    read, tables = results.read_table, dict[tuple[str, bytes], pd.DataFrame]()

    def read_table(folder: Path, name: str) -> pd.DataFrame:
        path = folder / f"{name}.csv"
        key = (name, path.read_bytes() if path.is_file() else b"")
        if key not in tables or not key[1]:
            tables[key] = read(folder, name)
        return tables[key].copy()

    return read_table


def remembering() -> Callable[[pytest.MonkeyPatch], None]:
    """Return what lets the command ``report`` render again only what the first report lacks."""
    read_table, paper = reading(), Remembered(report.write_paper)
    registries = {
        name: {key: Remembered(render) for key, render in getattr(report, name).items()}
        for name in ("SECTIONS", "MULTICLASS_SECTIONS")
    }

    def patch(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(results, "read_table", read_table)
        patch.setattr(report, "write_paper", paper)
        for name, sections in registries.items():
            patch.setattr(report, name, sections)

    return patch
