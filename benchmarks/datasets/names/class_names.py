"""Which of two or more class names is the negative and which the positive class."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from benchmarks.errors import DataError

# Spellings of the class without the disease, as `normalised` gives them.
KNOWN_NEGATIVE = frozenset({
    "normal", "normals", "healthy", "no finding", "no findings", "negative", "control", "controls",
    "nonpneumonia", "non pneumonia", "no pneumonia", "disease free", "without disease",
})  # fmt: skip
MACRO = "macro"  # the mean over classes in tables; not allowed as the name of a class
_BETWEEN = re.compile(r"[\s_-]+")
_CLASS = re.compile(r"[\w -]+")  # of more than two
_SHOWN = 12  # names in a message


def normalised(name: str) -> str:
    """Normalise a class name for comparison: case, spaces, hyphens and underscores.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> normalised("No_Finding")
    'no finding'
    """
    return _BETWEEN.sub(" ", name).strip().casefold()


def is_known_negative(name: str) -> bool:
    """Whether a name is a known spelling of the class without the disease.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_known_negative("Normal"), is_known_negative("COVID")
    (True, False)
    """
    return normalised(name) in KNOWN_NEGATIVE


def binary_classes(
    names: Collection[str], positive: Sequence[str], negative: Sequence[str], source: str
) -> tuple[tuple[str, str], dict[str, int]]:
    """Find the negative and the positive class among class names; never by their order.

    What the user gave counts first. Otherwise exactly one known negative name and exactly one
    other are expected, and the other is positive.

    Parameters
    ----------
    names : collection of str
        As found in the data, each once.
    positive, negative : sequence of str
        As the user gave them, in any case; may be empty.
    source : str
        Where the names were found, for error messages.

    Returns
    -------
    classes : (str, str)
        Names of the negative and of the positive class; several values are joined by "or".
    values : dict of str to int
        0 or 1 for each name that belongs to a class. The others are to be left out.

    Raises
    ------
    DataError
        If it can't be told which names are positive and which negative.

    Examples
    --------
    >>> binary_classes(["COVID", "Normal"], (), (), "the example")
    (('Normal', 'COVID'), {'Normal': 0, 'COVID': 1})
    >>> binary_classes(["a", "b", "c"], ["c"], ["a"], "the example")
    (('a', 'c'), {'a': 0, 'c': 1})
    """
    found = sorted(set(names))
    ones = [_one_of(found, name, "--positive", source) for name in dict.fromkeys(positive)]
    zeros = [_one_of(found, name, "--negative", source) for name in dict.fromkeys(negative)]
    if both := sorted(set(ones) & set(zeros)):
        raise DataError(
            f"{source}: got {both[0]!r} as --positive and as --negative, but expected each name "
            "once. Remove one of them."
        )
    if not zeros:
        others = [name for name in found if name not in ones]
        known = [name for name in others if is_known_negative(name)]
        zeros = known if ones or len(known) == 1 else []
        zeros = zeros or (others if ones and len(others) == 1 else [])
    if not ones and (negative or zeros):
        others = [name for name in found if name not in zeros]
        ones = others if len(others) == 1 else []
    if not ones or not zeros:
        raise DataError(_ambiguous(found, ones, source))
    values = {**dict.fromkeys(zeros, 0), **dict.fromkeys(ones, 1)}
    return (" or ".join(zeros), " or ".join(ones)), values


def check_class_names(names: Sequence[str], source: str) -> None:
    """Check names of more than two classes, which become names of columns.

    Parameters
    ----------
    names : sequence of str
    source : str
        Where they come from, for error messages.

    Raises
    ------
    DataError
        If a name has other characters than letters, digits, spaces, - and _, or is ``MACRO``.
    """
    if wrong := [name for name in names if not _CLASS.fullmatch(name) or name == MACRO]:
        raise DataError(
            f"{source}: found the class {wrong[0]!r}, but expected names of letters, digits, "
            f"spaces, - and _, other than {MACRO}. Rename it in all splits."
        )


def _one_of(found: list[str], name: str, option: str, source: str) -> str:
    """Return the name as found: equal, or alike but for case, spaces, hyphens and underscores."""
    alike = [name] if name in found else [n for n in found if normalised(n) == normalised(name)]
    if len(alike) != 1:
        raise DataError(
            f"{source}: {option}: got {name!r}, but expected {'only ' * bool(alike)}one of "
            f"{_listed(found)}. Correct the name."
        )
    return alike[0]


def _ambiguous(found: list[str], ones: list[str], source: str) -> str:
    if len(found) == 1:
        return (
            f"{source}: found one class only, {found[0]}, but expected two. Give data that have "
            "both classes, or check the options that leave rows out."
        )
    missing = "--negative" if ones else "--positive"
    words = f"the negative class besides {' or '.join(ones)}" if ones else "one that is positive"
    example = "NAME or --positive NAME,NAME" if missing == "--positive" else "NAME"
    return (
        f"{source}: found the classes {_listed(found)}, but expected {words}, which their names "
        f"do not tell. Give {missing} {example}; classes named in neither --positive nor "
        "--negative are left out."
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
