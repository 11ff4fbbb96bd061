"""What the values of a column of labels mean: disease, no disease, uncertain, or left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.datasets.names.class_names import (
    binary_classes,
    is_known_negative,
    normalised,
)
from benchmarks.errors import DataError

UNCERTAIN = frozenset({"", "-1"})
FLAGS = frozenset({"0", "1"})
SEPARATORS = re.compile(r"[|;]")  # between the findings of one image
# Names of columns that do not say what 1 means.
_GENERAL = frozenset({
    "label", "labels", "class", "classes", "class id", "target", "targets", "y", "category",
    "result", "outcome", "diagnosis", "type", "group", "ground truth", "gt", "id", "value", "code",
})  # fmt: skip
_WHOLE = re.compile(r"^([+-]?\d+)\.0+$")
_TRUTH = {"true": "1", "false": "0"}
_SHOWN = 8  # values in a note


@dataclass(frozen=True)
class Labels:
    """Meaning of a column of labels.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes; of two, the second is positive.
    label : Series of int
        Position of each row's class in ``classes``; -1 for rows to leave out.
    reason : Series of str
        Why a row is left out: ``label`` (in neither class) or ``uncertain``; else empty.
    notes : tuple of str
        Which values are positive and negative.
    """

    classes: tuple[str, ...]
    label: pd.Series
    reason: pd.Series
    notes: tuple[str, ...]


def canonical(values: pd.Series) -> pd.Series:
    """Write equal values alike: without spaces around, ``1.0`` as ``1``, a minus sign as ``-``.

    Parameters
    ----------
    values : Series of str

    Returns
    -------
    Series of str

    Examples
    --------
    >>> canonical(pd.Series([" 1.0", "−1", "A "])).tolist()
    ['1', '-1', 'A']
    """
    distinct = pd.Series(values.unique(), dtype=str)
    plain = distinct.str.strip().str.replace("\u2212", "-").str.replace(_WHOLE, r"\1", regex=True)
    return values.map(dict(zip(distinct, plain, strict=True)))


def read_labels(
    values: pd.Series,
    column: str,
    positive: Sequence[str],
    negative: Sequence[str],
    uncertain: str,
    source: str,
) -> Labels:
    """Find the class of each row.

    A value belongs to the positive class if it, or one of the findings that it lists (``A|B``), is
    positive; to the negative class if it, or all its findings, are negative. A column named after
    a finding may hold 1 (present) and 0 (absent).

    Parameters
    ----------
    values : Series of str
    column : str
        Its name in the table.
    positive, negative : sequence of str
        As the user gave them; may be empty.
    uncertain : {"drop", "positive", "negative"}
        What becomes of blank values and −1, if they are in neither of the two.
    source : str
        For error messages.

    Returns
    -------
    Labels

    Raises
    ------
    DataError
        If it can't be told which values are positive and which negative.
    """
    values = canonical(values)
    words = [
        canonical(pd.Series(list(given), dtype=str)).tolist() for given in (positive, negative)
    ]
    if set(values.str.casefold()) - UNCERTAIN <= set(_TRUTH):
        values = values.str.casefold().replace(_TRUTH)
        words = [[_TRUTH.get(word.casefold(), word) for word in given] for given in words]
    is_uncertain = values.isin(UNCERTAIN) & ~values.isin([*words[0], *words[1]])
    found = values[~is_uncertain].unique().tolist()
    classes, meaning = _meaning(found, column, words, uncertain, f"{source}, column {column}")
    class_of = {value: _class_of(value, meaning) for value in found}
    label = values.map(class_of).where(~is_uncertain, -1).astype(int)
    if uncertain != "drop":
        label = label.mask(is_uncertain, int(uncertain == "positive"))
    reason = pd.Series(np.where(label >= 0, "", "label"), index=values.index, dtype=object)
    reason = reason.mask((label < 0) & is_uncertain, "uncertain")
    notes = [_said(column, classes, meaning)]
    if uncertain != "drop" and is_uncertain.any():
        notes.append(
            f"{is_uncertain.sum():,} rows with a blank label or −1 count as {uncertain} "
            f"(--uncertain {uncertain})."
        )
    return Labels(classes, label, reason, tuple(notes))


def read_classes(values: pd.Series) -> Labels:
    """Find the class of each row where every value is a class of its own.

    Parameters
    ----------
    values : Series of str

    Returns
    -------
    Labels
        Blank values, −1 and values that list several findings are left out.
    """
    values = canonical(values)
    uncertain = values.isin(UNCERTAIN)
    several = values.str.contains(SEPARATORS)
    classes = tuple(sorted(set(values[~uncertain & ~several])))
    label = values.map({name: k for k, name in enumerate(classes)}).fillna(-1).astype(int)
    reason = pd.Series(np.where(several, "label", ""), index=values.index, dtype=object)
    return Labels(classes, label, reason.mask(uncertain, "uncertain"), ())


def left_out_notes(excluded: pd.DataFrame) -> list[str]:
    """Say how many rows were left out for their label, by value.

    Parameters
    ----------
    excluded : DataFrame
        ``reason``, ``label_value``, ``images``.

    Returns
    -------
    list of str
        For the report.

    Examples
    --------
    >>> left_out_notes(pd.DataFrame([("label", "Mass", 3)],
    ...                             columns=["reason", "label_value", "images"]))
    ['Left out for a label in neither class: 3 rows (Mass: 3).']
    """
    words = {"label": "a label in neither class", "uncertain": "an uncertain label"}
    notes = []
    for reason, rows in excluded.groupby("reason", sort=False):
        rows = rows.sort_values("images", ascending=False, kind="stable")
        listed = ", ".join(
            f"{value or 'blank'}: {n:,}"
            for value, n in zip(rows["label_value"].head(_SHOWN), rows["images"], strict=False)
        )
        more = f" and {len(rows) - _SHOWN:,} more values" * (len(rows) > _SHOWN)
        notes.append(
            f"Left out for {words[str(reason)]}: {rows['images'].sum():,} rows ({listed}{more})."
        )
    return notes


def _meaning(
    found: Sequence[str], column: str, words: Sequence[Sequence[str]], uncertain: str, source: str
) -> tuple[tuple[str, str], dict[str, int]]:
    """Names of the classes, and the class of each single value that is in one."""
    named = normalised(column) not in _GENERAL and not is_known_negative(column)
    as_flags = set(words[0]) <= {"1"} and set(words[1]) <= {"0"}
    if named and as_flags and "1" in found and set(found) <= FLAGS:
        if "0" not in found and uncertain != "negative":
            raise DataError(
                f"{source}: found only 1 and blank values, but expected 0, too. If a blank means "
                "that the finding is absent, give --uncertain negative."
            )
        return (f"no {column}", column), {"0": 0, "1": 1}
    single = {part for value in found for part in _parts(value)}
    whole = {word for word in [*words[0], *words[1]] if word in found}
    return binary_classes(single | whole, words[0], words[1], source)


def _parts(value: str) -> list[str]:
    return [part.strip() for part in SEPARATORS.split(value) if part.strip()]


def _class_of(value: str, meaning: dict[str, int]) -> int:
    if value in meaning:
        return meaning[value]
    classes = [meaning.get(part, -1) for part in _parts(value)]
    if 1 in classes:
        return 1
    return 0 if classes and set(classes) == {0} else -1


def _said(column: str, classes: Collection[str], meaning: dict[str, int]) -> str:
    values = [" or ".join(v for v, k in meaning.items() if k == label) for label in (1, 0)]
    negative, positive = classes
    named = [
        value if value == name else f"{value} ({name})"
        for value, name in zip(values, (positive, negative), strict=True)
    ]
    return f"Column {column}: positive is {named[0]}, negative is {named[1]}."
