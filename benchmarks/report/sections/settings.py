"""Settings: configuration, versions, machine, times, and images that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.io.formatting import moment, number, plain
from benchmarks.io.results import Results
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Section,
    Subheading,
    Table,
    paragraph,
    row,
)

_LEFT_OUT = 200


def render(results: Results) -> Section:
    """List the settings of the run.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    run = results.run
    program = run.get("program", {})
    times = run.get("times", {})
    started = moment(times["started"]) if times.get("started") else "at an unknown time"
    name = " ".join(str(program[key]) for key in ("name", "version") if program.get(key))
    blocks: list[Block] = [
        paragraph(
            "Written by ", name or "an unnamed program", ", commit ",
            Code(str(program.get("commit") or "unknown")), ", with the command ",
            Code(str(run.get("command") or "unknown")),
            f". Started {started}, took {_duration(times.get('seconds'))}. Data fingerprint ",
            Code(str(run.get("data", {}).get("fingerprint") or "unknown")), ".",
        ),
        *_warnings(run.get("warnings", [])),
        *_mapping("Configuration", "configuration", run.get("config", {})),
        *_nested("Hyperparameters", "Model", run.get("models", {})),
        *_nested("Feature parameters", "Family", run.get("features", {})),
        *_features(results.features),
        *_cells(run.get("cells", {})),
        *_mapping("Time by stage", "times", times.get("stages", {}), _duration),
        *_times(results.scores),
        *_mapping("Machine", "machine", run.get("machine", {})),
        *_mapping("Versions", "versions", run.get("versions", {})),
        Subheading("Images left out"),
        *_left_out(run.get("data", {})),
    ]  # fmt: skip
    return Section("Settings", tuple(blocks))


def _duration(seconds: Any) -> str:
    if not isinstance(seconds, (int, float)):
        return "an unknown time"
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _mapping(title: str, name: str, values: Mapping[str, Any], write: Any = plain) -> list[Block]:
    if not values:
        return []
    lines = tuple(row(key.replace("_", " "), write(value)) for key, value in values.items())
    return [Subheading(title), Table(name, "", ("Name", "Value"), lines, labels=2, words=True)]


def _warnings(warnings: list[Any]) -> list[Block]:
    if not warnings:
        return []
    return [Subheading("Warnings"), Bullets(tuple((plain(one),) for one in warnings))]


def _nested(title: str, what: str, entries: Mapping[str, Any]) -> list[Block]:
    lines = tuple(
        row(name, key.replace("_", " "), plain(value))
        for name, values in entries.items()
        for key, value in (values.items() if isinstance(values, Mapping) else [("", values)])
    )
    if not lines:
        return []
    header = (what, "Parameter", "Value")
    cuts = [k for k in range(1, len(lines)) if lines[k][0].text != lines[k - 1][0].text]
    table = Table(
        title.lower().replace(" ", "-"), "", header, lines, labels=3, breaks=tuple(cuts), words=True
    )
    return [Subheading(title), table]


def _features(table: pd.DataFrame) -> list[Block]:
    if table.empty:
        return []
    lines = tuple(
        tuple(Cell(_measure(value)) for value in one) for one in table.itertuples(index=False)
    )
    header = tuple(str(column).replace("_", " ").capitalize() for column in table.columns)
    return [Subheading("Feature families"), Table("families", "", header, lines, words=True)]


def _measure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else number(value)
    return f"{value:,}" if isinstance(value, int) else plain(value)


def _cells(cells: Mapping[str, Any]) -> list[Block]:
    lines = tuple(row(cell, plain(details)) for cell, details in cells.items() if details)
    if not lines:
        return []
    return [
        Subheading("Details of cells"),
        Table("cells", "", ("Cell", "Details"), lines, labels=2, words=True),
    ]


def _times(scores: pd.DataFrame) -> list[Block]:
    done = scores[scores["status"] == "ok"].drop_duplicates("cell")
    if done.empty:
        return []
    done = done[done["fit_seconds"].notna()]  # external models have no times
    lines = tuple(
        row(one["cell"], _duration(one["fit_seconds"]), _duration(one["predict_seconds"]))
        for one in done.to_dict("records")
    )
    header = ("Cell", "Fit", "Predict")
    return [Subheading("Time by cell"), Table("cell-times", "", header, lines, words=True)]


def _left_out(data: Mapping[str, Any]) -> list[Block]:
    found = data.get("left_out") or []
    ignored = data.get("ignored_files") or 0
    count = len(ignored) if isinstance(ignored, (list, tuple)) else ignored
    words = (
        f"{len(found)} images could not be read; {count} other files were ignored (hidden, of the "
        "system, or beside the folders of images)."
    )
    blocks: list[Block] = [paragraph(words)]
    if found:
        lines = tuple(row(one.get("image", ""), one.get("reason", "")) for one in found[:_LEFT_OUT])
        more = len(found) - len(lines)
        remark = f"{more} more are listed in run.json." if more > 0 else ""
        header = ("Image", "Reason")
        blocks.append(Table("left-out", "", header, lines, labels=2, note=remark, words=True))
    return blocks
