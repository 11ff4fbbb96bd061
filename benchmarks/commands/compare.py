"""The command ``compare``: paired tests between two runs on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import interval, number, p_value
from benchmarks.io.results import Results, RunError, read_results
from benchmarks.io.run_files import check_file
from benchmarks.io.tables import write_csv
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import SEED, PatientBootstrap
from benchmarks.statistics.comparisons import Scored, compare_pairs
from benchmarks.statistics.split_scores import (
    CHOSEN_POINT,
    read_split,
    thresholds,
    thresholds_with_draws,
)

_SAME = ("sha256", "group", "label")


def compare(
    run_a: Path, run_b: Path, cells: Sequence[str] = (), out: Path | None = None
) -> pd.DataFrame:
    """Compare cells of two runs on their common test images.

    Parameters
    ----------
    run_a, run_b : Path
        Run folders. Differences are the first minus the second.
    cells : sequence of str
        ``"A=B"`` compares cell A of the first run with cell B of the second, ``"A"`` the cells of
        that name. By default all cells that both runs have are compared.
    out : Path, optional
        A CSV file to write the table to.

    Returns
    -------
    DataFrame
        As :func:`benchmarks.statistics.comparisons.compare_pairs`: ``cell_a`` is of the first
        run, ``cell_b`` of the second; ``p_holm`` is adjusted over the pairs compared here.

    Raises
    ------
    RunError
        If a folder is not a run folder, if the test images, their content, patients or labels
        differ, or if a cell is unknown or has not finished.
    ConfigError
        If ``out`` can't be written.
    """
    if out is not None:
        check_file("--out", out)
    runs = read_results(run_a), read_results(run_b)
    _check_same_images(*runs)
    wanted = _wanted(cells, *runs)
    names = [[pair[side] for pair in wanted] for side in (0, 1)]
    images = _test_images(runs[0])
    label, group = images["label"].to_numpy(dtype=int), images["group"].to_numpy(dtype=object)
    sides = list(zip(runs, names, strict=True))
    bootstrap = PatientBootstrap.draw(group, label, SEED)
    draws = len(bootstrap.weights)
    scored = Scored(
        [*names[0], *names[1]],
        label,
        group,
        np.concatenate([_scores(run, side, images["image"]) for run, side in sides]),
        {
            point: np.concatenate([_thresholds(run, side, point, draws) for run, side in sides])
            for point in OPERATING_POINTS
        },
        bootstrap,
    )
    table = compare_pairs(scored, [(k, len(wanted) + k) for k in range(len(wanted))])
    if out is not None:
        write_csv(out, table)
    return table


def readable(table: pd.DataFrame) -> str:
    """Format a table of :func:`compare` as Markdown, with one line per pair.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    str
        Both AUCs, their difference with interval and p value (clustered DeLong), and the
        difference in specificity at the threshold for a recall of 0.95 on the validation set, with
        interval and p value (bootstrap). p values are unadjusted and adjusted by Holm's method.
    """
    areas = table[table["test"] == "clustered_delong"].reset_index(drop=True)
    chosen = (table["metric"] == "specificity") & (table["operating_point"] == CHOSEN_POINT)
    rates = table[chosen & (table["test"] == "bootstrap")].reset_index(drop=True)
    lines = pd.DataFrame({
        "cell A": areas["cell_a"], "cell B": areas["cell_b"],
        "AUC A": areas["value_a"].map(number), "AUC B": areas["value_b"].map(number),
        "A − B": areas["difference"].map(number),
        "95 % interval": [interval(low, high) for low, high in areas[["lo", "hi"]].to_numpy()],
        "p": areas["p"].map(p_value), "p (Holm)": areas["p_holm"].map(p_value),
        "specificity A − B": rates["difference"].map(number),
        "95 % interval ": [interval(low, high) for low, high in rates[["lo", "hi"]].to_numpy()],
        "p ": rates["p"].map(p_value), "p (Holm) ": rates["p_holm"].map(p_value),
    })  # fmt: skip
    return lines.to_markdown(index=False, disable_numparse=True)


def _test_images(results: Results) -> pd.DataFrame:
    manifest = results.manifest
    return manifest[manifest["split"] == "test"].sort_values("image", ignore_index=True)


def _check_same_images(a: Results, b: Results) -> None:
    first, second = _test_images(a), _test_images(b)
    for one, other, here, there in ((first, second, a, b), (second, first, b, a)):
        alone = one["image"][~one["image"].isin(other["image"])]
        if len(alone):
            raise RunError(
                f"{here.folder} has {len(one)} test images, {there.folder} has {len(other)}; "
                f"{alone.iloc[0]!r} is in the first only. Paired tests need the same test "
                "images: run both on the same data, with the same --limit."
            )
    for column in _SAME:
        differ = np.flatnonzero(first[column] != second[column])
        if len(differ):
            k = differ[0]
            raise RunError(
                f"{first['image'][k]!r} has the {column} {first[column][k]} in {a.folder}, but "
                f"{second[column][k]} in {b.folder} ({len(differ)} test images differ). Paired "
                "tests need the same images of the same patients: run both on the same data."
            )


def _finished(results: Results) -> list[str]:
    return list(thresholds(results, OPERATING_POINTS[0]))


def _wanted(cells: Sequence[str], a: Results, b: Results) -> list[tuple[str, str]]:
    pairs = [(one, other or one) for one, _, other in (text.partition("=") for text in cells)]
    for side, results in enumerate((a, b)):
        known = _finished(results)
        if unknown := [pair[side] for pair in pairs if pair[side] not in known]:
            raise RunError(
                f"{results.folder} has no finished cell {unknown[0]!r}; it has "
                f"{', '.join(known) or 'none'}."
            )
    in_a, in_b = _finished(a), _finished(b)
    pairs = pairs or [(cell, cell) for cell in in_a if cell in in_b]
    if not pairs:
        raise RunError(
            f"No cell finished in both {a.folder} ({', '.join(in_a) or 'none'}) and {b.folder} "
            f"({', '.join(in_b) or 'none'}). Name what to compare: --cells A=B."
        )
    return pairs


def _scores(results: Results, cells: list[str], images: pd.Series) -> Floats:
    found = []
    for cell in cells:
        split = read_split(results, "test", [cell])
        place = pd.Index(split.image).get_indexer(pd.Index(images))
        if (place < 0).any():
            raise RunError(
                f"{results.folder}/predictions.csv has no score of {cell} for "
                f"{images[place < 0].iloc[0]!r}, a test image of its manifest.csv. Run the "
                "benchmark again."
            )
        found.append(split.scores[cell][place])
    return np.stack(found)


def _thresholds(results: Results, cells: list[str], point: str, draws: int) -> Floats:
    known = thresholds_with_draws(results, point, cells, draws)
    return np.stack([known[cell] for cell in cells])
