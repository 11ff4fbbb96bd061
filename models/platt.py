"""Platt scaling: probabilities from decision values by a sigmoid fitted on held-out patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.class_weight import compute_sample_weight

FOLDS = 3


class PlattScaled(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier with decision values, calibrated to probabilities by Platt scaling.

    The sigmoid is fitted on decision values of training rows held out in a patient-grouped
    cross-validation, so neither synthetic rows nor other images of a patient make it too steep.
    Then the classifier is fitted again on all training rows.

    With more than two classes there is one sigmoid per class, on the decision value of that class
    against all others; the results are divided by their sum.

    Parameters
    ----------
    estimator : imblearn Pipeline or classifier
        Must have ``decision_function``, with one column per class if there are more than two.
    balanced : bool
        Whether to weight held-out rows to equal class totals, so that probability 0.5 means the
        same as in a classifier trained on balanced classes.
    seed : int
        Random seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Sorted labels.
    estimator_ : classifier
        Fitted on all training rows.
    sigmoid_ : LogisticRegression
        Sigmoid of the decision value; with two classes only.
    sigmoids_ : list of LogisticRegression
        One per class; with more than two classes only.

    References
    ----------
    Zadrozny B, Elkan C. Transforming classifier scores into accurate multiclass probability
    estimates. KDD 2002. doi:10.1145/775047.775151

    Platt J. Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods. Advances in Large Margin Classifiers, MIT Press 1999, ISBN 9780262194488.
    """

    def __init__(self, estimator: BaseEstimator, balanced: bool = True, seed: int = 0) -> None:
        self.estimator = estimator
        self.balanced = balanced
        self.seed = seed

    def fit(
        self,
        X: NDArray[np.floating],
        y: NDArray[np.integer],
        groups: NDArray[np.object_] | None = None,
    ) -> PlattScaled:
        """Fit the sigmoid and the classifier.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Training rows.
        y : ndarray of shape (n,)
            Labels.
        groups : ndarray of shape (n,), optional
            Patient of each row; by default each row is a patient of its own.

        Returns
        -------
        PlattScaled
            Itself.

        Raises
        ------
        ValueError
            If a class has fewer than three patients, or they can't be spread over three folds.
        """
        patients = np.arange(len(y)) if groups is None else np.asarray(groups)
        smallest = min(len(np.unique(patients[y == label])) for label in np.unique(y))
        if smallest < FOLDS:
            raise ValueError(
                f"Got {smallest} patients of one class, but Platt scaling needs {FOLDS}. "
                "Use more images, or a classifier that is not Platt-scaled, such as logistic."
            )
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=self.seed)
        classes = np.unique(y)
        held_out = np.empty((len(y), 1 if len(classes) == 2 else len(classes)))
        for train, test in folds.split(X, y, patients):
            if len(np.unique(y[train])) < len(classes):
                raise ValueError(
                    "Got a fold of patients without one of the classes, but Platt scaling needs "
                    "all in each. Use more images, or a classifier that is not Platt-scaled."
                )
            fold = clone(self.estimator).fit(X[train], y[train])
            held_out[test] = fold.decision_function(X[test]).reshape(len(test), -1)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        weight = compute_sample_weight("balanced" if self.balanced else None, y)
        if len(classes) == 2:
            self.sigmoid_ = _fit_sigmoid(held_out[:, 0], y == classes[1], weight)
        else:
            self.sigmoids_ = [
                _fit_sigmoid(values, y == label, weight)
                for values, label in zip(held_out.T, classes, strict=True)
            ]
        return self

    def decision_function(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the decision values of the classifier.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.

        Returns
        -------
        ndarray of shape (n,), or (n, k) for k > 2 classes
        """
        return np.asarray(self.estimator_.decision_function(X))

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.

        Returns
        -------
        ndarray of shape (n, k)
        """
        values = self.decision_function(X)
        if len(self.classes_) == 2:
            return np.asarray(self.sigmoid_.predict_proba(values[:, None]))
        each = [
            sigmoid.predict_proba(column[:, None])[:, 1]
            for sigmoid, column in zip(self.sigmoids_, values.T, strict=True)
        ]
        return np.stack(each, axis=1) / np.sum(each, axis=0)[:, None]

    def predict(self, X: NDArray[np.floating]) -> NDArray[np.integer]:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.

        Returns
        -------
        ndarray of shape (n,)
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def platt_targets(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute Platt's smoothed targets, which keep the slope finite for separable classes.

    Parameters
    ----------
    positive : ndarray of shape (n,), bool

    Returns
    -------
    ndarray of shape (n,), in (0, 1)
        Target probability of each row: near 1 for positives, near 0 for the others.

    References
    ----------
    Platt J. Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods. Advances in Large Margin Classifiers, MIT Press 1999, ISBN 9780262194488.

    Examples
    --------
    >>> platt_targets(np.array([True, True, False]))
    array([0.75      , 0.75      , 0.33333333])
    """
    n_positive, n = int(positive.sum()), len(positive)
    return np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n - n_positive + 2))


def _fit_sigmoid(
    held_out: NDArray[np.float64], positive: NDArray[np.bool_], weight: NDArray[np.float64]
) -> LogisticRegression:
    """Logistic regression on the decision values, with smoothed targets."""
    target, n = platt_targets(positive), len(positive)
    return LogisticRegression(C=np.inf).fit(
        np.r_[held_out, held_out][:, None],
        np.r_[np.ones(n, dtype=int), np.zeros(n, dtype=int)],
        sample_weight=np.r_[weight * target, weight * (1 - target)],
    )
