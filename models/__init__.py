"""Numbers → probability, one classifier per module.

Each module has ``build``, ``HYPERPARAMETERS``, a search ``GRID`` and a ``DECLARATION``.
"""

from __future__ import annotations

from types import ModuleType

from models import boosting, cnn, forest, logistic, svm
from models.declaration import Declaration

MODELS: dict[str, ModuleType] = {
    "svm": svm,
    "forest": forest,
    "xgboost": boosting,
    "logistic": logistic,
    "cnn": cnn,
}


def declaration(name: str) -> Declaration:
    """Return what a classifier declares.

    Parameters
    ----------
    name : str
        Key of ``MODELS``. For any other name, such as that of an external model, the declaration
        holds nothing but the name.

    Returns
    -------
    Declaration

    Examples
    --------
    >>> declaration("forest").title
    'random forest'
    """
    if name not in MODELS:
        return Declaration(title=name, references={})
    found: Declaration = MODELS[name].DECLARATION
    return found


def model_libraries() -> list[str]:
    """List the distributions that the classifiers declare, sorted."""
    return sorted({library for name in MODELS for library in declaration(name).libraries})
