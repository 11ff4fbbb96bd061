"""Pipelines fitted on five columns, small enough to explain by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import MODELS

Score = Callable[[NDArray[np.floating]], NDArray[np.floating]]


def shapley(
    score: Score,
    row: NDArray[np.floating],
    background: NDArray[np.floating],
    groups: list[list[int]],
) -> list[float]:
    """Shapley's formula, coalition by coalition: Lundberg & Lee 2017, equation 4."""
    players = range(len(groups))

    def worth(present: tuple[int, ...]) -> float:
        rows = background.copy()
        for player in present:
            rows[:, groups[player]] = row[groups[player]]
        return float(np.mean(score(rows), dtype=np.float64))

    values = []
    for player in players:
        others, total = [other for other in players if other != player], 0.0
        for size in range(len(groups)):
            share = factorial(size) * factorial(len(groups) - size - 1) / factorial(len(groups))
            for present in combinations(others, size):
                total += share * (worth((*present, player)) - worth(present))
        values.append(total)
    return values


def made(n: int = 120, d: int = 5) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows whose classes differ in an interaction of columns 1 and 3, and in column 0."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 2
    label = ((X[:, 1] - 2) * (X[:, 3] - 2) / 4 + 2 * X[:, 0] + rng.normal(size=n) > 4).astype(int)
    return X.astype(np.float32), label


def fitted(name: str, balance: str = "smote", **settings: Any) -> Any:
    pipeline = MODELS[name].build(0, balance)
    return pipeline.set_params(**settings).fit(*made())


def probability(pipeline: Any) -> Score:
    return lambda rows: pipeline.predict_proba(rows)[:, 1]


def margin(pipeline: Any) -> Score:
    return lambda rows: pipeline.predict(rows, output_margin=True)
