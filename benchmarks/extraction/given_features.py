"""A feature family whose columns come from a table, as embeddings of another program do.

Every family that ``FEATURES`` does not name is such a family; :class:`benchmarks.config.RunConfig`
allows only those that ``--features-from`` names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from features import FEATURES, ImageDescriptor

MOST_PARTS = 100  # columns that are parts of their own; more are grouped by hundreds
_PER_PART = 100


class GivenFeatures(ImageDescriptor):
    """Columns of a table from elsewhere; they can't be computed from an image here.

    Parameters
    ----------
    columns : tuple of str
        Names in the table; those of the family begin with its key.
    """

    title: ClassVar[str] = "given features"

    def __init__(self, columns: tuple[str, ...] = ()) -> None:
        self.columns = columns

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns: the key of the family, and the name in the table.

        Parameters
        ----------
        height, width : int
            Do not matter.

        Returns
        -------
        list of str
        """
        return [f"{self.title}/{column}" for column in self.columns]

    def region(self, column: str) -> None:
        """Return None: where on the image a column looks is not known.

        Parameters
        ----------
        column : str
        """

    def part(self, column: str) -> str:
        """Read to which part of the family a column belongs.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            The column itself; of more than 100 columns, its hundred, for instance ``04xx``.
        """
        name = column.removeprefix(f"{self.title}/")
        if len(self.columns) <= MOST_PARTS:
            return name
        return f"{_places(self.columns)[name] // _PER_PART:02d}xx"

    def in_words(self, column: str) -> str:
        """Name the column of the table.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
        """
        return f"{self.title}: column {column.removeprefix(f'{self.title}/')} of the table"


def is_given(family: str) -> bool:
    """Whether the columns of a family come from a table.

    Parameters
    ----------
    family : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_given("hog"), is_given("raddino")
    (False, True)
    """
    return family not in FEATURES


@lru_cache
def _given_class(family: str) -> type[GivenFeatures]:
    text = f"the columns of a table from elsewhere ({family})"
    return type("GivenFeatures", (GivenFeatures,), {"title": family, "description": text})


@lru_cache(maxsize=8)
def _places(columns: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(columns)}


def family_class(family: str) -> type[ImageDescriptor]:
    """Return the class of a family: that of ``FEATURES``, or one for the columns of a table.

    Parameters
    ----------
    family : str

    Returns
    -------
    type

    Examples
    --------
    >>> family_class("hog").title, family_class("raddino").title
    ('HOG', 'raddino')
    """
    return _given_class(family) if is_given(family) else FEATURES[family]
