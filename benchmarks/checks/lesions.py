"""Do maps of importance find the lesion? On phantoms, whose lesions are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray

from benchmarks.checks.localisation import MEASURES, centre_prior
from benchmarks.checks.regional_importance import (
    FEATURE_SETS_CHECKED,
    METHODS,
    MODELS_CHECKED,
    SEED,
    Described,
    Floats,
    Regional,
    describe,
    fit_cell,
)
from benchmarks.datasets.phantoms import generate
from benchmarks.importance.shap_values import NotExplainable
from benchmarks.io.progress import track
from benchmarks.io.workers import parallel
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval

DRAWS = 1000
SHUFFLES = 3  # random maps an image
PRIORS = {"even": "even map", "centre": "centre prior", "lesion": "mean training lesion"}
SUBTYPES = ("all", "bacteria", "virus")
COLUMNS = [
    "method", "features", "model", "subtype", "images", "patients", "measure", "value", "lo", "hi",
    "shuffled", "over_shuffled", "over_shuffled_lo", "over_shuffled_hi",
    "over_centre", "over_centre_lo", "over_centre_hi",
    "over_lesion", "over_lesion_lo", "over_lesion_hi",
]  # fmt: skip


@dataclass(frozen=True)
class Lesions:
    """The images that count: pneumonias of the test split, with their masks.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Positions in the data set.
    masks : ndarray of shape (n, S, S), bool
    subtype, patient : ndarray of shape (n,), str
    priors : dict of ndarray of shape (S, S), float64
        Maps that know no image: ``even``; ``centre``, a Gaussian; and ``lesion``, the mean mask
        of the training pneumonias, which no one has who does not know the lesions already.
    """

    rows: NDArray[np.intp]
    masks: NDArray[np.bool_]
    subtype: NDArray[np.object_]
    patient: NDArray[np.object_]
    priors: dict[str, Floats]

    @classmethod
    def of(cls, manifest: pd.DataFrame, masks: NDArray[np.bool_]) -> Lesions:
        """Choose them from all images of a set of phantoms."""
        known = masks.any(axis=(1, 2)) & (manifest["label"] == 1).to_numpy()
        split = manifest["split"].to_numpy(dtype=object)
        rows = np.flatnonzero(known & (split == "test"))
        priors = {
            "even": np.ones(masks.shape[1:]),
            "centre": centre_prior(masks.shape[1:]),
            "lesion": masks[known & (split == "train")].mean(axis=0),
        }
        subtype, group = (manifest[c].to_numpy(dtype=object)[rows] for c in ("subtype", "group"))
        return cls(rows, masks[rows], subtype, group, priors)

    def measure(self, maps: Floats) -> dict[str, Floats]:
        """Every measure of every image: maps of shape (n, S × S) or one for all (S × S,)."""
        each = np.broadcast_to(maps, (len(self.rows), self.masks[0].size))
        shape = self.masks.shape[1:]
        return {
            name: np.array([of(one.reshape(shape), mask)
                            for one, mask in zip(each, self.masks, strict=True)])
            for name, of in MEASURES.items()
        }  # fmt: skip


def tabulate(
    data: Described, lesions: Lesions, features: tuple[str, ...], models: tuple[str, ...], jobs: int
) -> pd.DataFrame:
    """Measure every method on every cell.

    Parameters
    ----------
    data : Described
    lesions : Lesions
    features, models : tuple of str
        Cells are all pairs of them.
    jobs : int
        Processes; they change no number.

    Returns
    -------
    DataFrame
        A row a method, cell, subtype and measure, columns ``COLUMNS``. ``shuffled`` is the same
        map with its regions' values dealt anew within each family; ``over_…`` are paired
        differences. 95 % intervals by bootstrap over patients.
    """
    tasks = list(product(features, models))
    priors = [
        pd.DataFrame(_rows(lesions, (title, "", ""), lesions.measure(lesions.priors[name].ravel())))
        for name, title in PRIORS.items()
    ]
    work = (delayed(check_cell)(data, lesions, *task) for task in tasks)
    found = parallel(jobs, return_as="generator")(work)
    cells = list(track(found, "lesions", len(tasks), "cells", quiet=False))
    return pd.concat([*priors, *cells], ignore_index=True)[COLUMNS]


def check_cell(data: Described, lesions: Lesions, features: str, model: str) -> pd.DataFrame:
    """Fit one cell, and measure what each method that knows its model says of it."""
    cell = fit_cell(data, features, model)
    rows: list[dict[str, object]] = []
    for name, method in METHODS.items():
        try:
            found = method(cell, lesions.rows)
        except NotExplainable:
            continue
        measured = lesions.measure(found.worth @ found.weights)
        dealt = [lesions.measure(one @ found.weights) for one in _shuffled(found)]
        shuffled = {key: np.mean([one[key] for one in dealt], axis=0) for key in MEASURES}
        rows += _rows(lesions, (name, features, model), measured, shuffled)
    return pd.DataFrame(rows)


def _shuffled(found: Regional) -> Iterator[Floats]:
    """Deal the values of a family's regions anew, for each image."""
    rng = np.random.default_rng(SEED)
    for _ in range(SHUFFLES):
        dealt = np.empty_like(found.worth)
        for family in dict.fromkeys(found.family):
            own = found.family == family
            dealt[..., own] = rng.permuted(found.worth[..., own], axis=-1)
        yield dealt


def _rows(
    lesions: Lesions,
    names: tuple[str, str, str],
    found: dict[str, Floats],
    shuffled: dict[str, Floats] | None = None,
) -> list[dict[str, object]]:
    virus = (lesions.subtype == "virus").astype(np.int64)
    drawn = PatientBootstrap.draw(lesions.patient, virus, SEED, DRAWS)
    others = {name: lesions.measure(lesions.priors[name].ravel()) for name in ("centre", "lesion")}
    others |= {} if shuffled is None else {"shuffled": shuffled}
    rows = []
    for subtype, (measure, values) in product(SUBTYPES, found.items()):
        own = np.ones(len(values), bool) if subtype == "all" else lesions.subtype == subtype
        row: dict[str, object] = {
            **dict(zip(COLUMNS, names, strict=False)), "subtype": subtype, "images": own.sum(),
            "patients": len(set(lesions.patient[own])), "measure": measure,
        }  # fmt: skip
        if shuffled is not None:
            row["shuffled"] = shuffled[measure][own].mean()
        compared = {
            "value": values,
            **{f"over_{k}": values - v[measure] for k, v in others.items()},
        }
        for name, each in compared.items():
            low, high = ("lo", "hi") if name == "value" else (f"{name}_lo", f"{name}_hi")
            row[name], row[low], row[high] = _mean(each, own, drawn)
        rows.append(row)
    return rows


def _mean(
    values: Floats, own: NDArray[np.bool_], drawn: PatientBootstrap
) -> tuple[float, float, float]:
    weights = drawn.weights * own
    draws = weights @ values / weights.sum(axis=1)
    return (float(values[own].mean()), *percentile_interval(draws))


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("docs/checks/lesions.csv"), show_default=True)  # fmt: skip
@click.option("--images", default=600, show_default=True, help="Phantoms.")
@click.option("--side", default=128, show_default=True, help="Pixels a side.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
def main(out: Path, images: int, side: int, jobs: int) -> None:
    """Fit cells on phantoms and write how well each map of importance finds the lesions."""
    dataset = generate(images, side)
    assert dataset.masks is not None
    data = describe(dataset, FEATURE_SETS_CHECKED, jobs)
    lesions = Lesions.of(dataset.manifest, dataset.masks)
    table = tabulate(data, lesions, FEATURE_SETS_CHECKED, MODELS_CHECKED, jobs)
    table.round(4).to_csv(out, index=False, lineterminator="\n")
    click.echo(f"{len(table)} rows in {out}")


if __name__ == "__main__":
    main()
