"""The command ``list``: features, models, balancing methods, data sets and studies."""

from __future__ import annotations

from benchmarks.datasets import DATASETS
from benchmarks.datasets.recipes import RECIPES
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.studies import STUDIES
from features import FEATURES, ImageDescriptor, all_feature_sets
from features.preprocessing import PREPROCESSING
from models import MODELS
from models.balance import BALANCES
from models.combinations import COMBINATIONS


def choices() -> dict[str, dict[str, str]]:
    """Describe all choices that a run offers.

    Returns
    -------
    dict of dict of str
        Descriptions by name, by kind of choice.
    """
    return {
        "Feature families": {name: _family_line(kind) for name, kind in FEATURES.items()},
        "Feature sets (--features)": {
            name: " + ".join(f) for name, f in all_feature_sets().items()
        },
        "Models (--models)": {name: _first_line(m.__doc__) for name, m in MODELS.items()},
        "Combinations (--combine)": {
            name: f"{one.title[0].upper()}{one.title[1:]}." for name, one in COMBINATIONS.items()
        },
        "Preprocessing (--preprocess)": {
            name: _first_line(kind.__doc__) for name, kind in PREPROCESSING.items()
        },
        "Balancing (--balance)": dict(BALANCES),
        "Data (--data)": {name: _first_line(m.__doc__) for name, m in DATASETS.items()},
        "Published data sets (--data NAME:FOLDER)": {
            name: _recipe_line(recipe) for name, recipe in RECIPES.items()
        },
        "Studies (--study; all of them: --full)": {
            **{name: _first_line(m.__doc__) for name, m in STUDIES.items()},
            "--cv-cnn": "Cross-validate the CNN, too; part of --full.",
        },
    }


def _family_line(kind: type[ImageDescriptor]) -> str:
    return f"{kind.title}: {kind.description}." if kind.description else f"{kind.title}."


def _recipe_line(recipe: Recipe) -> str:
    classes = f"{' or '.join(recipe.positive)} against {' or '.join(recipe.negative)}"
    licence = recipe.source.licence or "not stated here; see there"
    return f"{recipe.title}: {classes}. Licence: {licence}. Ask for it at {recipe.obtain}"


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().splitlines()[0]
