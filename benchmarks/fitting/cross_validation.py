"""Patient-grouped cross-validation on the training images, beside the official split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.metrics.bootstrap import Floats, Labels, threshold_at_recall

CV = "cv"


def fold_rows(
    rows: SplitIndices, fold: NDArray[np.integer], keep: tuple[str, ...] = ()
) -> dict[int, SplitIndices]:
    """Rows to fit on and to score for each fold: fit on the other folds, score this one.

    Parameters
    ----------
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)
        From ``benchmarks.datasets.splits.folds``.
    keep : tuple of str
        Parts of ``rows`` that stay: validation, on which a network chooses its epoch.

    Returns
    -------
    dict of SplitIndices
        By the number of the fold; ``parts`` has the held-out images as ``cv``.
    """
    kept = {name: rows.parts[name] for name in keep}
    return {
        int(k): SplitIndices(
            rows.label, rows.group, rows.train[fold != k], {**kept, CV: rows.train[fold == k]}
        )
        for k in np.unique(fold)
    }


def cross_fitted_thresholds(
    label: Labels, score: Floats, fold: NDArray[np.integer], recall: float
) -> Floats:
    """Choose each fold's threshold by the held-out scores of the other folds.

    Parameters
    ----------
    label, score, fold : ndarrays of shape (n,)
        Label (1 = positive), score by the model that was not fitted on the image, its fold.
    recall : float in (0, 1]

    Returns
    -------
    ndarray of shape (n,)
        Threshold for each image; no image has a part in choosing its own.

    Examples
    --------
    >>> label, fold = np.ones(4, int), np.array([1, 1, 2, 2])
    >>> cross_fitted_thresholds(label, np.array([0.1, 0.2, 0.3, 0.4]), fold, 1.0)
    array([0.3, 0.3, 0.1, 0.1])
    """
    threshold = np.empty(len(label))
    for k in np.unique(fold):
        others = fold != k
        threshold[fold == k] = threshold_at_recall(label[others], score[others], recall)
    return threshold
