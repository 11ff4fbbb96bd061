"""What a classifier's module declares about itself for the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Declaration:
    """Facts about a classifier; ``title`` and ``references`` are enough.

    Attributes
    ----------
    title : str
        Usual name of the classifier, as in running text.
    references : dict of dict
        Works to cite, by citation key (family name and year): ``kind`` (BibTeX's entry type),
        ``authors`` ("Family, Initials" joined by " and "), ``title``, ``year``, ``venue``,
        ``doi`` or ``url``, further BibTeX fields such as ``volume`` and ``pages``, and ``what``
        it is cited for, by default the title.
    description : str
        Noun phrase for the methods paragraph, in which a key of ``references`` in braces becomes
        a citation; by default the title, with all references cited.
    on_images : bool
        Whether it is fitted on images instead of feature columns. Its ``fit`` and the options
        of its ``build`` are then those of :mod:`models.cnn`.
    in_default_run : bool
        Whether a run without ``--models`` includes it.
    class_weight : bool
        Whether ``build(balance="class_weight")`` weights the classes. If not, such a cell is
        recorded as ``not_run``.
    rows_at_once : int or None
        Rows per call of ``predict_proba`` for which a row's score does not depend, to the last
        bit, on the other rows. None: any number. 1 is always safe, and slow.
    structure : {"trees", "linear", "other"}
        Decides how it can be explained: SHAP needs trees or a linear model.
    built_in_importance : {"impurity", "gain", None}
        Importance that the fitted trees carry themselves.
    trusted_types : tuple of str
        Full names of the types in its fitted pipeline that skops does not trust by default.
    libraries : tuple of str
        Distributions besides scikit-learn whose versions change its scores.
    engine : callable, optional
        Returns the library, with its version, that fits the model on this machine.

    Examples
    --------
    >>> Declaration("k nearest neighbours", references={}).class_weight
    False
    """

    title: str
    references: Mapping[str, Mapping[str, Any]]
    description: str = ""
    on_images: bool = False
    in_default_run: bool = False
    class_weight: bool = False
    rows_at_once: int | None = 1
    structure: Literal["trees", "linear", "other"] = "other"
    built_in_importance: Literal["impurity", "gain"] | None = None
    trusted_types: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    engine: Callable[[], str] | None = None
