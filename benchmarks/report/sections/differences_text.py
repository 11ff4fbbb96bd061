"""What the report says of differences between methods: how many stand, and whose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.report.blocks import Part
from benchmarks.statistics.method_rows import Row, classical, validation_precision

LEVEL = 0.05
_MOST_NAMES = 8


class Pairs(NamedTuple):
    """What the section is written from.

    Attributes
    ----------
    methods : list of Row
        Those compared, in the order of the run.
    areas, plain, right : DataFrame
        Clustered DeLong, plain DeLong and McNemar, a line for each method against each other
        (both ways), by the methods' first finished cells.
    """

    methods: list[Row]
    areas: pd.DataFrame
    plain: pd.DataFrame
    right: pd.DataFrame


def stands(table: pd.DataFrame) -> pd.Series:
    """Which lines differ after Holm's correction; a test that could not be made does not."""
    return table["p_holm"] < LEVEL


def p_value(value: float) -> str:
    """Write a p value with three decimals, small ones as a bound.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.0002), p_value(1.0), p_value(float("nan"))
    ('0.031', '< 0.001', '1.000', '–')
    """
    return "< 0.001" if value < 0.0005 else number(value)


def between(table: pd.DataFrame, pairs: Sequence[tuple[Row, Row]]) -> pd.DataFrame:
    """Lines of a table of :class:`Pairs` for some pairs of methods, in their order."""
    return table.reindex([(a.cells()[0], b.cells()[0]) for a, b in pairs])


def count(pairs: Pairs) -> str:
    """Say how many pairs of methods differ."""
    table = between(pairs.areas, list(combinations(pairs.methods, 2)))
    total, found, unknown = len(table), int(stands(table).sum()), int(table["p"].isna().sum())
    text = (
        f"Of {total} pair{'s' * (total > 1)} of methods, {found or 'none'} "
        f"differ{'s' * (found < 2)} in AUC on the test images, at a level of {LEVEL} after Holm’s "
        "correction over all pairs, by DeLong’s test in its clustered form (doi:10.2307/2533958), "
        "which takes patients, not images, as independent."
    )
    if unknown:
        text += (
            f" {unknown} of them could not be tested: too few patients of a class, or areas that "
            "differ but do not vary."
        )
    return text


def bullets(pairs: Pairs) -> list[tuple[Part, ...]]:
    """Name the comparisons that a reader asks for first, one a line."""
    own = classical(pairs.methods)
    network = next((row for row in pairs.methods if row.is_cnn), None)
    found: list[tuple[Part, ...]] = []
    if own:
        lead = max(own, key=validation_precision)
        if network is not None:
            found.append((_duel(pairs, network, lead),))
        if len(own) > 1:
            found.append((_against(pairs, lead, [row for row in own if row is not lead]),))
    for words, same, other in (
        ("Classifiers on the same feature set", "features", "model"),
        ("Feature sets with the same classifier", "model", "features"),
    ):
        inside = [
            (a, b) for a, b in combinations(own, 2)
            if getattr(a, same) == getattr(b, same) and getattr(a, other) != getattr(b, other)
        ]  # fmt: skip
        if inside:
            hold = int(stands(between(pairs.areas, inside)).sum())
            found.append((f"{words}: {hold} of {len(inside)} differences stand.",))
    return [*found, (_plain(pairs),), (_mcnemar(pairs),)]


def _duel(pairs: Pairs, a: Row, b: Row) -> str:
    one = between(pairs.areas, [(a, b)]).iloc[0]
    if np.isnan(one["p"]):
        verdict = "it could not be tested"
    else:
        verdict = (
            f"p = {p_value(one['p'])}, after Holm {p_value(one['p_holm'])}: it "
            f"{'stands' if one['p_holm'] < LEVEL else 'does not stand'}"
        ).replace("= <", "<")
    bounds = interval(one["lo"], one["hi"])
    return (
        f"{a.label}, against {b.label}, the best classical method on validation: AUC "
        f"{number(one['value_a'])} against {number(one['value_b'])}, a difference of "
        f"{number(one['difference'])}{f' ({bounds})' if bounds else ''}; {verdict}."
    )


def _against(pairs: Pairs, lead: Row, others: Sequence[Row]) -> str:
    table = between(pairs.areas, [(lead, row) for row in others])
    parts = []
    for words, side in (("larger", table["difference"] > 0), ("smaller", table["difference"] < 0)):
        hold = (stands(table) & side).to_numpy()
        names = [row.label for row, held in zip(others, hold, strict=True) if held]
        listed = f" ({', '.join(names)})" if 0 < len(names) <= _MOST_NAMES else ""
        parts.append(f"{words} than that of {len(names) or 'none'}{listed}")
    return (
        f"{lead.label}, the classical method with the best average precision on validation, "
        f"against the {len(others)} other{'s' * (len(others) > 1)}: counting what stands, its AUC "
        f"is {' and '.join(parts)}."
    )


def _plain(pairs: Pairs) -> str:
    clustered, plain = (table["hi"] - table["lo"] for table in (pairs.areas, pairs.plain))
    ratio = (plain / clustered[clustered > 0]).median()
    hold = int(stands(pairs.plain).sum()) // 2
    text = (
        "DeLong’s plain test takes images as independent, as those of one patient are not; by it "
        f"{hold} difference{'s' * (hold != 1)} would stand"
    )
    if np.isnan(ratio):
        return f"{text}."
    change = round(100 * abs(1 - ratio), 1)
    width = f"{change:g} % {'narrower' if ratio < 1 else 'wider'} than" if change else "as wide as"
    return f"{text}, with intervals that are, in the median, {width} the clustered ones."


def _mcnemar(pairs: Pairs) -> str:
    hold, total = int(stands(pairs.right).sum()) // 2, len(pairs.right) // 2
    return (
        f"McNemar’s exact test of accuracy at the threshold for a recall of 0.95 on validation: "
        f"{hold} of {total} differences stand. It takes images as independent too, so read it "
        "as a description of how often one method alone is right."
    )
