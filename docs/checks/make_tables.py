"""Write the tables of importance.md and README.md from the CSV files in this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
METHODS = ("permutation", "replacement", "shap", "occlusion")
MODELS = ("svm", "forest", "xgboost", "logistic")
PRIORS = ("even map", "centre prior", "mean training lesion")
SETS = ("none", "random", "glued")
SUBTYPES = ("all", "bacteria", "virus")


def by_cell(lesions: pd.DataFrame, measure: str) -> str:
    """Tabulate one measure for each cell and method; letters mark the references that it beats."""
    part = lesions[(lesions["measure"] == measure) & (lesions["subtype"] == "all")]
    rows = []
    for (features, model), cell in part.dropna(subset="features").groupby(
        ["features", "model"], sort=False
    ):
        found = cell.set_index("method")
        shown = [_value(found.loc[name]) if name in found.index else "–" for name in METHODS]
        rows.append([features, model, *shown])
    return _markdown(rows, ["Features", "Classifier", *METHODS], labels=2)


def by_subtype(lesions: pd.DataFrame) -> str:
    """Tabulate the median and range over cells for each method and subtype."""
    rows = []
    for method in (*METHODS, *PRIORS):
        for subtype in SUBTYPES:
            part = lesions[(lesions["method"] == method) & (lesions["subtype"] == subtype)]
            shown = [_spread(part.loc[part["measure"] == name, "value"])
                     for name in ("pointing", "share", "auc")]  # fmt: skip
            rows.append([method, subtype, part["images"].iloc[0], *shown])
    return _markdown(
        rows, ["Map", "Pneumonia", "Images", "Pointing game", "Fraction inside", "AUC"], 2
    )


def ranks(planted: pd.DataFrame, how: str) -> str:
    """Tabulate the rank of the letter's best region by classifier; 0 if no region matters."""
    part = _regions(planted, how)
    rows = []
    for (features, family), own in part.groupby(["features", "family"], sort=False):
        shown = []
        for method in METHODS[:3]:
            found = own[own["method"] == method].set_index("model")
            shown.append(" ".join(_rank(found, model) for model in MODELS))
        touched = f"{own['marked'].iloc[0]:.0f} of {own['regions'].iloc[0]:.0f}"
        rows.append([features, family, touched, *shown])
    return _markdown(rows, ["Features", "Family", "Regions", *METHODS[:3]], labels=2)


def shares(planted: pd.DataFrame) -> str:
    """Tabulate the fraction of importance in the letter's regions over that of the area."""
    rows = []
    for method in METHODS[:3]:
        for how in SETS:
            part = _regions(planted, how)
            part = part[part["method"] == method]
            times = part["share"].fillna(0) / part["area"]
            first = (part["rank"] == 1).sum()
            rows.append([method, how, len(part), f"{first} of {len(part)}", _spread(times, 1)])
    header = ["Importance", "Letter", "Rows", "Letter ranks first", "Fraction over area"]
    return _markdown(rows, header, labels=2)


def others(planted: pd.DataFrame) -> str:
    """Tabulate the AUC of cells, controls and the audit's most discriminative place by set."""
    rows = []
    cells = planted[planted["family"].notna()].drop_duplicates(["set", "features", "model"])
    rows.append(["cells, test", *[_spread(cells.loc[cells["set"] == s, "auc"]) for s in SETS]])
    controls = planted[planted["method"] == "control"]
    for name in controls["features"].unique():
        own = controls[controls["features"] == name].set_index("set")
        rows.append([f"control: {name}, test", *[_interval(own.loc[how]) for how in SETS]])
    audit = planted[planted["method"] == "audit"].set_index("set")
    rows.append(
        ["audit, most discriminative place, train", *[f"{audit.loc[s, 'auc']:.2f}" for s in SETS]]
    )
    severity = audit["severity"].fillna("none")
    rows.append(["audit, severity of the finding", *[severity[how] for how in SETS]])
    return _markdown(rows, ["AUC", *SETS], labels=1)


def pages() -> dict[Path, dict[str, str]]:
    """Make the tables of every page, by the name of their marks."""
    coverage = pd.read_csv(HERE / "rate_coverage.csv")
    return {HERE / "importance.md": tables(), HERE / "README.md": {"rates": rates(coverage)}}


def tables() -> dict[str, str]:
    """Make every table of importance.md, by the name of its mark."""
    lesions, planted = (pd.read_csv(HERE / name) for name in ("lesions.csv", "planted.csv"))
    made: dict[str, Callable[[], str]] = {
        "pointing": lambda: by_cell(lesions, "pointing"),
        "share": lambda: by_cell(lesions, "share"),
        "auc": lambda: by_cell(lesions, "auc"),
        "subtypes": lambda: by_subtype(lesions),
        "glued": lambda: ranks(planted, "glued"),
        "shares": lambda: shares(planted),
        "others": lambda: others(planted),
    }
    return {name: make() for name, make in made.items()}


def main() -> None:
    """Replace the tables of the pages."""
    for page, made in pages().items():
        text = page.read_text(encoding="utf-8")
        for name, table in made.items():
            start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
            before, rest = text.split(start)
            text = f"{before}{start}{table}\n{end}{rest.split(end)[1]}"
        page.write_text(text, encoding="utf-8")


def _regions(planted: pd.DataFrame, how: str) -> pd.DataFrame:
    return planted[(planted["set"] == how) & planted["family"].notna()]


def _rank(found: pd.DataFrame, model: str) -> str:
    if model not in found.index:
        return "–"
    return "0" if pd.isna(found.loc[model, "share"]) else f"{found.loc[model, 'rank']:.0f}"


def _value(row: pd.Series) -> str:
    surely = [row[f"over_{name}_lo"] > 0 for name in ("shuffled", "centre", "lesion")]
    signs = "".join(letter for letter, better in zip("rcl", surely, strict=True) if better)
    return f"{row['value']:.2f}" + (f" {signs}" if signs else "")


def rates(coverage: pd.DataFrame) -> str:
    """Tabulate the coverage of intervals of rates: mean and range over AUCs and correlations."""
    rows = []
    for quantity in ("recall", "specificity", "precision", "auc"):
        for threshold in ("none", "fixed", "chosen"):
            own = coverage[(coverage["quantity"] == quantity)
                           & (coverage["threshold"] == threshold)]  # fmt: skip
            for method, part in own.groupby("method", sort=False):
                groups = [("", part)]
                if (quantity, threshold) == ("recall", "fixed"):
                    groups = [(f"{truth:g}", each) for truth, each in part.groupby("truth")]
                rows += [
                    [quantity, threshold, method, name, _percent(each["coverage"]),
                     f"{100 * each['below'].mean():.1f}", f"{100 * each['above'].mean():.1f}"]
                    for name, each in groups
                ]  # fmt: skip
    header = ["Quantity", "Threshold", "Interval", "True value", "Coverage in %",
              "Too low in %", "Too high in %"]  # fmt: skip
    return _markdown(rows, header, labels=3)


def _percent(values: pd.Series) -> str:
    return f"{100 * values.mean():.1f} ({100 * values.min():.1f}–{100 * values.max():.1f})"


def _spread(values: pd.Series, digits: int = 2) -> str:
    low, middle, high = values.min(), values.median(), values.max()
    if low == high:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _interval(row: pd.Series) -> str:
    return f"{row['auc']:.2f} ({row['lo']:.2f}–{row['hi']:.2f})"


def _markdown(rows: list[list[object]], header: list[str], labels: int) -> str:
    align = ["left"] * labels + ["right"] * (len(header) - labels)
    return pd.DataFrame(rows, columns=header).to_markdown(
        index=False, colalign=align, disable_numparse=True
    )


if __name__ == "__main__":
    main()
