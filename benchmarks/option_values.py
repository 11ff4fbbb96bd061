"""What the text of an option means: names, pairs of names and files, one of several choices."""

from __future__ import annotations

import csv
import difflib
import re
from itertools import permutations
from pathlib import Path
from typing import Any

from features import all_feature_sets

# What a column of a table of images can mean.
TABLE_KEYS = ("image", "label", "patient", "split", "subtype", "view", "site", "sex", "age")
_INTEGER = re.compile(r"[+-]?[0-9]{1,6}")
_NETWORK_AND_FILE = re.compile(r"([A-Za-z0-9_.]+)=(.+)")


def weight_files(value: Any) -> Any:
    """Read which file holds the weights of which network.

    Parameters
    ----------
    value : str, Path, dict, list or None
        One path, ``name=file[,name=file]``, or names and files.

    Returns
    -------
    Path, tuple of (str, str or Path), or None

    Examples
    --------
    >>> weight_files("test_vit=a.pth,test_resnet=b.pth")
    (('test_vit', 'a.pth'), ('test_resnet', 'b.pth'))
    """
    if isinstance(value, dict):
        return tuple(value.items())
    if not isinstance(value, (str, Path)):
        return value
    found = [_NETWORK_AND_FILE.fullmatch(part.strip()) for part in str(value).split(",")]
    pairs = tuple((one[1], one[2]) for one in found if one)
    return pairs if len(pairs) == len(found) else Path(value)


def layer_numbers(value: Any) -> tuple[int, ...]:
    """Read the numbers of layers of a network.

    Parameters
    ----------
    value : str, int, list or tuple
        A text of numbers separated by commas, one number, or several.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If there is none, one is no integer, or one is given twice.

    Examples
    --------
    >>> layer_numbers("3, -1")
    (3, -1)
    """
    parts = value.split(",") if isinstance(value, str) else value
    texts = [str(one) for one in (parts if isinstance(parts, (list, tuple)) else [parts])]
    numbers = [int(one) for one in texts if _INTEGER.fullmatch(one.strip())]
    if not numbers or len(set(numbers)) != len(texts):
        raise ValueError(
            "expected numbers of layers, separated by commas and none twice, such as 3,4 or -2,-1"
        )
    return tuple(numbers)


def quoted_names(text: str) -> list[str]:
    """Split names at commas; a name that contains one is in double quotes.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        Without spaces around them, and without empty ones.

    Examples
    --------
    >>> quoted_names('Edema, "Mass, left"')
    ['Edema', 'Mass, left']
    """
    parts = next(csv.reader([text], skipinitialspace=True), [])
    return [part.strip() for part in parts if part.strip()]


def key_and_column(text: str) -> tuple[str, str]:
    """Split what a column means from its name.

    Parameters
    ----------
    text : str
        ``key=name``; the name may be in double quotes.

    Returns
    -------
    (str, str)

    Raises
    ------
    ValueError
        If a part is missing.

    Examples
    --------
    >>> key_and_column('patient="Patient ID"')
    ('patient', 'Patient ID')
    """
    key, mark, column = (part.strip() for part in text.partition("="))
    if not (mark and column):
        raise ValueError(f"expected {'|'.join(TABLE_KEYS)}=NAME, separated by commas")
    return key, column.strip('"') if column[0] == column[-1] == '"' else column


def names_and_files(value: Any, what: str = "file") -> Any:
    """Split ``name=file``, a list of these, or a TOML table of names and files into pairs.

    Parameters
    ----------
    value : str, list, tuple or dict
    what : str
        What follows the name, for the message.

    Returns
    -------
    tuple of (str, str or Path)

    Raises
    ------
    ValueError
        If a text has no name or no file.

    Examples
    --------
    >>> names_and_files(["a=1.csv", ("b", "2.csv")])
    (('a', '1.csv'), ('b', '2.csv'))
    """
    if isinstance(value, dict):
        return tuple(value.items())
    given = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(_name_and_file(one, what) if isinstance(one, str) else one for one in given)


def _name_and_file(text: str, what: str) -> tuple[str, str]:
    name, mark, file = text.partition("=")
    if not (mark and file):
        raise ValueError(f"expected name={what}")
    return name, file


def one_of(name: str, choices: list[str]) -> str:
    """Check that a name is one of the choices.

    Parameters
    ----------
    name : str
    choices : list of str

    Returns
    -------
    str
        The name.

    Raises
    ------
    ValueError
        If it is none of them; the message has the nearest and all of them.
    """
    if name not in choices:
        raise ValueError(f"unknown {name!r}{hint(name, choices)}; choices: {', '.join(choices)}")
    return name


def joined(text: str, choices: list[str]) -> str:
    """Check names joined by ``+``.

    Parameters
    ----------
    text : str
        One name or several.
    choices : list of str

    Returns
    -------
    str
        Without spaces around the names.

    Raises
    ------
    ValueError
        If a name is none of the choices, missing, given twice, or has columns of another only.

    Examples
    --------
    >>> joined("hog + lbp", ["hog", "lbp"])
    'hog+lbp'
    """
    names = [one.strip() for one in text.split("+")]
    if "" in names or len(set(names)) < len(names):
        raise ValueError("expected names joined by + such as hog+lbp, none empty and none twice")
    names = [one_of(name, choices) for name in names]
    families = {name: set(all_feature_sets().get(name, (name,))) for name in names}
    for part, whole in permutations(names, 2):
        if families[part] <= families[whole]:
            raise ValueError(f"{whole} has all columns of {part}; expected it without {part}")
    return "+".join(names)


def hint(name: str, choices: list[str]) -> str:
    """Suggest the choice that is most like a misspelt name, first of all one of the same letters.

    Parameters
    ----------
    name : str
    choices : list of str

    Returns
    -------
    str
        Empty if none is like it.

    Examples
    --------
    >>> hint("hgo", ["hog", "lbp"])
    ' (did you mean hog?)'
    >>> hint("lpb", ["lbp", "ltp"])
    ' (did you mean lbp?)'
    """
    close = difflib.get_close_matches(name, choices)
    close.sort(key=lambda choice: sorted(choice) != sorted(name))
    return f" (did you mean {close[0]}?)" if close else ""
