"""Patients who share an image, joined to one group before anything is split."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def components(n: int, pairs: NDArray[np.intp]) -> list[tuple[int, ...]]:
    """Join pairs that share a member into sets.

    Parameters
    ----------
    n : int
        Members are numbered from 0 to n − 1.
    pairs : ndarray of shape (m, 2), int

    Returns
    -------
    list of tuple of int
        Ascending; members without a pair are left out.

    Examples
    --------
    >>> components(6, np.array([[4, 1], [2, 4], [0, 5]]))
    [(0, 5), (1, 2, 4)]
    """
    ones = np.ones(len(pairs), dtype=np.int8)
    _, joined = connected_components(coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)))
    sets = pd.Series(np.arange(n)).groupby(joined).agg(tuple)
    return sorted(members for members in sets if len(members) > 1)


def keep_together(manifest: pd.DataFrame, duplicates: Iterable[tuple[int, ...]]) -> pd.Series:
    """Join the patients who share an image, so that no split separates its copies.

    Parameters
    ----------
    manifest : DataFrame
        With ``group`` and ``split`` as found.
    duplicates : iterable of tuple of int
        Positions of rows of the same content or exposure.

    Returns
    -------
    Series of str
        The group of each row, named like its first patient. Patients are joined within test, and
        within train and validation together; a copy across test and another split joins nobody.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["b", "a", "c", "d"], "split": ["train"] * 3 + ["test"]})
    >>> keep_together(table, [(0, 1), (2, 3)]).tolist()
    ['a', 'a', 'c', 'd']
    """
    patients, number = np.unique(manifest["group"].to_numpy(dtype=str), return_inverse=True)
    in_test = (manifest["split"] == "test").to_numpy()
    pairs = [
        (number[own[0]], number[row])
        for rows in duplicates
        for own in ([r for r in rows if in_test[r]], [r for r in rows if not in_test[r]])
        for row in own[1:]
    ]
    joined = components(len(patients), np.array(pairs, dtype=np.intp).reshape(-1, 2))
    names = {patients[member]: patients[members[0]] for members in joined for member in members}
    return manifest["group"].map(lambda patient: str(names.get(patient, patient)))


def joined_notes(before: pd.Series, after: pd.Series) -> list[str]:
    """Say how many patients count as one with others.

    Parameters
    ----------
    before, after : Series of str
        Patient of each image as found, and from :func:`keep_together`.

    Returns
    -------
    list of str
        For the report; empty if no patients were joined.

    Examples
    --------
    >>> joined_notes(pd.Series(["a", "b", "c"]), pd.Series(["a", "a", "c"]))
    ['2 patients share a copied image and count as 1 in all numbers: 2 patients instead of 3.']
    """
    sizes = before.groupby(after).nunique()
    shared = sizes[sizes > 1]
    if shared.empty:
        return []
    return [
        f"{shared.sum():,} patients share a copied image and count as {len(shared):,} in all "
        f"numbers: {after.nunique():,} patients instead of {before.nunique():,}."
    ]
