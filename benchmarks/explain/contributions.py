"""Contributions of features, families and regions to the score of one image."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.explain.explanation import Explained
from benchmarks.explain.replacement import local_change, typical_row
from benchmarks.fitting.cell import PIXELS
from benchmarks.importance.groups import boxes_of, columns_of, group_columns
from benchmarks.importance.importance_map import importance_map
from benchmarks.importance.shap_values import NotExplainable, explain, space_of
from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair
from benchmarks.saved.fitted_cells import FittedCell
from features import ImageDescriptor
from features.backbone import MissingExtra

Row = NDArray[np.float32]


def default_cells(run: Results, saved: Collection[str]) -> list[str]:
    """Select the best classifier of each feature set on the validation set, and the CNN.

    Parameters
    ----------
    run : Results
    saved : collection of str
        Names of the cells whose models the run folder contains.

    Returns
    -------
    list of str
        Names of the cells with the best average precision. Of several seeds, the first finished one
        counts. Test scores are not used.
    """
    table = run.scores
    table = table[
        (table["status"] == "ok") & (table["split"] == "validation")
        & (table["operating_point"] == OPERATING_POINTS[0]) & table["cell"].isin(list(saved))
    ]  # fmt: skip
    first = table.drop_duplicates(["features", "model"])
    best = []
    for _, part in first.groupby("features", sort=False):
        precision = pd.to_numeric(part["average_precision"]).to_numpy(dtype=np.float64)
        best.append(str(part["cell"].iloc[int(precision.argmax())]))
    return sorted(best, key=lambda name: name.startswith(f"{PIXELS}/"))


def decide(run: Results, cell: FittedCell, score: float) -> pd.DataFrame:
    """Compare a score with the thresholds.

    Parameters
    ----------
    run : Results
    cell : FittedCell
    score : float

    Returns
    -------
    DataFrame
        See ``decisions`` of :class:`benchmarks.explain.explanation.Explained`.
    """
    own = run.predictions[
        (run.predictions["cell"] == cell.name) & (run.predictions["split"] == "validation")
    ]
    validation = own["score"].to_numpy(dtype=np.float64)
    rows = []
    for point, threshold in zip(OPERATING_POINTS, (0.5, cell.threshold), strict=True):
        low, high = sorted((score, threshold))
        inside = (validation >= low) & (validation <= high)
        between = float(inside.mean()) if len(validation) else float("nan")
        predicted = class_pair(run)[int(score >= threshold)]
        rows.append((point, threshold, predicted, score - threshold, between))
    return pd.DataFrame(rows, columns=["point", "threshold", "decision", "distance", "between"])


def contribute(
    found: Explained,
    row: Row,
    background: Row | None,
    descriptors: dict[str, ImageDescriptor],
    shape: tuple[int, int],
) -> None:
    """Add the contributions of features, families and regions to an explanation, and their maps.

    Parameters
    ----------
    found : Explained
        Is modified.
    row : ndarray of shape (d,)
    background : ndarray of shape (m, d) or None
        Training rows. Without them, the mean training row that the scaler of the pipeline stores.
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    shape : (int, int)
        Of the image.
    """
    own = {family: descriptors[family] for family in found.cell.families}
    columns = columns_of(own)
    pipeline = found.cell.fitted
    others = typical_row(pipeline, len(row)) if background is None else background
    try:
        values = _shap(found, row, others)
        top = _top_features(columns, values, _deviation(pipeline, row), own)
        by = {
            level: {
                name: float(values[k].sum()) for name, k in group_columns(columns, level).items()
            }
            for level in ("family", "region")
        }
    except MissingExtra as error:
        found.notes["features"] = str(error)
        top, by = _replaced(found, row, others, columns, own)
    except NotExplainable:  # an SVM; the page names the method
        top, by = _replaced(found, row, others, columns, own)
    found.top, found.families = top, by["family"]
    boxes = boxes_of(columns)
    for family in own:
        if (boxes["family"] == family).any():
            part = {name: v for name, v in by["region"].items() if name.startswith(f"{family}/")}
            found.maps[family] = importance_map(part, boxes, shape)


def _shap(found: Explained, row: Row, others: Row) -> NDArray[np.float64]:
    shap = explain(found.cell.fitted, row[None], others)
    found.method, found.space = "shap", shap.space
    found.output, found.expected = float(shap.output[0]), float(shap.expected)
    return shap.values[0]  # noqa: PD011 - no DataFrame


def _top_features(
    columns: pd.DataFrame,
    values: NDArray[np.float64],
    deviation: NDArray[np.float64],
    own: dict[str, ImageDescriptor],
) -> pd.DataFrame:
    """Sum features with equal descriptions, since HOG has each cell in up to four blocks."""
    used = np.flatnonzero(values)
    names = columns["feature"].to_numpy(dtype=object)[used]
    family = columns["family"].to_numpy(dtype=object)[used]
    words = [own[str(f)].in_words(str(n)) for n, f in zip(names, family, strict=True)]
    table = pd.DataFrame({
        "name": names, "words": words, "value": values[used], "deviation": deviation[used],
    })  # fmt: skip
    summed = table.groupby("words", sort=False).agg(
        {"name": "first", "value": "sum", "deviation": "mean"}
    )
    return _largest_first(summed.reset_index()[["name", "words", "value", "deviation"]])


def _replaced(
    found: Explained, row: Row, others: Row, columns: pd.DataFrame, own: dict[str, ImageDescriptor]
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    pipeline, by = found.cell.fitted, {}
    for level in ("family", "region"):
        groups = group_columns(columns, level)
        result = local_change(pipeline, row[None], others, groups, space_of(pipeline))
        by[level] = dict(zip(groups, result.changes[0].tolist(), strict=True))
    found.method, found.space = "exchange", result.space
    found.output, found.expected = float(result.output[0]), result.expected
    first = columns.drop_duplicates("region").set_index("region")
    words = [_region_in_words(str(first.loc[name, "feature"]), own[str(first.loc[name, "family"])])
             for name in by["region"]]  # fmt: skip
    table = pd.DataFrame({
        "name": list(by["region"]), "words": words, "value": list(by["region"].values()),
        "deviation": np.nan,
    })  # fmt: skip
    return _largest_first(table), by


def _region_in_words(column: str, descriptor: ImageDescriptor) -> str:
    """Describe the region of a column: what its columns measure, and where."""
    region = descriptor.region(column)
    return f"{descriptor.label()} {region.in_words()}" if region else descriptor.label()


def _largest_first(table: pd.DataFrame) -> pd.DataFrame:
    order = np.argsort(-table["value"].abs().to_numpy(dtype=np.float64), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _deviation(pipeline: Any, row: Row) -> NDArray[np.float64]:
    """Compute the distance from the mean training row, in standard deviations of the scaler."""
    steps = pipeline.named_steps
    kept = steps["select"].get_support() if "select" in steps else np.ones(len(row), dtype=bool)
    deviation = np.full(len(row), np.nan)
    deviation[kept] = (row[kept] - steps["scale"].mean_) / steps["scale"].scale_
    return deviation
