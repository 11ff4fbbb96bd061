"""Properties of the files that go with the class: colour mode, format, bit depth, size, aspect.

They tell nothing about disease, but each leaves traces in the resized picture that a model may use
as a shortcut. Known before anything is fitted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, mannwhitneyu
from scipy.stats.contingency import association

WARN_V = 0.5  # Cramér's V of a property with few values
WARN_AUC = 0.75  # of a number: for two equal classes and two values the same as V = 0.5
ALPHA = 0.001
FEW = 10  # distinct sizes that are compared as categories, too
CATEGORIES = ("format", "mode", "bits", "size")
NUMBERS = ("width", "height", "aspect")
_WORDS = {"bits": "bit depth", "aspect": "aspect ratio (width / height)", "mode": "colour mode"}
_SHOWN = 3  # values of a class that are listed


def class_properties(manifest: pd.DataFrame) -> list[str]:
    """Describe the properties of the files from which the class can be guessed.

    Parameters
    ----------
    manifest : DataFrame
        Of training images: ``class``, ``group``, ``width``, ``height`` and, for images that were
        files, ``format``, ``mode`` and ``bits``.

    Returns
    -------
    list of str
        One for each property whose association with the class is at least ``WARN_V`` or
        ``WARN_AUC`` and has p < ``ALPHA``. Units are patients (of a class): a patient has the most
        frequent value, or the mean, of their images.

    Examples
    --------
    >>> table = pd.DataFrame({"class": ["A"] * 20 + ["B"] * 20, "group": range(40),
    ...     "width": 64, "height": 64, "mode": ["L"] * 20 + ["RGB"] * 20})
    >>> class_properties(table)
    ["colour mode (Cramér's V = 1.00; A: 100 % L; B: 100 % RGB)"]
    """
    table = manifest.assign(
        aspect=manifest["width"] / manifest["height"],
        size=manifest["width"].astype(str) + " × " + manifest["height"].astype(str),
    )
    found = [_category(table, name) for name in CATEGORIES if name in table]
    found += [_number(table, name) for name in NUMBERS]
    return [words for words in found if words]


def _category(table: pd.DataFrame, name: str) -> str:
    values = table[name].astype(str)
    distinct = values.nunique()
    if distinct < 2 or (name == "size" and distinct > FEW):
        return ""
    patients = _most_frequent(values, table[["class", "group"]])
    counts = pd.crosstab(patients["class"], patients["value"])
    if min(counts.shape) < 2 or chi2_contingency(counts, correction=False).pvalue >= ALPHA:
        return ""
    strength = association(counts, method="cramer")
    if strength < WARN_V:
        return ""
    listed = []
    for kind, own in counts.iterrows():
        shares = (own[own > 0] / own.sum()).sort_values(ascending=False, kind="stable")[:_SHOWN]
        parts = [f"{100 * share:.0f} % {value}" for value, share in shares.items()]
        listed.append(f"{kind}: {', '.join(parts)}")
    return f"{_WORDS.get(name, name)} (Cramér's V = {strength:.2f}; {'; '.join(listed)})"


def _most_frequent(values: pd.Series, patients: pd.DataFrame) -> pd.DataFrame:
    """Most frequent value of each patient; of equally frequent ones the first in order."""
    counted = patients.assign(value=values).value_counts(sort=False).reset_index(name="images")
    order = counted.sort_values(["images", "value"], ascending=[False, True], kind="stable")
    return order.drop_duplicates(["class", "group"])


def _number(table: pd.DataFrame, name: str) -> str:
    means = table.groupby(["class", "group"])[name].mean()
    kind = means.index.get_level_values(0).to_numpy(dtype=object)
    classes = sorted(set(kind))
    best, words = 0.0, ""
    for one in classes[1:] if len(classes) == 2 else classes:
        own, others = means[kind == one], means[kind != one]
        if min(len(own), len(others)) < 2 or means.nunique() < 2:
            continue
        test = mannwhitneyu(own, others, method="asymptotic")
        auc = float(test.statistic) / (len(own) * len(others))
        strength = max(auc, 1 - auc)
        if strength >= max(WARN_AUC, best) and test.pvalue < ALPHA:
            rest = next(c for c in classes if c != one) if len(classes) == 2 else "the others"
            best = strength
            words = (
                f"{_WORDS.get(name, name)} (alone gives an AUC of {strength:.2f}; median "
                f"{np.median(own):.4g} in {one}, {np.median(others):.4g} in {rest})"
            )
    return words
