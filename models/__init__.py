"""Numbers → probability. Every module has ``build``, ``HYPERPARAMETERS`` and a search ``GRID``."""

from __future__ import annotations

from types import ModuleType

from models import boosting, cnn, forest, logistic, svm

MODELS: dict[str, ModuleType] = {
    "svm": svm,
    "forest": forest,
    "xgboost": boosting,
    "logistic": logistic,
    "cnn": cnn,
}
IMAGE_MODELS = ("cnn",)
