"""Sentences of the methods paragraph on what a run may have done: audit, folds, tests, repair."""

from __future__ import annotations

from benchmarks.io.results import Results
from benchmarks.paper.bibliography import cite, table
from benchmarks.report.lookup_cells import CNN_FEATURES

_TESTS = {
    "clustered_delong": "AUCs by DeLong's test extended to several images of a patient "
    f"({cite('delong1988', 'obuchowski1997')})",
    "delong": f"AUCs by DeLong's test ({cite('delong1988')})",
    "mcnemar": f"decisions by McNemar's test ({cite('mcnemar1947')})",
    "bootstrap": "differences in each metric by intervals from the same bootstrap draws",
}
_REPAIRS = {
    "sigmoid": f"a sigmoid ({cite('platt1999')})",
    "isotonic": f"isotonic regression ({cite('zadrozny2002')})",
}


def audited(results: Results) -> list[str]:
    """Tell what the audit of the data gave; nothing if there was none."""
    found = table(results, "audit")
    if found.empty:
        return []
    counts = [
        f"{count} finding{'s' * (count != 1)} of the severity {kind}"
        for kind in ("stop", "warn", "note")
        if (count := int((found["severity"] == kind).sum()))
    ]
    return [f"Before fitting, the data were audited: {', '.join(counts)}."]


def cross_validated(results: Results) -> list[str]:
    """Tell of the cross-validation on training rows; nothing if there was none."""
    own = results.predictions
    own = own[own["split"] == "cv"]
    if own.empty:
        return []
    finished = results.predictions["features"].eq(CNN_FEATURES).any()
    crossed = own["features"].eq(CNN_FEATURES).any()
    without = ", the network excepted" if finished and not crossed else ""
    return [
        f"Besides, the methods{without} were cross-validated on the training rows in "
        f"{own['fold'].max()} folds that keep a patient's images together, to tell the gap "
        "between data of one source and the test split."
    ]


def compared(results: Results) -> list[str]:
    """Tell how methods were compared; nothing if they were not."""
    found = table(results, "comparisons")
    if found.empty:
        return []
    done = set(found["test"])
    words = [text for name, text in _TESTS.items() if name in done]
    holm = (
        f"; p values were corrected by Holm's method ({cite('holm1979')})"
        if found["p_holm"].notna().any()
        else ""
    )
    return [f"Methods were compared in pairs on the same test images: {'; '.join(words)}{holm}."]


def explained(results: Results) -> list[str]:
    """Tell how the importance of features was measured; nothing if it was not."""
    found = table(results, "importance")
    done = set(found.loc[found["status"] == "ok", "method"]) if len(found) else set()
    words = []
    if "permutation" in done:
        words.append(
            "the fall of AUC, average precision and precision on test images when all columns of a "
            "family, of a part of it or of an image region were exchanged between images together "
            f"({cite('breiman2001')})"
        )
    if "shap" in done:
        words.append(
            f"SHAP values ({cite('lundberg2017', 'lundberg2020')}) of a sample of test images "
            "against one of training images"
        )
    return [f"Importance of features was measured by {'; and by '.join(words)}."] if words else []


def calibrated(results: Results) -> list[str]:
    """Tell how calibration was measured and repaired, and whether net benefit was computed."""
    found, text = table(results, "calibration"), []
    if not found.empty:
        done = set(found["recalibration"])
        repairs = [words for name, words in _REPAIRS.items() if name in done]
        after = f", before and after recalibration by {' and by '.join(repairs)} on validation " \
                "images" if repairs else ""  # fmt: skip
        text.append(
            "Calibration was measured on the test split by slope, intercept, expected calibration "
            f"error and the parts of the Brier score ({cite('murphy1973')}){after}."
        )
    if len(table(results, "decision")):
        text.append(f"Net benefit was computed by decision curves ({cite('vickers2006')}).")
    return text
