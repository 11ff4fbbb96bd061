"""Time a plain script with standard libraries, on the same images and split."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.config import RunConfig, load_config
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import Dataset
from benchmarks.io.results import write_table
from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.speed.peer_features import FAMILIES, describe, embed, read, stretch
from benchmarks.speed.peer_models import classifiers
from features import DEFAULT_FEATURE_SETS, all_feature_sets
from features.weights import file_of

Result = TypeVar("Result")

SHOWN = ("auc", "precision", "recall")
NETWORKS = {"embedding": True, "embedding_random": False}


@dataclass
class Clock:
    """Wall time of each stage.

    Attributes
    ----------
    seconds : dict of float
        By stage, in the order in which the stages ran.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    def time(self, stage: str, call: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function, record its time and print it.

        Parameters
        ----------
        stage : str
            Name of the stage.
        call : callable
        *arguments
            Of the call.

        Returns
        -------
        object
            What the call returned.
        """
        start = time.perf_counter()
        result = call(*arguments)
        self.seconds[stage] = time.perf_counter() - start
        click.echo(f"  {stage}: {self.seconds[stage]:.1f} s", err=True)
        return result

    def table(self) -> pd.DataFrame:
        """Return the table of ``stage`` and ``seconds``; the last row is the total."""
        rows = [*self.seconds.items(), ("total", sum(self.seconds.values()))]
        return pd.DataFrame(rows, columns=["stage", "seconds"])


def run_peer(config: RunConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the plain script on the images and the split that the benchmark would use.

    Parameters
    ----------
    config : RunConfig
        ``data``, ``weights``, the first ``backbone``, ``image_size`` and ``limit`` apply; cropping
        does not.

    Returns
    -------
    times : DataFrame
        ``stage``, ``seconds`` (wall time on all cores).
    scores : DataFrame
        One row per feature set × classifier: ``auc``, ``precision`` and ``recall`` at 0.5 on the
        test split, with 95 % intervals.
    """
    clock = Clock()
    dataset = datasets.load(config, datasets.image_size(config))
    split = splits.assign(dataset.manifest)[0].to_numpy()
    images = clock.time("reading", _read, dataset, config)
    matrices = _describe(images, config, clock)
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    label = dataset.manifest["label"].to_numpy()
    score_row = _scorer(dataset.manifest.iloc[test])
    rows = []
    for name in (
        key for key in DEFAULT_FEATURE_SETS if set(all_feature_sets()[key]) <= set(matrices)
    ):
        X = np.hstack([matrices[family] for family in all_feature_sets()[name]])
        for model, pipeline in classifiers(len(train), X.shape[1]).items():
            score = clock.time(
                f"{name}/{model}", _fit_and_score, pipeline, X[train], label[train], X[test]
            )
            rows.append({"features": name, "model": model, **score_row(score)})
    return clock.table(), pd.DataFrame(rows)


def _describe(
    images: NDArray[np.uint8], config: RunConfig, clock: Clock
) -> dict[str, NDArray[np.float32]]:
    """Compute matrices by family; skip those of networks whose weights or torch are missing."""
    matrices = {}
    for family in FAMILIES:
        matrices[family] = clock.time(family, describe, family, images)
    for family, pretrained in NETWORKS.items():
        backbone = config.backbones[0]
        weights = file_of(config.weights, backbone) if pretrained else None
        try:
            matrices[family] = clock.time(family, embed, images, backbone, weights, pretrained)
        except (ImportError, OSError) as error:
            click.echo(f"  {family}: skipped, {type(error).__name__}. Give --weights.", err=True)
    return matrices


def _fit_and_score(
    pipeline: Any, X: NDArray[np.float32], y: NDArray[np.integer], new: NDArray[np.float32]
) -> NDArray[np.float64]:
    return np.asarray(pipeline.fit(X, y).predict_proba(new)[:, 1], dtype=np.float64)


def _read(dataset: Dataset, config: RunConfig) -> NDArray[np.uint8]:
    """Read the files again with Pillow; images without files are in memory already."""
    root = Path(config.data)
    if not root.is_dir():
        return np.stack([stretch(image) for image in np.asarray(dataset.images)])
    return np.stack(
        Parallel(n_jobs=-1)(
            delayed(_read_one)(root / name, datasets.image_size(config))
            for name in dataset.manifest["image"]
        )
    )


def _read_one(path: Path, size: int) -> NDArray[np.uint8]:
    return stretch(read(path, size))


def _scorer(test: pd.DataFrame) -> Callable[[NDArray[np.float64]], dict[str, float]]:
    label, subtype = test["label"].to_numpy(), test["subtype"].to_numpy(dtype=object)
    bootstrap = PatientBootstrap.draw(test["group"].to_numpy(dtype=object), label, seed=0)

    def score_row(score: NDArray[np.float64]) -> dict[str, float]:
        values = evaluate(label, score, 0.5, subtype, bootstrap)
        return {name + end: values[name + end] for name in SHOWN for end in ("", "_lo", "_hi")}

    return score_row


@click.command()
@click.option("--data", default="phantoms", show_default=True, help="As in run_benchmark.py.")
@click.option("--weights", type=click.Path(path_type=Path), help="ImageNet weights, a file.")
@click.option("--limit", type=int, help="About how many images.")
@click.option("--image-size", type=int, help="Side in pixels.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the two tables.")
def _main(out: Path | None, **options: Any) -> None:
    """Time a plain script with scikit-image, timm and scikit-learn, on all cores."""
    config = load_config({key: value for key, value in options.items() if value is not None})
    times, scores = run_peer(config)
    click.echo(times.to_markdown(index=False, floatfmt=".1f"))
    click.echo(scores.to_markdown(index=False, floatfmt=".3f"))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_table(out, "peer", times)
        write_table(out, "peer_scores", scores)


if __name__ == "__main__":
    _main()
