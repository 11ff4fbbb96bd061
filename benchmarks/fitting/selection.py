"""Selection of the best cell of each feature set on the validation set."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.metrics import average_precision_score

from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.split_indices import SplitIndices


def best_cells(finished: Mapping[str, CellResult], rows: SplitIndices) -> dict[str, CellResult]:
    """Select the classifier with the best average precision on validation for each feature set.

    Parameters
    ----------
    finished : dict of CellResult
        Finished cells on features, in the order of the run. Of several seeds the first counts.
    rows : SplitIndices

    Returns
    -------
    dict of CellResult
        By feature set, in the order of the run. Test scores are not used.
    """
    label = rows.label[rows.parts["validation"]]
    first: dict[tuple[str, str], CellResult] = {}
    for result in finished.values():
        first.setdefault((result.cell.features, result.cell.model), result)
    best: dict[str, tuple[float, CellResult]] = {}
    for (features, _), result in first.items():
        precision = float(average_precision_score(label, result.scores["validation"]))
        if features not in best or precision > best[features][0]:
            best[features] = precision, result
    return {features: result for features, (_, result) in best.items()}
