"""Check the coverage of intervals near 1 and at chosen thresholds, on simulated patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.checks.coverage import NORMAL, PNEUMONIA, Interval, coverage
from benchmarks.io.tables import write_csv
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, logit_interval, percentile_interval
from benchmarks.metrics.operating_points import TARGET_RECALL, thresholds_in_draws
from benchmarks.metrics.proportions import clustered_wilson, wilson_over_thresholds
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion, confusion_in_draws

AUCS = (0.95, 0.97, 0.99)
RECALLS = (0.95, 0.97, 0.985, 0.997)  # at fixed thresholds
CORRELATIONS = (0.0, 0.3, 0.6)
TEST_PATIENTS = {0: sum(NORMAL.values()), 1: sum(PNEUMONIA.values())}
VALIDATION_PATIENTS = {0: 151, 1: 204}  # where the threshold is chosen
DRAWS = 1000
WILSON, BOOTSTRAP, LOGIT = "clustered Wilson", "bootstrap", "bootstrap, logit"
OVER_THRESHOLDS = "Wilson over redrawn thresholds"
REDRAWN, FIXED = "bootstrap with redrawn thresholds", "bootstrap, threshold held fixed"
COLUMNS = [
    "auc", "correlation", "threshold", "quantity", "truth", "method", "repetitions", "coverage",
    "lo", "hi", "below", "above", "width",
]  # fmt: skip
Key = tuple[str, str, float, str]  # threshold, quantity, truth, method


class Sample(NamedTuple):
    """Images of one simulated set of patients."""

    label: NDArray[np.int64]
    score: Floats
    group: NDArray[np.int64]


def simulate(
    auc: float, correlation: float, patients: dict[int, int], rng: np.random.Generator
) -> Sample:
    """Draw patients like those of the real test split and simulate the scores of their images.

    Parameters
    ----------
    auc : float
        In the binormal model, of two images of different patients.
    correlation : float in [0, 1)
        Of the scores of two images of one patient.
    patients : dict of int
        Number of patients of each class in the population, from which as many are drawn in all: how
        many of them are of a class varies. The images of a patient are of one class, and as many
        as those of a random patient of this class in the test split.
    rng : Generator

    Returns
    -------
    Sample
    """
    total = sum(patients.values())
    labels = (rng.random(total) < patients[1] / total).astype(np.int64)
    images = np.empty(total, dtype=np.int64)
    for value, counts in ((0, NORMAL), (1, PNEUMONIA)):
        sizes = np.repeat(list(counts), list(counts.values()))
        images[labels == value] = rng.choice(sizes, (labels == value).sum())
    group = np.arange(len(images)).repeat(images)
    noise = np.sqrt(correlation) * rng.normal(size=len(images))[group]
    noise += np.sqrt(1 - correlation) * rng.normal(size=len(group))
    return Sample(labels[group], np.sqrt(2) * ndtri(auc) * labels[group] + noise, group)


def resample(sample: Sample, rng: np.random.Generator) -> PatientBootstrap:
    """Draw patients as :meth:`PatientBootstrap.draw` does, in less time.

    Parameters
    ----------
    sample : Sample
        Of so many patients that no draw lacks a class.
    rng : Generator

    Returns
    -------
    PatientBootstrap
    """
    n = int(sample.group.max()) + 1
    picks = rng.integers(n, size=(DRAWS, n)) + n * np.arange(DRAWS)[:, None]
    counts = np.bincount(picks.ravel(), minlength=DRAWS * n).reshape(DRAWS, n)
    return PatientBootstrap(counts[:, sample.group].astype(np.float64), sample.group)


def intervals(
    auc: float, correlation: float, rng: np.random.Generator
) -> Iterator[tuple[Key, Interval]]:
    """Simulate a validation and a test set and compute all intervals once.

    Parameters
    ----------
    auc, correlation : float
        As for :func:`simulate`.
    rng : Generator

    Yields
    ------
    (threshold, quantity, truth, method), (low, high)
    """
    test = simulate(auc, correlation, TEST_PATIENTS, rng)
    drawn = resample(test, rng)
    areas = ranking_metrics(test.label, test.score, drawn.with_original()).auc
    yield ("none", "auc", auc, BOOTSTRAP), percentile_interval(areas[1:])
    yield ("none", "auc", auc, LOGIT), logit_interval(areas)
    shift = np.sqrt(2) * ndtri(auc)
    for recall in RECALLS:
        cut = shift - ndtri(recall)
        predicted = test.score >= cut
        counts = confusion(test.label, predicted, drawn.weights)
        for name, truth in _truths(recall, cut).items():
            key = ("fixed", name, truth)
            yield (*key, BOOTSTRAP), percentile_interval(getattr(counts, name))
            if name != "precision":
                hit, member = (predicted, 1) if name == "recall" else (~predicted, 0)
                bounds = clustered_wilson(hit, test.label == member, drawn.patient)
                yield (*key, WILSON), bounds
    validation = simulate(auc, correlation, VALIDATION_PATIENTS, rng)
    yield from _at_chosen(test, validation, drawn, shift, rng)


def _at_chosen(
    test: Sample,
    validation: Sample,
    drawn: PatientBootstrap,
    shift: float,
    rng: np.random.Generator,
) -> Iterator[tuple[Key, Interval]]:
    """Intervals at the threshold for a recall of 0.95 on the validation set."""
    again = resample(validation, rng).with_original()
    cuts = thresholds_in_draws(validation.label, validation.score, again)
    predicted = test.score >= cuts[1:, None]
    counts = confusion_in_draws(test.label, predicted, drawn.weights)
    fixed = confusion(test.label, test.score >= cuts[0], drawn.weights)
    for name, truth in _truths(TARGET_RECALL, shift - ndtri(TARGET_RECALL)).items():
        key = ("chosen", name, truth)
        yield (*key, FIXED), percentile_interval(getattr(fixed, name))
        yield (*key, REDRAWN), percentile_interval(getattr(counts, name))
        if name != "precision":
            hit, member = (predicted, 1) if name == "recall" else (~predicted, 0)
            bounds = wilson_over_thresholds(hit, test.label == member, drawn.patient)
            yield (*key, OVER_THRESHOLDS), bounds


def _truths(recall: float, cut: float) -> dict[str, float]:
    """Rates at a threshold, in images of the real test split's classes."""
    images = [sum(size * n for size, n in counts.items()) for counts in (NORMAL, PNEUMONIA)]
    specificity = float(ndtr(cut))
    true, false = images[1] * recall, images[0] * (1 - specificity)
    return {"recall": recall, "specificity": specificity, "precision": true / (true + false)}


def check(auc: float, correlation: float, repetitions: int, seed: int) -> pd.DataFrame:
    """Estimate the coverage of every interval by repeated simulation.

    Parameters
    ----------
    auc, correlation : float
        As for :func:`simulate`.
    repetitions, seed : int

    Returns
    -------
    DataFrame
        Columns ``COLUMNS``. ``lo`` and ``hi`` are the Wilson interval of the coverage, ``below``
        and ``above`` the fractions of intervals that lie below and above the truth.
    """
    rng = np.random.default_rng([seed, round(100 * auc), round(10 * correlation)])
    found: defaultdict[Key, list[Interval]] = defaultdict(list)
    for _ in range(repetitions):
        for key, bounds in intervals(auc, correlation, rng):
            found[key].append(bounds)
    rows = []
    for (threshold, quantity, truth, method), each in found.items():
        pairs = np.array(each)
        rows.append({
            "auc": auc, "correlation": correlation, "threshold": threshold, "quantity": quantity,
            "truth": truth, "method": method, **coverage(pairs, truth),
            "below": (pairs[:, 1] < truth).mean(), "above": (pairs[:, 0] > truth).mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)[COLUMNS]


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("docs/checks/rate_coverage.csv"), show_default=True)  # fmt: skip
@click.option("--repetitions", default=600, show_default=True, help="Data sets per scenario.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=-1, show_default=True, help="Number of processes.")
def _main(out: Path, repetitions: int, seed: int, jobs: int) -> None:
    """Write the coverage of intervals near 1 and at chosen thresholds."""
    from benchmarks.checks import rate_coverage  # not __main__, which workers can't import

    tables = Parallel(n_jobs=jobs)(
        delayed(rate_coverage.check)(auc, correlation, repetitions, seed)
        for auc in AUCS for correlation in CORRELATIONS
    )  # fmt: skip
    write_csv(out, pd.concat(tables, ignore_index=True).round(6))


if __name__ == "__main__":
    _main()
