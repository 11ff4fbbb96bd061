"""What a data set is to the benchmark: images, a manifest, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.errors import UserError
from benchmarks.io.image_stack import ImageStack

CLASSES = ("NORMAL", "PNEUMONIA")
MACRO = "macro"  # the mean over classes in tables; no class may have this name


class DataError(UserError, ValueError):
    """The data can't be used; the message says what was found, expected, and the remedy."""


@dataclass(frozen=True)
class Dataset:
    """Images of one data set with everything the protocol needs to know of each.

    Attributes
    ----------
    name : str
        Short name, used in the run folder's name and the report.
    images : ndarray or ImageStack of shape (n, S, S), uint8
        Grey images, resized but otherwise as found; row ``i`` belongs to manifest row ``i``.
    manifest : DataFrame of n rows
        ``image`` (identifier: the path inside the data folder), ``label`` (position of its class
        in ``classes``; 1 = PNEUMONIA), ``class`` (its name), ``subtype`` (bacteria, virus or
        empty), ``group`` (the patient), ``split`` (train, validation or test), ``sha256`` (of the
        content), ``width`` and ``height`` (pixels, as found, after EXIF orientation), ``frames``
        (in the file), ``bytes`` (size of the file; 0 for images that have none of their own).
        Sorted by ``image``.
    licence, citation : str
        Of the data, for the report.
    classes : tuple of str
        Names of the classes: NORMAL and PNEUMONIA, or more than two.
    synthetic : bool
        Whether the images are phantoms.
    masks : ndarray of shape (n, S, S), bool, or None
        Where the lesion is, if known.
    notes : tuple of str
        What a reader of the report must know about how the data was read.
    patients_known : bool
        False if most file names tell no patient, so that images count as their own.
    ignored_files : int
        Hidden files passed over.
    left_out : DataFrame
        ``image``, ``reason``: what could not be read.
    """

    name: str
    images: NDArray[np.uint8] | ImageStack
    manifest: pd.DataFrame
    licence: str
    citation: str
    classes: tuple[str, ...] = CLASSES
    synthetic: bool = False
    masks: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    patients_known: bool = True
    ignored_files: int = 0
    left_out: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["image", "reason"], dtype=str)
    )


def take(dataset: Dataset, rows: NDArray[np.intp]) -> Dataset:
    """Return the data set of some rows, given by position."""
    return replace(
        dataset,
        images=ImageStack.of(dataset.images).take(rows),
        manifest=dataset.manifest.iloc[rows].reset_index(drop=True),
        masks=None if dataset.masks is None else dataset.masks[rows],
    )


def by_subtype(
    manifest: pd.DataFrame, classes: tuple[str, ...], source: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Make a class of each subtype of the positive class.

    Parameters
    ----------
    manifest : DataFrame
        With ``image``, ``label``, ``class`` and ``subtype`` of two classes.
    classes : tuple of two str
        Names of the negative and of the positive class.
    source : str
        Where the manifest comes from, for error messages.

    Returns
    -------
    manifest : DataFrame
        The same rows with new ``label`` and ``class``.
    classes : tuple of str
        The negative class and the subtypes, sorted.

    Raises
    ------
    DataError
        If a positive image has no subtype, or all have the same.

    Examples
    --------
    >>> table = pd.DataFrame({"image": ["a", "b", "c"], "label": [0, 1, 1],
    ...     "class": ["NORMAL", "PNEUMONIA", "PNEUMONIA"], "subtype": ["", "virus", "bacteria"]})
    >>> table, classes = by_subtype(table, ("NORMAL", "PNEUMONIA"), "the example")
    >>> classes, table["label"].tolist()
    (('NORMAL', 'bacteria', 'virus'), [0, 2, 1])
    """
    negative, positive = classes
    is_negative = (manifest["class"] == negative).to_numpy()
    subtype = manifest["subtype"].to_numpy(dtype=object)
    unknown = ~is_negative & (subtype == "")
    if unknown.any():
        raise DataError(
            f"{source}: {unknown.sum()} images of {positive} have no subtype, for example "
            f"{manifest['image'][unknown].iloc[0]}, but --task subtype expects one for each (in a "
            "folder: in the file name, as person12_virus_9.jpeg), or more than two classes. "
            "Rename or remove these images, or omit --task."
        )
    subtypes = sorted(set(subtype[~is_negative]))
    if len(subtypes) < 2:
        raise DataError(
            f"{source}: found the subtypes {', '.join(subtypes) or 'none'}, but --task subtype "
            "expects at least two. Add images, or omit --task."
        )
    names = np.where(is_negative, negative, subtype)
    new = (negative, *subtypes)
    label = pd.Series(names).map({name: k for k, name in enumerate(new)}).to_numpy()
    return manifest.assign(**{"label": label, "class": names}), new
