"""PneumoniaMNIST of MedMNIST, downloaded once and verified: 5,856 pediatric chest radiographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.kermany import MEDMNIST
from benchmarks.datasets.npz import read_npz

IMAGE_SIZE = 224  # pixels, where a run sets none
RECORD = "https://zenodo.org/records/10519652/files"
MD5 = {
    28: "28209eda62fecd6e6a2d98b1501bb15f",
    64: "8f4eceb4ccffa70c672198ea285246c6",
    128: "05b46931834c231683c68f40c47b2971",
    224: "d6a3c71de1b945ea11211b03746c1fe1",
}
TIMEOUT = 20  # seconds without a response


def load(config: RunConfig, size: int) -> Dataset:
    """Download the file of the smallest size that is at least ``--image-size``, and read it.

    Parameters
    ----------
    config : RunConfig
        ``image_size`` and ``quiet`` apply.
    size : int
        Side to which images are resized, in pixels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file can't be downloaded or its md5 is wrong.
    """
    file = fetch(file_size(config.image_size or IMAGE_SIZE), quiet=config.quiet)
    return replace(
        read_npz(file, size, config, pneumoniamnist=True),
        name="pneumoniamnist",
        **vars(MEDMNIST),
    )


def file_size(size: int) -> int:
    """Return the smallest published size of at least ``size``, or the largest if none is.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    int
        In pixels.

    Examples
    --------
    >>> file_size(100), file_size(512)
    (128, 224)
    """
    return min((published for published in MD5 if published >= size), default=max(MD5))


def fetch(size: int, quiet: bool = False) -> Path:
    """Download one of the published files to the user's cache folder, or find it there.

    Parameters
    ----------
    size : int
        28, 64, 128 or 224 pixels.
    quiet : bool
        Whether to hide the progress bar.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the file can't be downloaded or its md5 is wrong.
    """
    import pooch

    name = f"pneumoniamnist{'' if size == 28 else f'_{size}'}.npz"
    url = f"{RECORD}/{name}"
    if quiet:
        pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(
            f"{url}?download=1",
            known_hash=f"md5:{MD5[size]}",
            fname=name,
            path=pooch.os_cache("cxr-classical-baseline"),
            downloader=pooch.HTTPDownloader(progressbar=not quiet, timeout=TIMEOUT),
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{url}: could not be downloaded intact ({error}). Check the network, or download the "
            f"file (md5 {MD5[size]}) in another way and give it as --data {name}."
        ) from error
    return Path(path)
