"""Published data sets: one per file, with ``table(root)`` and a ``RECIPE`` that declares it."""

from __future__ import annotations

from benchmarks.datasets.recipes import (
    chexpert,
    covid_qu_ex,
    covid_radiography,
    mimic_cxr,
    montgomery,
    nih,
    padchest,
    rsna,
    shenzhen,
    vindr_cxr,
)
from benchmarks.datasets.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "nih": nih.RECIPE,
    "chexpert": chexpert.RECIPE,
    "mimic-cxr": mimic_cxr.RECIPE,
    "rsna": rsna.RECIPE,
    "padchest": padchest.RECIPE,
    "vindr-cxr": vindr_cxr.RECIPE,
    "covid-radiography": covid_radiography.RECIPE,
    "covid-qu-ex": covid_qu_ex.RECIPE,
    "shenzhen": shenzhen.RECIPE,
    "montgomery": montgomery.RECIPE,
}
