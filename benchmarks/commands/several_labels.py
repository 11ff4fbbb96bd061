"""Run one benchmark per label on the same images: one run folder each, and a report of all."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.commands.report import render_report
from benchmarks.commands.run import ALL_DONE, SOME_FAILED, run_benchmark
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import labels_of
from benchmarks.datasets.dataset import DataError
from benchmarks.io import provenance, results
from benchmarks.io.columns import AT_THRESHOLD, MORE_TABLES, WHOLE
from benchmarks.io.progress import say
from benchmarks.io.results import LABELS
from benchmarks.run.common_split import common_split
from benchmarks.run.run_folder import locked, new_folder
from benchmarks.saved.stored_config import stored_config

UNUSABLE = 2  # code of a label that could not run
_LONGEST = 60  # characters of a folder's name
_OWN_FILES = {"report.html", "report.md", "labels.csv", "labels.json", "split.csv"}


def start_run(config: RunConfig, command: str = "") -> int:
    """Run the benchmark, once per label if ``--label`` names several.

    Parameters
    ----------
    config : RunConfig
    command : str
        The command line, for the record.

    Returns
    -------
    int
        Exit code: see :func:`benchmarks.commands.run.run_benchmark`. Of several labels, 1 if a cell
        of one failed or one could not run.

    Raises
    ------
    ConfigError, DataError, StoppedError
        As for a run of one label. With several, unusable data are recorded for the label that
        meets them and the others run; if all meet them, the run stops.
    """
    labels = labels_of(config)
    if len(labels) < 2:
        return run_benchmark(config.model_copy(update={"label": labels}), command)
    _check(config, labels)
    with new_folder(config) as folder:
        _begin(folder, config, labels, command)
        return _run_all(folder, config, {})


def resume_run(folder: Path, given: dict[str, Any], command: str = "") -> int:
    """Resume a run of one label or of several.

    Parameters
    ----------
    folder : Path
        The run folder.
    given : dict
        Command-line options by field of ``RunConfig``.
    command : str
        The command line, for the record.

    Returns
    -------
    int
        Exit code, as of :func:`start_run`.

    Raises
    ------
    ConfigError, DataError, StoppedError
        As :func:`start_run`, and if an option would change a number.
    RunError
        If the folder holds no run.
    """
    if not (folder / LABELS).exists():
        return run_benchmark(stored_config(folder, given), command, resume=True)
    config = stored_config(folder, given, results.read_labels(folder))
    with locked(folder, "--resume"):
        return _run_all(folder, config, given)


def _check(config: RunConfig, labels: tuple[str, ...]) -> None:
    several = f"--label: got the labels {', '.join(labels)}"
    if config.task == "subtype":
        raise ConfigError(f"{several} with --task subtype, but each has two classes. Leave one of "
                          "the options out.")  # fmt: skip
    if config.external:
        raise ConfigError(
            f"{several} with --external, but its scores are of one label. Run that label alone."
        )


def _begin(folder: Path, config: RunConfig, labels: tuple[str, ...], command: str) -> None:
    """Write the record: what is needed to resume before any label has run."""
    left_out = set() if "backbone" in config.model_fields_set else {"backbone"}
    record = {
        "status": "running",
        "program": provenance.program(),
        "command": command,
        "config": config.model_copy(update={"out": folder}).model_dump(
            mode="json",
            exclude={*left_out, "image_size"} if config.image_size is None else left_out,
        ),
        "data": {"name": Path(config.data).name},
        "times": {"started": datetime.now(UTC).isoformat(timespec="seconds")},
        "labels": [
            {"label": label, "folder": name, "code": None, "reason": ""}
            for label, name in zip(labels, _folder_names(labels), strict=True)
        ],
    }
    results.write_run(folder, record, LABELS)


def _folder_names(labels: tuple[str, ...]) -> list[str]:
    """Name a folder after each label, with letters and digits only and none twice."""
    names: list[str] = []
    used = set(_OWN_FILES)
    for label in labels:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", label).strip("-")[:_LONGEST] or "label"
        name, k = stem, 1
        while name.casefold() in used:
            k += 1
            name = f"{stem}-{k}"
        used.add(name.casefold())
        names.append(name)
    return names


def _run_all(folder: Path, config: RunConfig, given: dict[str, Any]) -> int:
    record = results.read_labels(folder)
    shared = _with_split(folder, config, record)
    with _store(config) as store:
        for k, entry in enumerate(record["labels"], start=1):
            if entry["code"] == ALL_DONE:
                continue
            say(f"Label {k} of {len(record['labels'])}: {entry['label']}", config.quiet)
            code, reason = _run_one(folder / entry["folder"], entry["label"], shared, given,
                                    record["command"], store)  # fmt: skip
            entry.update(code=code, reason=reason)
            results.write_run(folder, record, LABELS)
            if code > UNUSABLE:
                break
    return _finish(folder, record, config.quiet)


def _with_split(folder: Path, config: RunConfig, record: dict[str, Any]) -> RunConfig:
    """Draw the split that the labels share, if they do not find the same by themselves."""
    path = folder / "split.csv"
    if not path.exists():
        labels = tuple(entry["label"] for entry in record["labels"])
        split, notes = common_split(config, labels)
        if split is None:
            return config
        record["data"].update(notes=notes, test_drawn=config.test_fraction is not None)
        results.write_run(folder, record, LABELS)
        results.write_table(folder, "split", split)
    return config.model_copy(update={"split": path, "test_fraction": None, "limit": None})


@contextmanager
def _store(config: RunConfig) -> Iterator[Path | None]:
    """Make a feature store that lasts as long as the run, if it is to keep none."""
    if config.use_cache:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _run_one(
    folder: Path, label: str, shared: RunConfig, given: dict[str, Any], command: str,
    store: Path | None,
) -> tuple[int, str]:  # fmt: skip
    """Run one label, or resume its run; return the exit code and why it could not run."""
    begun = (folder / "run.json").exists()
    config = shared.model_copy(update={"label": (label,), "out": folder})
    if begun:
        moved = {"split": shared.split} if shared.split is not None else {}
        config = stored_config(folder, {**given, **moved})
    try:
        return run_benchmark(config, command, resume=begun, store=store), ""
    except DataError as error:
        say(f"Label {label} can't be run: {error}", quiet=False)
        return UNUSABLE, str(error)


def _finish(folder: Path, record: dict[str, Any], quiet: bool) -> int:
    """Write the table and the report of all labels; return the exit code."""
    entries = record["labels"]
    codes = [entry["code"] for entry in entries if entry["code"] is not None]
    interrupted = max(codes) > UNUSABLE
    begun = [entry for entry in entries if (folder / entry["folder"] / "run.json").exists()]
    if not begun and not interrupted:
        reasons = dict.fromkeys(entry["reason"] for entry in entries)
        raise DataError("None of the labels can be run.\n" + "\n".join(reasons))
    data = [results.read_run(folder / entry["folder"]).get("data", {}) for entry in begun]
    record["data"].update(
        name=next((one["name"] for one in data), record["data"]["name"]),
        synthetic=any(one.get("synthetic") for one in data),
        leakage=" ".join(
            f"{entry['label']}: {one['leakage']}"
            for entry, one in zip(begun, data, strict=True) if one.get("leakage")
        ),
    )  # fmt: skip
    record["status"] = "interrupted" if interrupted else "finished"
    results.write_run(folder, record, LABELS)
    results.write_table(folder, "labels", _table(folder, entries))
    render_report(folder)
    if interrupted:
        say(f"To resume all labels: python run_benchmark.py --resume {folder}", quiet=False)
        return max(codes)
    say(f"Report of all labels: {folder / 'report.html'}", quiet)
    return SOME_FAILED if max(codes) else ALL_DONE


def _table(folder: Path, entries: list[dict[str, Any]]) -> pd.DataFrame:
    """Collect the scores of all labels, at the threshold selected on the validation images."""
    parts = [_rows(folder / entry["folder"], entry) for entry in entries]
    table = pd.concat(parts, ignore_index=True).reindex(columns=MORE_TABLES["labels"])
    return table.astype({name: "Int64" for name in table if name in WHOLE})


def _rows(folder: Path, entry: dict[str, Any]) -> pd.DataFrame:
    known = {"label_name": entry["label"], "folder": entry["folder"]}
    if not (folder / "scores.csv").exists():
        reason = entry["reason"] or "The run ended before the first cell of this label."
        return pd.DataFrame([{**known, "cell": "", "status": "not_run", "reason": reason}])
    tables = results.read_tables(folder, ("manifest", "scores"))
    manifest, scores = tables["manifest"], tables["scores"]
    at_point = (scores["split"] == "test") & (scores["operating_point"] == "recall95")
    rows = scores[at_point | (scores["status"] != "ok")].drop_duplicates("cell")
    test = manifest.loc[manifest["split"] == "test", "label"]
    counts = {
        "images": len(manifest), "positives": int(manifest["label"].sum()),
        "n": len(test), "n_positive": int(test.sum()),
    }  # fmt: skip
    for name in AT_THRESHOLD:
        if name in MORE_TABLES["labels"]:  # include the uncertainty of the selected threshold
            bounds = {name + end: rows[f"{name}{end}_threshold"] for end in ("_lo", "_hi")}
            rows = rows.assign(**bounds)
    return rows.assign(**known, **counts)
