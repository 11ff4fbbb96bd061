"""Write pipelines.csv: every cell of runs with preprocessing, copies and views beside plain runs.

Also writes errors.csv: which test images most of the methods misclassify.

    python docs/results/make_pipelines.py --plain RUN --rule RUN --registered RUN

Each option can be repeated for runs with other cells. All runs must have the same test images.
``docs/checks/make_accuracy.py`` shows the tables.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import click
import pandas as pd

from benchmarks.commands.compare import compare
from benchmarks.metrics.hypothesis_tests import holm

HERE = Path(__file__).parent
RATES = ("precision", "recall", "specificity")
POINT = "recall95"  # the threshold that has this recall on the validation set
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
    order = list(_of_runs("plain", plain)["auc_plain"].index)
    pd.DataFrame(columns).loc[order].rename_axis("cell").to_csv(
        HERE / "pipelines.csv", float_format="%.6g"
    )
    common = set.intersection(*map(_finished, pipelines.values()))
    errors = pd.concat([_errors(name, runs, common) for name, runs in pipelines.items()])
    errors.to_csv(HERE / "errors.csv", index=False)


def _differences(name: str, runs: tuple[Path, ...], plain: tuple[Path, ...]) -> pd.DataFrame:
    """Compare the AUCs of all cells that a run and a plain run have."""
    tables = []
    for one, other in product(runs, plain):
        known = [
            set(_read("scores", (run,)).query("status == 'ok'")["cell"]) for run in (one, other)
        ]
        if both := sorted(known[0] & known[1]):
            tables.append(compare(one, other, both))
    found = pd.concat(tables)
    return found[found["test"] == "clustered_delong"].assign(pipeline=name)


def _read(table: str, runs: tuple[Path, ...]) -> pd.DataFrame:
    text = {"operating_point": str, "subtype": str}
    return pd.concat([pd.read_csv(run / f"{table}.csv", dtype=text) for run in runs])


def _finished(runs: tuple[Path, ...]) -> set[str]:
    scores = _read("scores", runs)
    return set(scores.loc[scores["status"] == "ok", "cell"])


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
