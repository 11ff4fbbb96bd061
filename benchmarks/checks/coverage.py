"""Check the coverage of 95 % intervals on simulated patients with several images each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from benchmarks.io.tables import write_csv
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.binary import bootstrap_metrics
from benchmarks.metrics.bootstrap import (
    QUANTILE,
    PatientBootstrap,
    paired_intervals,
    percentile_interval,
)
from benchmarks.metrics.delong import auc_difference, clustered_delong, delong

# Patients in the test split of the Kermany radiographs, by number of images.
NORMAL = {1: 220, 2: 1, 3: 4}
PNEUMONIA = {1: 126, 2: 29, 3: 19, 4: 11, 5: 10, 6: 4, 7: 2, 8: 1, 9: 1}
AUC = (0.95, 0.93)
RECALL = 0.95  # of the first method, at a fixed threshold
BETWEEN_METHODS = 0.6  # correlation of the scores of one image by two methods
CORRELATIONS = (0.0, 0.3, 0.6)
DRAWS = 1000
COLUMNS = [
    "sizes", "classes", "patients", "images", "correlation", "quantity", "truth", "method",
    "draws", "repetitions", "coverage", "lo", "hi", "width", "variance_ratio",
]  # fmt: skip

Interval = tuple[float, float]
Found = dict[tuple[str, str], Interval]


@dataclass(frozen=True)
class Scenario:
    """Population of patients, and correlation of the images of one patient.

    Attributes
    ----------
    sizes : str
        Images per patient. ``"as the test set"``: as in the real test split; ``"1 to 10"``:
        uniformly distributed.
    classes : str
        Classes of the images of a patient: ``"one"``, as in the real test split, or ``"both"``.
    patients : int
    correlation : float in [0, 1)
        Correlation of the scores of two images of the same patient and class.
    """

    sizes: str
    classes: str
    patients: int
    correlation: float


SCENARIOS = [
    Scenario(sizes, classes, patients, correlation)
    for sizes, patients in (("as the test set", 428), ("1 to 10", 100))
    for classes in ("one", "both")
    for correlation in CORRELATIONS
]


def population(scenario: Scenario) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the class and number of images of each kind of patient, all equally likely.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    (ndarray of int, ndarray of int)

    Examples
    --------
    >>> label, size = population(Scenario("as the test set", "one", 428, 0.0))
    >>> len(label), int(size.sum()), int(size[label == 1].sum())
    (428, 624, 390)
    """
    if scenario.sizes == "1 to 10":
        return np.repeat([1] * 5 + [0] * 3, 10), np.tile(np.arange(1, 11), 8)
    kinds = [(label, size, count) for label, table in enumerate((NORMAL, PNEUMONIA))
             for size, count in table.items()]  # fmt: skip
    labels, sizes, counts = np.array(kinds).T
    return labels.repeat(counts), sizes.repeat(counts)


def positive_fraction(scenario: Scenario) -> float:
    """Compute the expected fraction of images with pneumonia.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    float
    """
    label, size = population(scenario)
    return float((label * size).sum() / size.sum())


def simulate(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Simulate patients, and scores of their images by two methods.

    Scores are normal with variance 1. They are the sum of a shift for positive images, an effect of
    the patient and an effect of the image. Both effects are correlated between the methods.

    Parameters
    ----------
    scenario : Scenario
    rng : Generator

    Returns
    -------
    (ndarray of shape (n,), ndarray of shape (2, n), ndarray of shape (n,))
        Label, scores, patient.
    """
    label, size = population(scenario)
    kind = rng.integers(0, len(label), scenario.patients)
    group = np.arange(scenario.patients).repeat(size[kind])
    labels = label[kind].repeat(size[kind])
    if scenario.classes == "both":
        labels = (rng.random(len(group)) < positive_fraction(scenario)).astype(np.int64)
    covariance = np.array([[1, BETWEEN_METHODS], [BETWEEN_METHODS, 1]])
    patient = rng.multivariate_normal([0, 0], covariance, scenario.patients)[group].T
    image = rng.multivariate_normal([0, 0], covariance, len(group)).T
    rho = scenario.correlation
    noise = np.sqrt(rho) * patient + np.sqrt(1 - rho) * image
    return labels, _separations()[:, None] * labels + noise, group


def truths(scenario: Scenario) -> dict[str, float]:
    """Compute the true value of each quantity in the binormal model.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    dict
        ``auc`` and ``auc difference`` (for two images of different patients), ``recall`` and
        ``precision`` of the first method at a fixed threshold.
    """
    prevalence = positive_fraction(scenario)
    predicted = prevalence * RECALL + (1 - prevalence) * float(ndtr(-_threshold()))
    return {
        "auc": AUC[0],
        "auc difference": AUC[0] - AUC[1],
        "recall": RECALL,
        "precision": prevalence * RECALL / predicted,
    }


def normal_intervals(label: NDArray[np.int64], scores: Floats, group: NDArray[np.int64]) -> Found:
    """Compute clustered and plain DeLong intervals of an AUC and of a difference of two AUCs.

    Parameters
    ----------
    label : ndarray of shape (n,), int
    scores : ndarray of shape (2, n)
    group : ndarray of shape (n,), int
        Patients.

    Returns
    -------
    dict of (float, float)
        By quantity and method.
    """
    found: Found = {}
    for method, areas in (
        ("clustered_delong", clustered_delong(label, scores, group)),
        ("delong", delong(label, scores)),
    ):
        found["auc", method] = areas.interval(0)
        _, low, high, _ = auc_difference(areas, 0, 1)
        found["auc difference", method] = low, high
    return found


def bootstrap_intervals(
    label: NDArray[np.int64], scores: Floats, group: NDArray[np.int64], seed: int
) -> Found:
    """Compute percentile intervals by bootstrap over patients.

    Parameters
    ----------
    label : ndarray of shape (n,), int
    scores : ndarray of shape (2, n)
    group : ndarray of shape (n,), int
        Patients.
    seed : int

    Returns
    -------
    dict of (float, float)
        By quantity and method.
    """
    drawn = PatientBootstrap.draw(group.astype(object), label, seed, DRAWS)
    values = [bootstrap_metrics(label, score, _threshold(), drawn.weights) for score in scores]
    low, high = paired_intervals(
        np.stack([draws["auc"] for draws in values]), np.array([0]), np.array([1])
    )
    found = {("auc difference", "bootstrap"): (float(low[0]), float(high[0]))}
    for quantity in ("auc", "recall", "precision"):
        found[quantity, "bootstrap"] = percentile_interval(values[0][quantity])
    return found


def check(scenario: Scenario, repetitions: int, bootstraps: int, seed: int) -> pd.DataFrame:
    """Estimate the coverage of each interval by repeated simulation of one scenario.

    Parameters
    ----------
    scenario : Scenario
    repetitions, bootstraps : int
        Number of simulated data sets, and for how many of them the bootstrap is computed.
    seed : int

    Returns
    -------
    DataFrame
        One row per quantity and method, with the columns ``COLUMNS``. ``lo`` and ``hi`` are the
        Wilson interval of the coverage, ``width`` is the mean width, and ``variance_ratio`` is the
        mean estimated variance divided by the variance of the estimates (NaN for the bootstrap).
    """
    rng = np.random.default_rng([seed, SCENARIOS.index(scenario)])
    found = defaultdict(list)
    images = []
    for k in range(repetitions):
        label, scores, group = simulate(scenario, rng)
        images.append(len(label))
        intervals = normal_intervals(label, scores, group)
        if k < bootstraps:
            intervals |= bootstrap_intervals(label, scores, group, seed=k)
        for key, bounds in intervals.items():
            found[key].append(bounds)
    facts = {**vars(scenario), "images": round(float(np.mean(images)))}
    true = truths(scenario)
    rows = [
        {**facts, "quantity": quantity, "method": method, "truth": true[quantity],
         **coverage(np.array(bounds), true[quantity]),
         "draws": DRAWS if method == "bootstrap" else 0,
         "variance_ratio": np.nan if method == "bootstrap" else _variance_ratio(np.array(bounds))}
        for (quantity, method), bounds in found.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)[COLUMNS]


def coverage(bounds: Floats, truth: float) -> dict[str, float]:
    """Count how often intervals contain the truth.

    Parameters
    ----------
    bounds : ndarray of shape (repetitions, 2)
    truth : float

    Returns
    -------
    dict of float
        Coverage, its Wilson interval, and the mean width.
    """
    held = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
    wilson = binomtest(int(held.sum()), len(held)).proportion_ci(method="wilson")
    return {
        "repetitions": len(held), "coverage": held.mean(), "lo": wilson.low, "hi": wilson.high,
        "width": np.diff(bounds, axis=1).mean(),
    }  # fmt: skip


def _variance_ratio(bounds: Floats) -> float:
    """Compare variances of normal intervals, from their centres and widths."""
    errors = np.diff(bounds, axis=1) / 2 / QUANTILE
    return float((errors**2).mean() / bounds.mean(axis=1).var(ddof=1))


def _separations() -> Floats:
    return np.sqrt(2) * ndtri(np.array(AUC))


def _threshold() -> float:
    return float(_separations()[0] - ndtri(RECALL))


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("docs/checks/coverage.csv"), show_default=True)  # fmt: skip
@click.option("--repetitions", default=2000, show_default=True, help="Data sets per scenario.")
@click.option(
    "--bootstraps", default=1000, show_default=True, help="Data sets per scenario with bootstrap."
)
@click.option("--seed", default=0, show_default=True)
def _main(out: Path, repetitions: int, bootstraps: int, seed: int) -> None:
    """Write the coverage of intervals for simulated patients with several images each."""
    tables = []
    for scenario in SCENARIOS:
        tables.append(check(scenario, repetitions, bootstraps, seed))
        click.echo(tables[-1].to_markdown(index=False, floatfmt=".4g"), color=False)
    table = pd.concat(tables, ignore_index=True).round(6)
    write_csv(out, table)


if __name__ == "__main__":
    _main()
