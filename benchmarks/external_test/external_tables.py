"""Tables of external test sets: kept in the run folder, and scores like those of the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.external_test.external_set import ExternalSet
from benchmarks.io.columns import EXTERNAL, OPERATING_POINTS, TABLE_COLUMNS
from benchmarks.io.results import Results, read_more_tables, write_table
from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.operating_points import RedrawnThreshold
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.statistics import calibration, comparisons, decision
from benchmarks.statistics.split_scores import CHOSEN_POINT, read_split, thresholds_with_draws

BY_SPLIT = ("external_predictions", "external_scores")  # the others have a column data
_FROM_SCORES = ["cell", "features", "model", "balance", "seed"]


def keep_tables(folder: Path, name: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables of one external set into a run folder, in place of its earlier ones.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        Of the set.
    tables : mapping of str to DataFrame
        By name; rows of other sets are kept.
    """
    before = read_more_tables(folder, tuple(tables))
    for title, table in tables.items():
        column, own = ("split", EXTERNAL + name) if title in BY_SPLIT else ("data", name)
        others = before[title][before[title][column].astype(str) != own]
        parts = [part for part in (others, table) if len(part)]
        columns = list(dict.fromkeys([*TABLE_COLUMNS[title], *others.columns, *table.columns]))
        joined = pd.concat(parts, ignore_index=True) if parts else table
        write_table(folder, title, joined.reindex(columns=columns))


def set_tables(external: ExternalSet, predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Collect the tables of a set that was scored.

    Parameters
    ----------
    external : ExternalSet
    predictions : DataFrame
        From :func:`benchmarks.external_test.score_external.score_external`.

    Returns
    -------
    dict of DataFrame
    """
    of_set = {
        "external_manifest": external.dataset.manifest,
        "external_audit": external.findings,
        "external_copies": external.copies,
    }
    return {
        **{title: _named(title, table, external.name) for title, table in of_set.items()},
        "external_predictions": predictions,
    }


def names(results: Results) -> list[str]:
    """List the external sets of a run, in the order in which they were scored.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
    """
    found = results.table("external_predictions")
    splits = found["split"].unique() if len(found) else ()
    return [str(split).removeprefix(EXTERNAL) for split in splits]


def as_test(results: Results, name: str) -> Results:
    """Make results whose test split is an external set, for statistics of the test split.

    Parameters
    ----------
    results : Results
    name : str
        Of the set.

    Returns
    -------
    Results
        With the cells that scored the set, their validation scores and the run's thresholds.
    """
    scored = results.table("external_predictions")
    own = scored[scored["split"] == EXTERNAL + name].assign(split="test")
    cells = set(own["cell"])
    kept = results.predictions
    kept = kept[kept["cell"].isin(cells) & (kept["split"] == "validation")]
    manifest = results.table("external_manifest")
    return replace(
        results,
        manifest=manifest[manifest["data"] == name].drop(columns="data"),
        predictions=pd.concat([kept, own], ignore_index=True),
        scores=results.scores[results.scores["cell"].isin(cells)],
    )


def tabulate(results: Results, name: str) -> dict[str, pd.DataFrame]:
    """Tabulate scores, comparisons, calibration and decision curves of an external set.

    Parameters
    ----------
    results : Results
        With ``external_predictions`` and ``external_manifest``.
    name : str
        Of the set.

    Returns
    -------
    dict of DataFrame
        ``external_scores``, as ``scores.csv``; ``external_comparisons``, ``external_calibration``,
        ``external_reliability`` and ``external_decision``, as the tables of the test set. A
        recalibration is the run's: fitted on its validation set.
    """
    view = as_test(results, name)
    tables = {
        **comparisons.tabulate(view), **calibration.tabulate(view), **decision.tabulate(view),
    }  # fmt: skip
    titles = ("comparisons", "calibration", "reliability", "decision")
    return {
        "external_scores": _scores(view, name),
        **{f"external_{one}": _named(f"external_{one}", tables[one], name) for one in titles},
    }


def _named(title: str, table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.assign(data=name).reindex(columns=TABLE_COLUMNS[title])


def _scores(view: Results, name: str) -> pd.DataFrame:
    """Metrics with intervals at the run's thresholds, computed as for its test set."""
    cells = list(dict.fromkeys(view.predictions.loc[view.predictions["split"] == "test", "cell"]))
    known = view.scores.drop_duplicates("cell").set_index("cell", drop=False)
    lines = [
        {**known.loc[cell, _FROM_SCORES].to_dict(), "split": EXTERNAL + name, "status": "ok",
         **line}
        for cell, line in _evaluated(view, cells)
    ]  # fmt: skip
    table = pd.DataFrame(lines)
    columns = list(dict.fromkeys([*TABLE_COLUMNS["external_scores"], *table.columns]))
    return table.reindex(columns=columns)


def _evaluated(view: Results, cells: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    test = read_split(view, "test", cells)
    bootstrap = test.bootstrap()
    draws = len(bootstrap.weights)
    cuts = {point: thresholds_with_draws(view, point, cells, draws) for point in OPERATING_POINTS}
    found = []
    for cell, score in test.scores.items():
        ranking = ranking_metrics(test.label, score, bootstrap.weights)
        for point in OPERATING_POINTS:
            cut = cuts[point][cell]
            if np.isnan(cut[0]):
                continue
            again = RedrawnThreshold(cut[1:, None], True) if point == CHOSEN_POINT else None
            numbers = evaluate(
                test.label, score, float(cut[0]), test.subtype, bootstrap, ranking, redrawn=again
            )
            found.append((cell, {
                "operating_point": point, "threshold": float(cut[0]), "n": len(test.label),
                "n_positive": int(test.label.sum()), **numbers,
            }))  # fmt: skip
    return found
