"""What the command ``importance`` adds: refits, cross-validation, stability, redundancy."""

from __future__ import annotations

import pandas as pd

from benchmarks.io.results import Results
from benchmarks.report.base import Block, Cell, Code, Group, Table, paragraph, row
from benchmarks.report.importance_data import cells_with, importance_of, lines, value_cell
from benchmarks.report.tables import number

CLUSTERS_A_CELL = 2


def more_blocks(results: Results) -> list[Block]:
    """Blocks of the tables that only ``run_benchmark.py importance`` writes; may be none."""
    table = importance_of(results)
    steady = results.tables.get("importance_stability", pd.DataFrame())
    clusters = results.tables.get("importance_clusters", pd.DataFrame())
    if steady.empty and "family_left_out" not in set(table["method"]):
        return [paragraph(
            "Families left out, cross-validation, stability over seeds and patients, and clusters "
            "of columns that say the same come with ", Code("run_benchmark.py importance RUN_DIR"),
            ".",
        )]  # fmt: skip
    blocks: list[Block] = []
    if "family_left_out" in set(table["method"]):
        blocks += [paragraph(_refits_text(table)), _refits_table(table)]
    if len(steady):
        blocks += [paragraph(_stability_text(steady)), _stability_table(steady)]
    if len(clusters):
        blocks += [paragraph(_clusters_text(clusters)), _clusters_table(clusters)]
    return blocks


def _refits_text(table: pd.DataFrame) -> str:
    told = []
    for features, cell in cells_with(table, "family_left_out", "family").items():
        lost = lines(table, cell, "family_left_out", "family", "auc")
        needed = lost.loc[lost["lo"] > 0, "group"].tolist()
        alone = lines(table, cell, "family_alone", "family", "auc").nlargest(1, "value").iloc[0]
        what = f"without {', '.join(needed)} a new fit is worse" if needed else (
            "no family is missed by a new fit without it"
        )  # fmt: skip
        told.append(
            f"{features}: {what}; the best family alone is {alone['group']} "
            f"(AUC {number(alone['value'])})"
        )
    return (
        "What a cell could do without a family, or with it alone, takes a new fit. "
        f"{'; '.join(told)}."
    )


def _refits_table(table: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    cuts = []
    for features, cell in cells_with(table, "family_left_out", "family").items():
        cuts.append(len(rows))
        for family in lines(table, cell, "family_alone", "family", "auc")["group"]:
            rows.append((
                Cell(features), Cell(family),
                value_cell(lines(table, cell, "family_alone", "family", "auc"), family),
                value_cell(lines(table, cell, "family_left_out", "family", "auc"), family),
                value_cell(lines(table, cell, "permutation", "family", "auc"), family),
                value_cell(lines(table, cell, "permutation", "family", "auc", "cv"), family),
                value_cell(lines(table, cell, "family_shap", "family", "mean_abs"), family),
            ))  # fmt: skip
    return Table(
        name="importance-refits",
        caption="Families in new fits beside permutation: AUC on test of the family alone; what "
        "the cell's AUC loses without it, and by permutation on test and on held-out folds; "
        "Shapley value of the family, mean size, in probability.",
        header=("Features", "Family", "AUC alone", "Left out", "On test", "On folds", "Shapley"),
        groups=(Group("", 3), Group("Fall of the AUC", 3, "fall"), Group("", 1)),
        rows=tuple(rows),
        labels=2,
        breaks=tuple(cuts[1:]),
    )


def _stability_text(steady: pd.DataFrame) -> str:
    everything = steady[steady["kind"] == "all"]
    single = everything[everything["level"] == "feature"]
    regions = everything[everything["level"] == "region"]
    told = []
    for rows, what in ((single, "columns by mean |SHAP|"), (regions, "regions")):
        if len(rows):
            counts = "; ".join(
                f"{r['cell']} ({r['method']}) {int(r['trusted'])} of {int(r['k'])}"
                for r in rows.to_dict("records")
            )
            told.append(f"Of the largest {what} these stay among the largest: {counts}")
    fits = int(everything["fits"].max())
    return (
        f"Can a ranking be trusted? Each cell was fitted again with other seeds, without each "
        f"fold, and on drawn patients, {fits - 1} times in all; a group counts as trusted if it "
        f"stays among the largest in nine of ten fits. {'. '.join(told)}."
    )


def _stability_table(steady: pd.DataFrame) -> Table:
    wide = steady.pivot_table(
        index=["cell", "method", "level", "groups", "k"], columns="kind", values=["w", "overlap"],
        sort=False,
    )  # fmt: skip
    kept = steady[steady["kind"] == "all"].set_index(["cell", "method", "level"])["trusted"]
    kinds = ("seeds", "folds", "bootstraps")
    rows = []
    for key, line in wide.iterrows():
        assert isinstance(key, tuple)
        cell, method, level, groups, k = key
        numbers = [Cell(number(line["w", kind], 2)) for kind in kinds]
        numbers += [Cell(number(line["overlap", kind], 2)) for kind in kinds]
        trusted = f"{int(kept[cell, method, level])} of {int(k)}"
        rows.append((*row(cell, method, level, int(groups)), *numbers, Cell(trusted)))
    return Table(
        name="importance-stability",
        caption="Stability of rankings: Kendall's W (1: all fits rank alike) and the share in "
        "common of the largest groups, over seeds, folds and patients drawn with replacement.",
        header=("Cell", "Method", "Level", "Groups", *(("Seeds", "Folds", "Patients") * 2),
                "Trusted"),
        groups=(Group("", 4), Group("Kendall's W", 3, "W"), Group("Largest in common", 3, "top"),
                Group("", 1)),
        rows=tuple(rows),
        labels=3,
    )  # fmt: skip


def _clusters_text(clusters: pd.DataFrame) -> str:
    known = clusters.dropna(subset=["alone"])
    hidden = known[known["value"] > 2 * known["alone"].clip(lower=0)]
    return (
        "Columns that say the same hide each other: of the "
        f"{len(known)} most important clusters (mean |rank correlation| of 0.7 or more, learnt on "
        f"training images) {len(hidden)} cost more than twice the sum of what their columns cost "
        "one by one."
    )


def _clusters_table(clusters: pd.DataFrame) -> Table:
    ranked = clusters.dropna(subset=["alone"]).sort_values("value", ascending=False, kind="stable")
    best = ranked.groupby("cell", sort=False).head(CLUSTERS_A_CELL).sort_values(
        "cell", kind="stable", key=lambda cells: cells.map(list(clusters["cell"].unique()).index)
    )  # fmt: skip
    return Table(
        name="importance-clusters",
        caption="The two clusters of columns that matter most in each cell: fall of the AUC when "
        "they are exchanged together, and the sum of the falls one by one.",
        header=("Cell", "Cluster: its most typical column, and columns by family", "Columns",
                "Together", "One by one"),
        rows=tuple(
            (*row(line["cell"], line["cluster"], int(line["columns"])),
             Cell(number(line["value"], 4)), Cell(number(line["alone"], 4)))
            for line in best.to_dict("records")
        ),
        labels=2,
        words=True,
    )  # fmt: skip
