"""A fitted classifier as a plane through one image's row: its gradient there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.importance.formulas import Machine, component_weights, logistic_weights

Floats = NDArray[np.float64]


class NoGradientError(ValueError):
    """A classifier has no gradient: trees score by steps."""


def log_odds_gradient(pipeline: Any, row: NDArray[np.floating]) -> Floats:
    """Gradient of the log-odds of pneumonia with respect to the columns, at one row.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    row : ndarray of shape (d,)

    Returns
    -------
    ndarray of shape (d,), float64
        Of logistic regression the weights, the same at every row; of an SVM the slope of its
        sigmoid times the gradient of its decision value.

    Raises
    ------
    NoGradientError
        If the pipeline ends in trees.
    """
    steps = tuple(name for name in pipeline.named_steps if name != "balance")
    if steps == ("scale", "classify"):
        return logistic_weights(pipeline)[0]
    if steps == ("scale", "reduce", "classify"):
        weights, offset = component_weights(pipeline)
        place = row.astype(np.float64) @ weights + offset
        machine = Machine(pipeline)
        pull = machine.kernel(place[None])[0] * machine.weights
        towards = machine.vectors.T @ pull - pull.sum() * place
        return np.asarray(weights @ (2 * machine.gamma * machine.slope * towards))
    kind = type(pipeline.named_steps["classify"]).__name__
    raise NoGradientError(
        f"Got a pipeline that ends in {kind}, but expected logistic regression or an SVM: trees "
        "score by steps, so there is no gradient."
    )
