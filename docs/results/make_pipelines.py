"""Write pipelines.csv: every cell of runs with preprocessing, copies and views beside plain runs.

Also writes errors.csv, which test images most of the methods misclassify, and copies the maps of importance of the first
registered run.

    python docs/results/make_pipelines.py --plain RUN --rule RUN --registered RUN

Each option can be repeated for runs with other cells; of cells that several have, the first run counts, and the others
must have the same AUC. All runs must have the same test images.
``docs/checks/make_accuracy.py`` shows the tables.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import click
import pandas as pd

from benchmarks.commands.compare import compare
from benchmarks.metrics.hypothesis_tests import holm

HERE = Path(__file__).parent
RATES = ("precision", "recall", "specificity")
POINT = "recall95"  # the threshold that has this recall on the validation set
LAST = ("combined/", "pixels/")
CONTROLS = ("embedding_random", "combined")
RUN = click.Path(path_type=Path, exists=True, file_okay=False)
AT_RECALL = 0.95  # on the test images, for the descriptive precision


@click.command()
@click.option("--plain", multiple=True, required=True, type=RUN, help="Without options.")
@click.option("--rule", multiple=True, required=True, type=RUN, help="As the rule recommends.")
@click.option("--registered", multiple=True, required=True, type=RUN, help="With registration.")
def main(plain: tuple[Path, ...], rule: tuple[Path, ...], registered: tuple[Path, ...]) -> None:
    """Write the tables; differences are to the plain cell of the same name, Holm over all."""
    pipelines = {"plain": plain, "rule": rule, "registered": registered}
    columns: dict[str, pd.Series] = {}
    for name, runs in pipelines.items():
        columns |= _of_runs(name, runs)
    differences = [_differences(name, pipelines[name], plain) for name in ("rule", "registered")]
    table = pd.concat(differences)
    table["p_holm"] = holm(table["p"].to_numpy())
    for name, own in table.groupby("pipeline"):
        for end, source in (
            ("", "difference"),
            ("_lo", "lo"),
            ("_hi", "hi"),
            ("_p_holm", "p_holm"),
        ):
            columns[f"difference_{name}{end}"] = own.set_index("cell_a")[source]
    order = sorted(
        _of_runs("plain", plain)["auc_plain"].index, key=lambda cell: cell.startswith(LAST)
    )
    pd.DataFrame(columns).loc[order].rename_axis("cell").to_csv(
        HERE / "pipelines.csv", float_format="%.6g"
    )
    common = set.intersection(*map(_finished, pipelines.values()))
    errors = pd.concat([_errors(name, runs, common) for name, runs in pipelines.items()])
    errors.to_csv(HERE / "errors.csv", index=False)
    maps = registered[0] / "figures" / "importance-maps.svg"
    shutil.copy(maps, HERE / "figures" / "registered-importance-maps.svg")


def _differences(name: str, runs: tuple[Path, ...], plain: tuple[Path, ...]) -> pd.DataFrame:
    """Compare the AUCs of all cells that a run and a plain run have."""
    tables = []
    for (one, own), (other, theirs) in product(_cells(runs).items(), _cells(plain).items()):
        if both := sorted(own & theirs):
            tables.append(compare(one, other, both))
    found = pd.concat(tables)
    return found[found["test"] == "clustered_delong"].assign(pipeline=name)


def _cells(runs: tuple[Path, ...]) -> dict[Path, set[str]]:
    """Finished cells of each run that no earlier one has."""
    found: dict[Path, set[str]] = {}
    known = pd.Series(dtype=float)
    for run in runs:
        scores = pd.read_csv(run / "scores.csv").query("status == 'ok' and split == 'test'")
        areas = scores.drop_duplicates("cell").set_index("cell")["auc"]
        again = areas.index.intersection(known.index)
        if not areas[again].equals(known[again]):
            raise click.ClickException(f"{run}: got other AUCs than earlier runs have.")
        found[run] = set(areas.index.difference(known.index))
        known = pd.concat([known, areas.drop(again)])
    return found


def _read(table: str, runs: tuple[Path, ...]) -> pd.DataFrame:
    """Rows of the cells of each run, see :func:`_cells`."""
    text = {"operating_point": str, "subtype": str}
    tables = []
    for run, cells in _cells(runs).items():
        own = pd.read_csv(run / f"{table}.csv", dtype=text)
        tables.append(own[own["cell"].isin(cells)])
    return pd.concat(tables)


def _finished(runs: tuple[Path, ...]) -> set[str]:
    return set().union(*_cells(runs).values())


def _errors(name: str, runs: tuple[Path, ...], cells: set[str]) -> pd.DataFrame:
    """Count the test images of each kind that more than half of the cells misclassify."""
    scores = _read("scores", runs)
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == POINT)]
    threshold = rows.set_index("cell")["threshold"]
    found = _read("predictions", runs).fillna({"subtype": ""})
    found = found[(found["split"] == "test") & ~found["features"].isin(CONTROLS)]
    found = found[found["cell"].isin(cells)]
    decided = (found["score"] >= found["cell"].map(threshold)).astype(int)
    series = "normal " + found["group"].str.split("/").str[0]
    found = found.assign(
        wrong=decided != found["label"], kind=found["subtype"].where(found["subtype"] != "", series)
    )
    images = found.groupby(["kind", "image", "group"], as_index=False)["wrong"].mean()
    images = images.assign(most=images["wrong"] > 0.5)
    table = images.groupby("kind").agg(
        images=("image", "size"), patients=("group", "nunique"), most_wrong=("most", "sum")
    )
    return table.reset_index().assign(pipeline=name, methods=found["cell"].nunique())


def _of_runs(name: str, runs: tuple[Path, ...]) -> dict[str, pd.Series]:
    scores = _read("scores", runs)
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == POINT)]
    rows = rows.set_index("cell")
    found = {f"auc_{name}{end}": rows[f"auc{end}"] for end in ("", "_lo", "_hi")}
    for rate in RATES:
        found[f"{rate}_{name}"] = rows[rate]
        for end in ("_lo", "_hi"):
            found[f"{rate}_{name}{end}"] = rows[f"{rate}{end}_threshold"]
    matched = _read("matched_on_test", runs)
    matched = matched[matched["target_recall"] == AT_RECALL].set_index("cell")
    found[f"matched_precision_{name}"] = matched["precision"]
    found[f"fit_seconds_{name}"] = rows["fit_seconds"]
    return found


if __name__ == "__main__":
    main()
