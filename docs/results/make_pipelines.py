"""Write pipelines.csv: every cell of a run with preprocessing, copies and views beside a plain run.

Also writes errors.csv: which test images most of the methods misclassify.

    python docs/results/make_pipelines.py RECOMMENDED_RUN PLAIN_RUN [RECOMMENDED_RUN PLAIN_RUN …]

A further pair of runs has other cells. All runs must have the same test images. ``docs/checks/make_accuracy.py`` shows the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.commands.compare import compare
from benchmarks.metrics.hypothesis_tests import holm

HERE = Path(__file__).parent
RATES = ("precision", "recall", "specificity")
POINT = "recall95"  # the threshold that has this recall on the validation set
CONTROLS = ("embedding_random", "combined")
AT_RECALL = 0.95  # on the test images, for the descriptive precision


def main(*runs: Path) -> None:
    """Write the tables from pairs of runs: with the recommended options, and plain."""
    recommended, plain = runs[::2], runs[1::2]
    table = pd.concat([compare(*pair) for pair in zip(recommended, plain, strict=True)])
    areas = table[table["test"] == "clustered_delong"].set_index("cell_a")
    areas["p_holm"] = holm(areas["p"].to_numpy())
    columns = {
        "auc_difference": areas["difference"], "auc_difference_lo": areas["lo"],
        "auc_difference_hi": areas["hi"], "auc_difference_p_holm": areas["p_holm"],
    }  # fmt: skip
    columns |= _of_runs("recommended", recommended) | _of_runs("plain", plain)
    pd.DataFrame(columns).loc[areas.index].rename_axis("cell").to_csv(
        HERE / "pipelines.csv", float_format="%.6g"
    )
    errors = [_errors("plain", plain), _errors("recommended", recommended)]
    pd.concat(errors).to_csv(HERE / "errors.csv", index=False)


def _read(table: str, runs: tuple[Path, ...]) -> pd.DataFrame:
    text = {"operating_point": str, "subtype": str}
    return pd.concat([pd.read_csv(run / f"{table}.csv", dtype=text) for run in runs])


def _errors(name: str, runs: tuple[Path, ...]) -> pd.DataFrame:
    """Count the test images of each kind that more than half of the methods misclassify."""
    scores = _read("scores", runs)
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == POINT)]
    threshold = rows.set_index("cell")["threshold"]
    found = _read("predictions", runs).fillna({"subtype": ""})
    found = found[(found["split"] == "test") & ~found["features"].isin(CONTROLS)]
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
    main(*(Path(argument) for argument in sys.argv[1:]))
