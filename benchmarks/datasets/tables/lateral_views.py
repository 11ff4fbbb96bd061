"""Which views are lateral, and whether the user wants them."""

from __future__ import annotations

import re

from benchmarks.config import RunConfig
from benchmarks.datasets.tables.where import columns_in

# Words of a view position; decubitus views (LLD, RLD) are frontal.
_LATERAL = frozenset({"LL", "RL", "LAT", "LLAT", "RLAT", "LATERAL"})


def is_lateral(view: str) -> bool:
    """Whether a view position names a lateral view.

    Parameters
    ----------
    view : str

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_lateral(view) for view in ("PA", "LL", "XTABLE LATERAL", "AP LLD", "")]
    [False, True, True, False, False]
    """
    return bool(_LATERAL & set(re.split(r"[^A-Z]+", view.upper())))


def views_are_chosen(config: RunConfig) -> bool:
    """Whether the user says which views are used, so that lateral ones are not left out.

    Parameters
    ----------
    config : RunConfig
        ``keep_laterals``, ``where`` and ``columns`` apply.

    Returns
    -------
    bool
        True with ``keep_laterals``, and where the condition names the column of views: as
        ``view`` or as ``columns`` names it, in any case.

    Raises
    ------
    DataError
        If the condition is none.

    Examples
    --------
    >>> views_are_chosen(RunConfig(columns="view=Projection", where="Projection == 'L'"))
    True
    >>> views_are_chosen(RunConfig(where="site == 'view'"))
    False
    """
    if config.keep_laterals or config.where is None:
        return config.keep_laterals
    names = {"view", dict(config.columns).get("view", "view").strip().casefold()}
    return bool(names & {name.strip().casefold() for name in columns_in(config.where)})
