"""Methods against class imbalance: resampling of training rows, class weights, or none."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

RESAMPLERS: dict[str, str] = {
    "smote": "SMOTE: new minority rows between neighbours (Chawla 2002, doi:10.1613/jair.953)",
    "borderline": "SMOTE near the class boundary (Han 2005, doi:10.1007/11538059_91)",
    "svmsmote": "SMOTE near support vectors (Nguyen 2011, doi:10.1504/IJKESDP.2011.039875)",
    "adasyn": "more new rows where the minority is hard (He 2008, doi:10.1109/IJCNN.2008.4633969)",
    "oversample": "random minority rows repeated",
    "undersample": "random majority rows left out",
}
RANDOM = {"oversample": RandomOverSampler, "undersample": RandomUnderSampler}
BALANCES: dict[str, str] = {
    **RESAMPLERS,
    "class_weight": "errors weighted inversely to class frequency",
    "none": "no balancing",
}
NEIGHBOURS = 5


def class_weight(balance: str) -> str | None:
    """Return the ``class_weight`` argument of a classifier for a balancing method.

    Parameters
    ----------
    balance : str
        A key of ``BALANCES``.

    Returns
    -------
    str or None

    Examples
    --------
    >>> class_weight("class_weight"), class_weight("smote")
    ('balanced', None)
    """
    return "balanced" if balance == "class_weight" else None


class Balancer(BaseEstimator):
    """Resample training rows so that all classes have about the same number of rows.

    A step of an imbalanced-learn pipeline: it acts in ``fit`` only, never on rows to predict.
    Oversampling enlarges every class but the largest. If the smallest class has too few rows for
    five neighbours, fewer neighbours are used.

    Parameters
    ----------
    method : str
        A key of ``BALANCES``; ``class_weight`` and ``none`` do not change the rows.
    seed : int

    Attributes
    ----------
    counts_before_, counts_after_ : dict
        Number of rows of each label before and after resampling.
    k_neighbors_ : int or None
        Number of neighbours used; None if the method uses none or nothing was resampled.
    """

    def __init__(self, method: str = "smote", seed: int = 0) -> None:
        self.method = method
        self.seed = seed

    def fit_resample(
        self, X: NDArray[np.floating], y: NDArray[np.integer]
    ) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
        """Resample the training rows.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.
        y : ndarray of shape (n,), int
            Labels.

        Returns
        -------
        X : ndarray of shape (m, d)
            The given rows, then the new ones; with ``undersample`` a subset of the given rows.
        y : ndarray of shape (m,), int
            Their labels.

        Raises
        ------
        ValueError
            If a class has a single row, or the method can make no row from these data.
        """
        self.counts_before_ = _counts(y)
        self.counts_after_ = self.counts_before_
        self.k_neighbors_: int | None = None
        if self.method not in RESAMPLERS or len(set(self.counts_before_.values())) == 1:
            return X, y
        fewest = min(self.counts_before_.values())
        if fewest < 2 or len(self.counts_before_) < 2:
            raise ValueError(
                f"Got training rows by label {self.counts_before_}, but {self.method} needs two "
                "labels with at least 2 rows each. Use more images, or --balance class_weight."
            )
        self.k_neighbors_ = None if self.method in RANDOM else min(NEIGHBOURS, fewest - 1)
        try:
            X, y = self._resample(X, y)
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{self.method} could make no rows from training rows by label "
                f"{self.counts_before_}: {error}. Use --balance smote or class_weight."
            ) from error
        self.counts_after_ = _counts(y)
        return X, y

    def _resample(
        self, X: NDArray[np.floating], y: NDArray[np.integer]
    ) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
        sampler = self._sampler(len(y))
        if self.method != "smote" or len(self.counts_before_) > 2:
            return tuple(sampler.fit_resample(X, y))
        # SMOTE uses minority rows only, so the majority need not be copied twice.
        few = min(self.counts_before_, key=lambda label: self.counts_before_[label])
        alone = np.append(np.flatnonzero(y == few), np.flatnonzero(y != few)[0])
        missing = len(y) - 2 * self.counts_before_[few]
        sampler.set_params(sampling_strategy={few: self.counts_before_[few] + missing})
        made = sampler.fit_resample(X[alone], y[alone])[0][len(alone) :]
        return np.concatenate([X, made]), np.append(y, np.full(missing, few, dtype=y.dtype))

    def _sampler(self, n: int) -> Any:
        if self.method in RANDOM:
            return RANDOM[self.method](random_state=self.seed)
        k = self.k_neighbors_
        near = min(2 * NEIGHBOURS, n - 1)
        if self.method == "smote":
            return SMOTE(k_neighbors=k, random_state=self.seed)
        if self.method == "borderline":
            return BorderlineSMOTE(k_neighbors=k, m_neighbors=near, random_state=self.seed)
        if self.method == "svmsmote":
            return SVMSMOTE(k_neighbors=k, m_neighbors=near, random_state=self.seed)
        return ADASYN(n_neighbors=k, random_state=self.seed)


def _counts(y: NDArray[np.integer]) -> dict[int, int]:
    labels, counts = np.unique(y, return_counts=True)
    return {int(label): int(count) for label, count in zip(labels, counts, strict=True)}


def resampling_record(pipeline: Any) -> dict[str, Any]:
    """Return what the ``Balancer`` of a fitted pipeline did.

    Parameters
    ----------
    pipeline : imblearn.pipeline.Pipeline
        Fitted pipeline of a classifier's ``build``.

    Returns
    -------
    dict
        ``method``, ``before`` and ``after`` (number of rows by label), ``k_neighbors``.

    Raises
    ------
    ValueError
        If the pipeline has no ``Balancer``.
    """
    for step in pipeline.named_steps.values():
        if isinstance(step, Balancer):
            return {
                "method": step.method,
                "before": {str(label): n for label, n in step.counts_before_.items()},
                "after": {str(label): n for label, n in step.counts_after_.items()},
                "k_neighbors": step.k_neighbors_,
            }
        if hasattr(step, "estimator_"):
            return resampling_record(step.estimator_)
    raise ValueError("Got a pipeline without a Balancer, but expected one from models.*.build.")
