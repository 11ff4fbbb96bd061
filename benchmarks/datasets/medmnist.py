"""PneumoniaMNIST and ChestMNIST of MedMNIST, downloaded once and verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.kermany import MEDMNIST
from benchmarks.datasets.npz import read_npz
from benchmarks.datasets.recipes.nih import RECIPE as NIH
from benchmarks.datasets.recipes.source import Source

IMAGE_SIZE = 224  # pixels, where a run sets none
RECORD = "https://zenodo.org/records/10519652/files"
OPTIONS = ("label",)
TIMEOUT = 20  # seconds without a response
_LICENCE = "CC BY 4.0"
_CITATION = (
    "Yang J et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image "
    "classification. Scientific Data 2023;10:41. doi:10.1038/s41597-022-01721-8"
)


@dataclass(frozen=True)
class Flag:
    """One data set of MedMNIST.

    Attributes
    ----------
    title : str
    md5 : mapping of int to str
        Of the published file, by the side of its images in pixels.
    source : Source
    labels : tuple of str
        What the columns of labels mean; empty if an image has one label.
    label : str
        The one that is used unless the user names another.
    note : str
        What a reader of the report must know.
    """

    title: str
    md5: Mapping[int, str]
    source: Source
    labels: tuple[str, ...] = ()
    label: str = ""
    note: str = ""


FLAGS: dict[str, Flag] = {
    "pneumoniamnist": Flag(
        title="PneumoniaMNIST",
        md5={
            28: "28209eda62fecd6e6a2d98b1501bb15f",
            64: "8f4eceb4ccffa70c672198ea285246c6",
            128: "05b46931834c231683c68f40c47b2971",
            224: "d6a3c71de1b945ea11211b03746c1fe1",
        },
        source=MEDMNIST,
    ),
    "chestmnist": Flag(
        title="ChestMNIST",
        md5={
            28: "02c8a6516a18b556561a56cbdd36c4a8",
            64: "9de6cd0b934ebb5b7426cfba5efbae16",
            128: "db107e5590b27930b62dbaf558aebee3",
            224: "45bd33e6f06c3e8cdb481c74a89152aa",
        },
        source=Source(
            licence=_LICENCE,
            citation=f"{_CITATION}; {NIH.source.citation}",
            limitations=(
                *NIH.source.limitations,
                "Images without the label may have any of the other 13.",
            ),
            facts=NIH.source.facts,
        ),
        labels=(
            "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule",
            "pneumonia", "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis",
            "pleural", "hernia",
        ),
        label="pneumonia",
        note="An image is positive if it has the label, whatever its other 13 labels. The reading "
        "was only tried on a replica of the file.",
    ),
}  # fmt: skip


def load(config: RunConfig, size: int) -> Dataset:
    """Download the file of the smallest size that is at least ``--image-size``, and read it.

    Parameters
    ----------
    config : RunConfig
        ``data`` is a key of ``FLAGS``; ``label`` (of several), ``image_size`` and ``quiet`` apply.
    size : int
        Side to which images are resized, in pixels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file can't be downloaded, its md5 is wrong, or there is no such label.
    """
    flag = FLAGS[config.data]
    reading = _reading(config, flag)
    file = fetch(config.data, file_size(config.image_size or IMAGE_SIZE), quiet=config.quiet)
    dataset = read_npz(file, size, reading, pneumoniamnist=not flag.labels)
    notes = (flag.note, *dataset.notes) if flag.note else dataset.notes
    return replace(dataset, name=config.data, notes=notes, **vars(flag.source))


def columns_of(config: RunConfig) -> list[str]:
    """List the labels of a data set of which each image has several.

    Parameters
    ----------
    config : RunConfig
        ``data`` is a key of ``FLAGS``.

    Returns
    -------
    list of str
    """
    return list(FLAGS[config.data].labels)


def _reading(config: RunConfig, flag: Flag) -> RunConfig:
    """Name the label that is used by its number, and the classes by its name."""
    label = config.label[0] if config.label else flag.label
    if label and label.casefold() not in flag.labels:
        expected = f"one of {', '.join(flag.labels)}" if flag.labels else "none"
        raise DataError(f"--label: got {label}, but expected {expected} for {flag.title}.")
    if not label:
        return config
    name = label.casefold()
    classes = (f"no {name}", name)
    return config.model_copy(
        update={"label": (str(flag.labels.index(name)),), "class_names": classes}
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
    sides = FLAGS["pneumoniamnist"].md5  # all have the same
    return min((published for published in sides if published >= size), default=max(sides))


def fetch(name: str, size: int, quiet: bool = False) -> Path:
    """Download one of the published files to the user's cache folder, or find it there.

    Parameters
    ----------
    name : str
        Key of ``FLAGS``.
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

    file, md5 = f"{name}{'' if size == 28 else f'_{size}'}.npz", FLAGS[name].md5[size]
    url = f"{RECORD}/{file}"
    if quiet:
        pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(
            f"{url}?download=1",
            known_hash=f"md5:{md5}",
            fname=file,
            path=pooch.os_cache("cxr-classical-baseline"),
            downloader=pooch.HTTPDownloader(progressbar=not quiet, timeout=TIMEOUT),
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{url}: could not be downloaded intact ({error}). Check the network, or download the "
            f"file (md5 {md5}) in another way and give it as --data {file}."
        ) from error
    return Path(path)
