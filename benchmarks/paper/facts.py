"""What a run knows of itself, in sentences by name: the answers of the checklists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import PIXELS
from benchmarks.io.formatting import plain, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import data_name, is_synthetic, validation_carved
from benchmarks.paper.references import DATA
from benchmarks.statistics.method_rows import Row, feature_sets, rows

_SPLITS = ("train", "validation", "test")
_LIBRARIES = (
    "python", "numpy", "scipy", "scikit-learn", "imbalanced-learn", "xgboost", "torch", "timm",
)  # fmt: skip


def facts(results: Results) -> dict[str, str]:
    """Sentences by name; an empty one is not known to the run.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of str
    """
    run = results.run
    config, data = run.get("config", {}), run.get("data", {})
    done = [row for row in rows(results) if row.ok]
    return {
        "design": _design(results),
        "source": _source(results, data),
        "licence": f"Licence of the data: {data['licence']}." if data.get("licence") else "",
        "sizes": _sizes(results.manifest, bool(data.get("groups_known", True))),
        "split": _split(results, bool(data.get("groups_known", True))),
        "limit": f"A sample of about {config['limit']} images was taken."
        if config.get("limit") else "No subset was taken.",
        "preparation": _preparation(config),
        "audit": _audit(results.table("audit")),
        "missing": _missing(data),
        "outcome": "Pneumonia or normal, as the data label each image"
        + ("; drawn by the program." if is_synthetic(results) else "; not assessed anew."),
        "predictors": _predictors(done, run),
        "models": _models(done, run),
        "tuning": _tuning(done, config),
        "balance": _balance(results.scores),
        "start": _start(run, done),
        "operating": "A score from 0 to 1 for each image, at a threshold of 0.5 and at the "
        "largest threshold with a recall of at least 0.95 on validation."
        if done else "",
        "measures": _measures(results),
        "uncertainty": _uncertainty(results),
        "recalibration": "Sigmoid and isotonic recalibration were fitted and scored."
        if len(results.table("calibration")) else "",
        "shift": "Validation and test are set side by side at the same thresholds."
        if done else "",
        "validation": _validation(results),
        "subgroups": "Recall by type of pneumonia, and false positives by series."
        if len(results.table("subgroups")) else "",
        "robustness": _robustness(results),
        "explained": "Importance of features is shown." if len(results.table("importance"))
        else "",
        "performance": f"{len(done)} methods, each with 95 % intervals." if done else "",
        "failures": "The most confident mistakes on test are listed." if done else "",
        "ensembles": "None; each method's scores stand alone." if done else "",
        "specification": "Each fitted model is kept in the run folder (models/) and scores new "
        "images with `run_benchmark.py predict`." if config.get("save_models") and done else "",
        "software": _software(run),
        "code": _code(run),
        "seeds": f"Seeds {plain(config['seeds'])}." if config.get("seeds") else "",
        "limits": "What the numbers can't say is listed.",
        "external": "None.",
        "size_origin": "About as many images as --limit asked for were taken."
        if config.get("limit") else "All readable images of the data were used; no sample size "
        "was computed.",
        "choice": "None is chosen: all methods are reported."
        + (" The CNN's epoch is that of the best average precision on validation."
           if any(row.is_cnn for row in done) else "")
        if done else "",
        "judged": "Nobody; the program computes them from the image." if done else "",
        **_kermany(str(data.get("citation", ""))),
    }  # fmt: skip


def _kermany(citation: str) -> dict[str, str]:
    """Repeat what the data's authors say of them, where these are the data."""
    if DATA["kermany2018"].doi not in citation:
        return {}
    source = "(as the data's authors say: Kermany et al., 2018)"
    return {
        "setting": f"One centre: Guangzhou Women and Children's Medical Center {source}.",
        "eligible": "Children of one to five years, radiographed in routine care; unreadable "
        f"images were screened out {source}.",
        "acquired": f"Chest radiographs, anterior-posterior {source}.",
        "annotators": f"Two expert physicians graded the images {source}.",
        "test_annotators": f"A third expert checked the test images {source}.",
    }


def _design(results: Results) -> str:
    if is_synthetic(results):
        return "Synthetic images: no study of patients."
    return "Retrospective: images collected and labelled before this analysis."


def _source(results: Results, data: dict[str, Any]) -> str:
    if not data.get("citation"):
        return ""
    return f"{data_name(results)}. {data['citation']}"


def _sizes(manifest: pd.DataFrame, known: bool) -> str:
    parts = []
    for split in _SPLITS:
        own = manifest[manifest["split"] == split]
        who = f" of {thousands(own['group'].nunique())} patients" if known else ""
        parts.append(
            f"{split} {thousands(len(own))} images{who}, {thousands(own['label'].sum())} with "
            "pneumonia"
        )
    return "; ".join(parts).capitalize() + "."


def _split(results: Results, known: bool) -> str:
    origin = (
        "Test came with the data; validation was drawn from train, stratified by class"
        if validation_carved(results)
        else "All splits came with the data"
    )
    level = (
        "disjoint by patient" if known else "disjoint by file; the data name no patients, so a "
        "patient may be in two splits"
    )  # fmt: skip
    return f"{origin}; {level}."


def _preparation(config: dict[str, Any]) -> str:
    steps = ["read as 8-bit grey"]
    crop = config.get("crop")
    if isinstance(crop, float) and crop < 1:
        steps.append(f"cropped to the central {100 * crop:.0f} % of each side")
    if config.get("image_size"):
        steps.append(f"resized to {config['image_size']} pixels a side")
    if config.get("contrast"):
        steps.append("stretched in grey value from the 1st to the 99th percentile")
    return f"Images {', '.join(steps)}." if len(steps) > 1 else ""


def _audit(audit: pd.DataFrame) -> str:
    if audit.empty:
        return ""
    found = audit["severity"].value_counts()
    words = ", ".join(f"{found.get(kind, 0)} {kind}" for kind in ("stop", "warn", "note"))
    return f"The data were audited before fitting: {words}."


def _missing(data: dict[str, Any]) -> str:
    if "left_out" not in data:
        return ""
    count = len(data["left_out"])
    return (
        f"{count} image{'s' * (count != 1)} could not be read and "
        f"{'was' if count == 1 else 'were'} left out; no value was imputed."
    )


def _predictors(done: Sequence[Row], run: dict[str, Any]) -> str:
    sets = feature_sets(done)
    if not done:
        return ""
    families = [f"{name} ({plain(value)})" for name, value in run.get("features", {}).items()]
    words = [", ".join(sets) or "pixels alone", *([", ".join(families)] if families else [])]
    return f"Computed from the image alone: {'; '.join(words)}."


def _models(done: Sequence[Row], run: dict[str, Any]) -> str:
    names = list(dict.fromkeys(row.model for row in done))
    settings = run.get("models", {})
    words = [f"{n} ({plain(settings[n])})" if settings.get(n) else n for n in names]
    return f"{'; '.join(words)}." if words else ""


def _tuning(done: Sequence[Row], config: dict[str, Any]) -> str:
    if not done:
        return ""
    if config.get("tune"):
        return "Hyperparameters by a search on training rows, grouped by patient."
    return "Hyperparameters fixed beforehand."


def _balance(scores: pd.DataFrame) -> str:
    done = scores[scores["status"] == "ok"]
    pairs = done[["model", "balance"]].drop_duplicates()
    words = [f"{one.model}: {one.balance}" for one in pairs.itertuples(index=False)]
    return f"On training rows only: {', '.join(words)}." if words else ""


def _start(run: dict[str, Any], done: Sequence[Row]) -> str:
    if not any(row.features == PIXELS for row in done):
        return ""
    details = [run.get("cells", {}).get(cell) or {} for row in done for cell in row.cells()]
    found = {str(one["initialised_from"]) for one in details if one.get("initialised_from")}
    return f"CNN: {', '.join(sorted(found))}." if found else ""


def _measures(results: Results) -> str:
    if not (results.scores["status"] == "ok").any():
        return ""
    extra = [
        words
        for name, words in (
            ("calibration", "calibration (slope, intercept, expected calibration error)"),
            ("decision", "net benefit"),
            ("prevalence", "precision at other prevalences"),
            ("comparisons", "paired comparisons of methods"),
        )
        if len(results.table(name))
    ]
    return "; ".join(
        ["Precision, recall, specificity, F1, accuracy, MCC, AUC, average precision, Brier score",
         *extra]
    ) + "."  # fmt: skip


def _uncertainty(results: Results) -> str:
    draws = results.run.get("protocol", {}).get("bootstrap_draws")
    if not draws:
        return ""
    comparisons = results.table("comparisons")
    corrected = len(comparisons) > 0 and comparisons["p_holm"].notna().any()
    more = " p values were corrected by Holm's method." if corrected else ""
    return f"95 % percentile intervals, bootstrap over patients, {thousands(draws)} draws.{more}"


def _validation(results: Results) -> str:
    folds = results.run.get("config", {}).get("folds") or 0
    if folds and (results.predictions["split"] == "cv").any():
        return f"Cross-validation on training rows by patient, {folds} folds; then the test split."
    return "Thresholds on validation, then the test split."


def _robustness(results: Results) -> str:
    parts = [
        words
        for name, words in (
            ("shortcuts", "controls that see no lung"), ("leaky", "a split by image as control"),
            ("ablation", "ablation of balancing"), ("learning", "learning curves"),
        )
        if len(results.table(name))
    ]  # fmt: skip
    return f"{', '.join(parts).capitalize()}." if parts else ""


def _software(run: dict[str, Any]) -> str:
    versions = run.get("versions", {})
    found = [f"{name} {versions[name]}" for name in _LIBRARIES
             if versions.get(name, "not installed") != "not installed"]  # fmt: skip
    return f"{', '.join(found)}." if found else ""


def _code(run: dict[str, Any]) -> str:
    program = run.get("program", {})
    if not program.get("name"):
        return ""
    words = f"{program['name']} {program.get('version', '')}".strip()
    return f"{words}, commit {program['commit']}." if program.get("commit") else f"{words}."
