"""Time the descriptors on phantoms against scikit-image and mahotas, and print a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click
import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.datasets.phantoms import generate
from benchmarks.speed.kernels import GreyImages, cases, describe_all, jpeg_decoder
from features.preprocess import stretch_contrast

Call = Callable[[], object]


def seconds(call: Call) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleave(calls: dict[str, Call], repetitions: int) -> pd.DataFrame:
    """Time every call once a repetition, in turn, after a first untimed round.

    Returns
    -------
    DataFrame
        A row a repetition, a column a call, seconds. What disturbs the machine disturbs
        neighbours in a row alike, so ratios within a row are sounder than of two columns' times.
    """
    for call in calls.values():
        call()
    return pd.DataFrame(
        [{name: seconds(call) for name, call in calls.items()} for _ in range(repetitions)]
    )


def one_thread(images: GreyImages, repetitions: int) -> pd.DataFrame:
    """Compare each family and their sum with its peers on one thread; a row a comparison."""
    calls: dict[str, Call] = {}
    scale = {}
    for case in cases():
        calls[case.name] = partial(case.ours, images)
        for peer, function in case.peers.items():
            sample = images[:1] if peer == "mahotas" else images
            calls[f"{case.name} {peer}"] = partial(_each, function, sample)
            scale[f"{case.name} {peer}"] = len(images) / len(sample)
    calls["JPEG decoding"] = jpeg_decoder(images)
    calls["one pass over memory"] = images.max
    times = interleave(calls, repetitions) / len(images)
    times = times.mul(pd.Series(scale).reindex(times.columns, fill_value=1.0), axis=1)
    families = [case.name for case in cases()]
    peers = [f"{name} scikit-image" for name in families]
    times["sum"], times["sum scikit-image"] = times[families].sum(axis=1), times[peers].sum(axis=1)
    rows = [_row(times, name, peer) for name, peer in _pairs([*families, "sum"], times.columns)]
    floors = ("JPEG decoding", "one pass over memory")
    return pd.DataFrame(rows + [_row(times, "sum", floor) for floor in floors])


def two_threads(images: GreyImages, repetitions: int) -> pd.DataFrame:
    """Compare describing a batch on two threads with one."""
    calls: dict[str, Call] = {
        "batch, two threads": partial(describe_all, images, 2),
        "batch, one thread": partial(describe_all, images, 1),
    }
    times = interleave(calls, repetitions) / len(images)
    return pd.DataFrame([_row(times, *calls)])


def _each(function: Callable[[GreyImages], object], images: GreyImages) -> None:
    for image in images:
        function(image)


def _pairs(names: list[str], columns: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, peer) for name in names for peer in columns if peer.startswith(f"{name} ")]


def _row(times: pd.DataFrame, name: str, peer: str) -> dict[str, object]:
    """Median times in milliseconds an image; median of the ratios within repetitions."""
    return {
        "ours": name,
        "ms": 1000 * times[name].median(),
        "compared with": peer,
        "its ms": 1000 * times[peer].median(),
        "its time / ours": (times[peer] / times[name]).median(),
    }


@click.command()
@click.option("--size", default=224, show_default=True, help="Side of the phantoms in pixels.")
@click.option("--images", default=8, show_default=True, help="Phantoms a round.")
@click.option("--repetitions", default=15, show_default=True, help="Rounds.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for speed.csv.")
def main(size: int, images: int, repetitions: int, out: Path | None) -> None:
    """Time HOG, LBP and GLCM on phantoms, all in one process."""
    cv2.setNumThreads(1)
    phantoms = stretch_contrast(generate(max(images, 16), size).images)
    click.echo(
        "Kernels compile at their first use (some 20 seconds) and are kept on disk.", err=True
    )
    with threadpool_limits(limits=1):
        alone = one_thread(phantoms[:images], repetitions)
        batch = np.concatenate([phantoms] * max(1, 128 // len(phantoms)))
        table = pd.concat([alone, two_threads(batch, repetitions)], ignore_index=True)
    click.echo(table.to_markdown(index=False, floatfmt=".3f"))
    if not any("mahotas" in peer for peer in table["compared with"]):
        click.echo("mahotas is not installed and was left out: pip install mahotas")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        table.to_csv(out / "speed.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
