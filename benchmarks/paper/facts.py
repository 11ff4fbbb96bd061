"""Facts about a run as sentences: the answers of the checklists and parts of the methods text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import COMBINED, PIXELS
from benchmarks.io.formatting import join_words, number, plain, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import (
    class_pair,
    data_name,
    is_synthetic,
    test_drawn,
    validation_drawn,
)
from benchmarks.metrics.bootstrap import AUC_INTERVAL, DRAWS
from benchmarks.paper.bibliography import BALANCING, cite
from benchmarks.paper.combined_methods import combinations
from benchmarks.statistics.method_rows import Row, feature_sets, rows
from features.preprocessing import PREPROCESSING
from models import model_libraries
from models.balance import RESAMPLERS

_SPLITS = ("train", "validation", "test")
_LIBRARIES = (
    "python", "numpy", "scipy", "scikit-learn", "imbalanced-learn", "xgboost", "torch", "timm",
)  # fmt: skip


def facts(results: Results) -> dict[str, str]:
    """Describe a run in sentences.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of str
        Sentence by name; empty where the run's record has no answer.
    """
    run = results.run
    config, data = run.get("config", {}), run.get("data", {})
    done, names = [row for row in rows(results) if row.ok], class_pair(results)
    return {
        "design": _design(results),
        "source": _source(results, data),
        "licence": f"Licence of the data: {data['licence']}." if data.get("licence") else "",
        "sizes": _sizes(results.manifest, bool(data.get("groups_known", True)), names[1]),
        "split": _split(results, bool(data.get("groups_known", True))),
        "limit": f"A sample of about {config['limit']} images was taken."
        if config.get("limit") else "No subset was taken.",
        "preparation": preparation(config),
        "audit": audit_summary(results),
        "missing": _missing(data),
        "outcome": f"{names[1]} versus {names[0]}, by the label of the data"
        + ("; drawn by the program." if is_synthetic(results) else "; not reassessed."),
        "predictors": _predictors(done, run),
        "models": _models(done, run),
        "tuning": _tuning(done, config),
        "balance": _balance(results.scores),
        "start": _start(run, done),
        "operating": "A score from 0 to 1 for each image, at a threshold of 0.5 and at the "
        "largest threshold with a recall of at least 0.95 on the validation set."
        if done else "",
        "measures": _measures(results),
        "uncertainty": _uncertainty(results),
        "recalibration": "Sigmoid and isotonic recalibration were fitted and scored."
        if len(results.table("calibration")) else "",
        "shift": "Validation and test results are compared at the same thresholds."
        if done else "",
        "validation": _validation(results),
        "subgroups": "Recall by subtype, and false positives by series."
        if len(results.table("subgroups")) else "",
        "robustness": _robustness(results),
        "explained": "Feature importance is reported." if len(results.table("importance"))
        else "",
        "performance": f"{len(done)} methods, each with 95 % intervals." if done else "",
        "failures": "The test images that most methods misclassify are listed." if done else "",
        "ensembles": " ".join(combinations(results)) or "None; each method is scored separately."
        if done else "",
        "specification": "Each fitted model is saved in the run folder (models/) and scores new "
        "images with `run_benchmark.py predict`." if config.get("save_models") and done else "",
        "software": _software(run),
        "code": _code(run),
        "seeds": f"Seeds {plain(config['seeds'])}." if config.get("seeds") else "",
        "limits": "Limitations are listed.",
        "external": _external(results),
        "size_origin": " ".join(filter(None, [
            "A sample of about the size given by --limit was taken."
            if config.get("limit") else "All readable images of the data were used; no sample size "
            "was computed.", sample_size(results)])),
        "choice": "No final model is selected: all methods are reported."
        + (" The CNN's epoch has the best average precision on the validation set."
           if any(row.is_cnn for row in done) else "")
        if done else "",
        "judged": "Not applicable; the program computes them from the image." if done else "",
        **data.get("facts", {}),
    }  # fmt: skip


def _external(results: Results) -> str:
    """Name the data of other sources that the fitted methods scored."""
    found = results.run.get("test_data", {})
    if not found:
        return "None."
    named = [f"{name} ({one.get('name') or 'unnamed data'})" for name, one in found.items()]
    return (
        f"Without refitting, the methods scored {join_words(named)}, with the thresholds of the "
        "run."
    )


def sample_size(results: Results, cited: bool = False) -> str:
    """Describe the width of intervals to expect from the number of test images and patients.

    Parameters
    ----------
    results : Results
    cited : bool
        Whether to cite the methods.

    Returns
    -------
    str
        Empty if the run folder has no table ``sample_size``.
    """
    table = results.table("sample_size")
    if table.empty:
        return ""
    works = f" ({cite('hanley1982')})" if cited else ""
    aim = f" (as in {cite('riley2021')})" if cited else ""
    words = [
        f"{'AUC' if one['metric'] == 'auc' else one['metric']} {number(one['value'])}: "
        f"{number(one['expected'])} to {number(one['conservative'])}, observed "
        f"{number(one['observed'])}"
        for one in table.to_dict("records")
    ]
    return (
        "The size of the test set was not chosen; what it allows is judged by the half-widths of "
        f"95 % intervals to expect{aim}, from independent images to images of a patient that are "
        f"copies of each other, by Hanley and McNeil's formula for the AUC{works} and Wilson's for "
        "proportions. At the values of the leading method on the test set, observed with its "
        "threshold held fixed: "
        f"{'; '.join(words)}."
    )


def _design(results: Results) -> str:
    if is_synthetic(results):
        return "Synthetic images: not a study of patients."
    return "Retrospective: images collected and labelled before this analysis."


def _source(results: Results, data: dict[str, Any]) -> str:
    if not data.get("citation"):
        return ""
    return f"{data_name(results)}. {data['citation']}"


def _sizes(manifest: pd.DataFrame, known: bool, positive: str) -> str:
    parts = []
    for split in _SPLITS:
        own = manifest[manifest["split"] == split]
        who = f" of {thousands(own['group'].nunique())} patients" if known else ""
        parts.append(
            f"{split} {thousands(len(own))} images{who}, {thousands(own['label'].sum())} of class "
            f"{positive}"
        )
    return f"{'; '.join(parts)}.".replace("train", "Train", 1)


def _split(results: Results, known: bool) -> str:
    file = results.run.get("config", {}).get("split")
    own = f"the file {Path(str(file)).name}" if file else "the data"
    test = f"The test split is that of {own}"
    if test_drawn(results):
        test = "The test split was drawn by the program, stratified by "
        test += "the number of positive labels" if file else "class and subtype"
    origin = f"All splits are those of {own}"
    if validation_drawn(results):
        origin = f"{test}; validation was sampled from train, stratified by class"
    elif test_drawn(results):
        origin = f"{test}; validation is that of the data"
    level = (
        "disjoint by patient" if known else "disjoint by file; patients are unknown, so "
        "a patient may be in two splits"
    )  # fmt: skip
    return f"{origin}; {level}."


def preparation(config: dict[str, Any]) -> str:
    """Describe how images were read, cropped, resized and stretched.

    Parameters
    ----------
    config : dict
        The run's configuration.

    Returns
    -------
    str
        A sentence; empty if the configuration names no step.
    """
    steps = ["read as 8-bit grey"]
    if config.get("fix_polarity"):
        steps.append("inverted if their polarity was reversed")
    crop = config.get("crop")
    if isinstance(crop, float) and crop < 1:
        steps.append(f"cropped to the central {100 * crop:.0f} % of each side")
    if config.get("image_size"):
        steps.append(f"resized to {config['image_size']} × {config['image_size']} pixels")
    if config.get("contrast"):
        steps.append("contrast-stretched from the 1st to the 99th percentile")
    for name in config.get("preprocess") or ():
        kind = PREPROCESSING.get(name)
        cited = {key: cite(key) for key in kind.references} if kind else {}
        steps.append(kind.description.format_map(cited) if kind else name)
    return f"Images were {', '.join(steps)}." if len(steps) > 1 else ""


def balancing(balance: str, with_citation: bool = False) -> str:
    """Name a method of balancing the classes.

    Parameters
    ----------
    balance : str
        A key of ``models.balance.BALANCES``.
    with_citation : bool
        Whether to cite its source.

    Returns
    -------
    str

    Examples
    --------
    >>> balancing("adasyn", with_citation=True)
    'ADASYN (He et al., 2008), applied to training rows only'
    """
    title, key = BALANCING.get(balance, (balance or "the configured method", ""))
    source = f" ({cite(key)})" if key and with_citation else ""
    where = ", applied to training rows only" if balance in RESAMPLERS else ""
    return f"{title}{source}{where}"


def audit_summary(results: Results) -> str:
    """Count the findings of the data audit by severity.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        A sentence; empty if the audit has no findings.
    """
    found = results.table("audit")
    if found.empty:
        return ""
    counts = [
        f"{count} {one if count == 1 else several}"
        for kind, one, several in (
            ("stop", "finding that stops a run", "findings that stop a run"),
            ("warn", "warning", "warnings"),
            ("note", "note", "notes"),
        )
        if (count := int((found["severity"] == kind).sum()))
    ]
    return f"Before fitting, the data were audited: {', '.join(counts)}."


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
    parts = {part for name in sets for part in name.split("+")}
    given = {name: one for name, one in run.get("features_from", {}).items() if name in parts}
    without = ("+".join(part for part in name.split("+") if part not in given) for name in sets)
    own = [name for name in dict.fromkeys(without) if name]
    words = [", ".join(own) or "pixels alone", *([", ".join(families)] if families else [])]
    known = [] if given and not own else [f"Computed from the image only: {'; '.join(words)}."]
    known += [
        f"Read from the table {one['file']}, whose origin this program does not know: {name} "
        f"({len(one['columns'])} columns)."
        for name, one in given.items()
    ]
    return " ".join(known)


def _models(done: Sequence[Row], run: dict[str, Any]) -> str:
    names = list(dict.fromkeys(row.classifier for row in done))
    settings = run.get("models", {})
    words = [f"{n} ({plain(settings[n])})" if settings.get(n) else n for n in names]
    return f"{'; '.join(words)}." if words else ""


def _tuning(done: Sequence[Row], config: dict[str, Any]) -> str:
    if not done:
        return ""
    if config.get("tune"):
        return "Hyperparameters were tuned by a search on training rows, grouped by patient."
    return "Hyperparameters were fixed in advance."


def _balance(scores: pd.DataFrame) -> str:
    done = scores[(scores["status"] == "ok") & (scores["features"] != COMBINED)]
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


def intervals(results: Results) -> str:
    """Describe the intervals of a run and what they include.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        Four sentences.
    """
    draws = thousands(results.run.get("protocol", {}).get("bootstrap_draws", DRAWS))
    return (
        "Intervals (95 %) of recall and specificity are Wilson intervals for clustered data, with "
        "patients as clusters, except at a threshold that was chosen on the same images; these and "
        f"all others are percentile intervals from a bootstrap over patients with {draws} "
        f"resamples{auc_interval(results)}. Where all images of a class are predicted alike, each "
        "of its patients counts as one image. At a threshold that was chosen on validation "
        "patients, the validation patients are resampled, too, and the threshold is chosen again "
        "in each resample; scores.csv also holds the intervals at the chosen threshold held fixed "
        "(_lo and _hi beside _lo_threshold and _hi_threshold). Fitted models are held fixed."
    )


def auc_interval(results: Results) -> str:
    """Say how the interval of an AUC follows from the resamples, as the end of a sentence.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        Empty for runs of versions that had percentile intervals.
    """
    if results.run.get("protocol", {}).get("auc_interval") != AUC_INTERVAL:
        return ""
    return (
        ", except that of an AUC, which is symmetric about the logit of the AUC, with the "
        "standard deviation over these resamples"
    )


def _uncertainty(results: Results) -> str:
    draws = results.run.get("protocol", {}).get("bootstrap_draws")
    if not draws:
        return ""
    comparisons = results.table("comparisons")
    corrected = len(comparisons) > 0 and comparisons["p_holm"].notna().any()
    more = " p values were corrected by Holm's method." if corrected else ""
    return f"{intervals(results)}{more}"


def _validation(results: Results) -> str:
    folds = results.run.get("config", {}).get("folds") or 0
    if folds and (results.predictions["split"] == "cv").any():
        return f"Cross-validation on training rows by patient, {folds} folds; then the test split."
    return "Thresholds on the validation set, then the test split."


def _robustness(results: Results) -> str:
    parts = [
        words
        for name, words in (
            ("shortcuts", "shortcut controls"), ("leaky", "a split by image as control"),
            ("ablation", "ablation of class balancing"), ("learning", "learning curves"),
        )
        if len(results.table(name))
    ]  # fmt: skip
    return f"{', '.join(parts).capitalize()}." if parts else ""


def _software(run: dict[str, Any]) -> str:
    versions = run.get("versions", {})
    found = [f"{name} {versions[name]}" for name in dict.fromkeys((*_LIBRARIES, *model_libraries()))
             if versions.get(name, "not installed") != "not installed"]  # fmt: skip
    return f"{', '.join(found)}." if found else ""


def _code(run: dict[str, Any]) -> str:
    program = run.get("program", {})
    if not program.get("name"):
        return ""
    words = f"{program['name']} {program.get('version', '')}".strip()
    return f"{words}, commit {program['commit']}." if program.get("commit") else f"{words}."
