"""Write pipelines.csv: every cell of a run with preprocessing, copies and views beside a plain run.

    python docs/results/make_pipelines.py RECOMMENDED_RUN PLAIN_RUN REGISTRATION_RUN

The runs must have the same test images. ``docs/checks/make_accuracy.py`` shows the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.commands.compare import compare

HERE = Path(__file__).parent
RATES = ("precision", "recall", "specificity")
POINT = "recall95"  # the threshold that has this recall on the validation set
AT_RECALL = 0.95  # on the test images, for the descriptive precision


def main(recommended: Path, plain: Path, registration: Path) -> None:
    """Write the table: the first two runs are compared; of the third, only AUCs are shown."""
    table = compare(recommended, plain)
    areas = table[table["test"] == "clustered_delong"].set_index("cell_a")
    columns = {
        "auc_difference": areas["difference"], "auc_difference_lo": areas["lo"],
        "auc_difference_hi": areas["hi"], "auc_difference_p_holm": areas["p_holm"],
    }  # fmt: skip
    columns |= _of_run(recommended, "recommended") | _of_run(plain, "plain")
    columns["auc_registration"] = _of_run(registration, "registration")["auc_registration"]
    pd.DataFrame(columns).loc[areas.index].rename_axis("cell").to_csv(
        HERE / "pipelines.csv", float_format="%.6g"
    )


def _of_run(run: Path, name: str) -> dict[str, pd.Series]:
    scores = pd.read_csv(run / "scores.csv", dtype={"operating_point": str})
    rows = scores[(scores["split"] == "test") & (scores["operating_point"] == POINT)]
    rows = rows.set_index("cell")
    found = {f"auc_{name}{end}": rows[f"auc{end}"] for end in ("", "_lo", "_hi")}
    for rate in RATES:
        found[f"{rate}_{name}"] = rows[rate]
        for end in ("_lo", "_hi"):
            found[f"{rate}_{name}{end}"] = rows[f"{rate}{end}_threshold"]
    matched = pd.read_csv(run / "matched_on_test.csv")
    matched = matched[matched["target_recall"] == AT_RECALL].set_index("cell")
    found[f"matched_precision_{name}"] = matched["precision"]
    found[f"fit_seconds_{name}"] = rows["fit_seconds"]
    return found


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
