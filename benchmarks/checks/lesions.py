"""Check whether maps of importance find lesions, on phantoms with known lesions."""

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
    Floats,
    PhantomFeatures,
    Regional,
    describe,
    fit_cell,
)
from benchmarks.datasets.phantoms import generate
from benchmarks.importance.shap_values import NotExplainable
from benchmarks.io.progress import track
from benchmarks.io.tables import write_csv
from benchmarks.io.workers import parallel
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval

DRAWS = 1000
SHUFFLES = 3  # permutations per image
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
    """Images with lesions in the test split, with their masks.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Positions in the data set.
    masks : ndarray of shape (n, S, S), bool
    subtype, patient : ndarray of shape (n,), str
    priors : dict of ndarray of shape (S, S), float64
        Maps that are the same for all images: ``even``; ``centre``, a Gaussian; and ``lesion``, the
        mean mask of the training images, which is unknown in practice.
    """

    rows: NDArray[np.intp]
    masks: NDArray[np.bool_]
    subtype: NDArray[np.object_]
    patient: NDArray[np.object_]
    priors: dict[str, Floats]

    @classmethod
    def of(cls, manifest: pd.DataFrame, masks: NDArray[np.bool_]) -> Lesions:
        """Select the images with lesions from a set of phantoms.

        Parameters
        ----------
        manifest : DataFrame of n rows
        masks : ndarray of shape (n, S, S), bool

        Returns
        -------
        Lesions
        """
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
        """Compute every measure of localisation for every image.

        Parameters
        ----------
        maps : ndarray of shape (n, S × S) or (S × S,)
            One map per image, or one for all images.

        Returns
        -------
        dict of ndarray of shape (n,)
            By measure.
        """
        each = np.broadcast_to(maps, (len(self.rows), self.masks[0].size))
        shape = self.masks.shape[1:]
        return {
            name: np.array([of(one.reshape(shape), mask)
                            for one, mask in zip(each, self.masks, strict=True)])
            for name, of in MEASURES.items()
        }  # fmt: skip


def tabulate(
    data: PhantomFeatures,
    lesions: Lesions,
    features: tuple[str, ...],
    models: tuple[str, ...],
    jobs: int,
) -> pd.DataFrame:
    """Compute the localisation of every method for every cell.

    Parameters
    ----------
    data : PhantomFeatures
    lesions : Lesions
    features, models : tuple of str
        The cells are all pairs of them.
    jobs : int
        Number of processes, which does not change the results.

    Returns
    -------
    DataFrame
        One row per method, cell, subtype and measure, with the columns ``COLUMNS``. ``shuffled`` is
        the same map after permutation of the values of the regions within each family. ``over_…``
        are paired differences. 95 % confidence intervals are by bootstrap over patients.
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


def check_cell(data: PhantomFeatures, lesions: Lesions, features: str, model: str) -> pd.DataFrame:
    """Fit one cell and compute the localisation of each method that supports its model.

    Parameters
    ----------
    data : PhantomFeatures
    lesions : Lesions
    features, model : str

    Returns
    -------
    DataFrame
        Rows of :func:`tabulate`.
    """
    cell = fit_cell(data, features, model)
    rows: list[dict[str, object]] = []
    for name, method in METHODS.items():
        try:
            found = method(cell, lesions.rows)
        except NotExplainable:
            continue
        measured = lesions.measure(found.importance @ found.weights)
        permuted = [lesions.measure(one @ found.weights) for one in _shuffled(found)]
        shuffled = {key: np.mean([one[key] for one in permuted], axis=0) for key in MEASURES}
        rows += _rows(lesions, (name, features, model), measured, shuffled)
    return pd.DataFrame(rows)


def _shuffled(found: Regional) -> Iterator[Floats]:
    """Permute the values of the regions of each family, for each image."""
    rng = np.random.default_rng(SEED)
    for _ in range(SHUFFLES):
        permuted = np.empty_like(found.importance)
        for family in dict.fromkeys(found.family):
            own = found.family == family
            permuted[..., own] = rng.permuted(found.importance[..., own], axis=-1)
        yield permuted


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
@click.option("--images", default=600, show_default=True, help="Number of phantoms.")
@click.option("--side", default=128, show_default=True, help="Width and height in pixels.")
@click.option("--jobs", default=2, show_default=True, help="Number of processes.")
def _main(out: Path, images: int, side: int, jobs: int) -> None:
    """Write how well each map of importance finds the lesions of phantoms."""
    dataset = generate(images, side)
    assert dataset.masks is not None
    data = describe(dataset, FEATURE_SETS_CHECKED, jobs)
    lesions = Lesions.of(dataset.manifest, dataset.masks)
    table = tabulate(data, lesions, FEATURE_SETS_CHECKED, MODELS_CHECKED, jobs)
    write_csv(out, table.round(4))
    click.echo(f"{len(table)} rows in {out}")


if __name__ == "__main__":
    _main()
