"""A paragraph of methods ready for a paper, filled in from the configuration."""

from __future__ import annotations

from typing import Any

from benchmarks.fitting.cell import PIXELS
from benchmarks.io.formatting import plain, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import data_name, is_synthetic, network_start, validation_carved
from benchmarks.paper.bibliography import cite
from benchmarks.report.blocks import Section, paragraph
from benchmarks.statistics.method_rows import classical, feature_sets, rows
from models import declaration

_FAMILIES = {
    "hog": f"histograms of oriented gradients ({cite('dalal2005')})",
    "lbp": f"uniform local binary patterns ({cite('ojala2002')})",
    "texture": "texture statistics (grey-level co-occurrence after "
    f"{cite('haralick1973')}; Gabor filter energies after {cite('manjunath1996')}; intensity "
    "moments)",
    "glcm": f"grey-level co-occurrence statistics ({cite('haralick1973')})",
    "gabor": f"Gabor filter energies ({cite('manjunath1996')})",
    "intensity": "intensity statistics",
    "handcrafted": "all handcrafted features together",
    "embedding": "pooled penultimate activations of a frozen {backbone} with pretrained weights "
    f"({cite('razavian2014')})",
    "embedding_random": "the activations of a {backbone} with random weights, as a control",
    "hybrid": "handcrafted features and embedding together",
}
_BALANCES = {
    "smote": f"SMOTE ({cite('chawla2002')}), applied to training rows only",
    "borderline": f"borderline SMOTE ({cite('han2005')}), applied to training rows only",
    "svmsmote": f"SVM-SMOTE ({cite('nguyen2011')}), applied to training rows only",
    "adasyn": f"ADASYN ({cite('he2008')}), applied to training rows only",
    "oversample": "minority training rows drawn again at random",
    "undersample": "majority training rows left out at random",
    "class_weight": "class weights",
    "none": "no balancing",
}


def render(results: Results) -> Section:
    """Write the paragraph: what was done, in the order in which it was done."""
    sentences = [
        _data(results),
        *audited(results),
        _features(results),
        _classifiers(results),
        *_network(results),
        *_foreign(results),
        _scoring(results),
        *cross_validated(results),
        *compared(results),
        *calibrated(results),
        *explained(results),
    ]
    text = " ".join(sentence for sentence in sentences if sentence)
    return Section("Methods, ready for a paper", (paragraph(text),))


def _config(results: Results) -> dict[str, Any]:
    config = results.run.get("config", {})
    return config if isinstance(config, dict) else {}


def _data(results: Results) -> str:
    table, config = results.manifest, _config(results)
    known = results.run.get("data", {}).get("groups_known", True)
    sizes = ", ".join(
        f"{thousands((table['split'] == split).sum())} {split}"
        for split in ("train", "validation", "test")
    )
    kind = "synthetic phantom images" if is_synthetic(results) else "chest radiographs"
    who = f"of {thousands(table['group'].nunique())} patients " if known else ""
    how = "No patient is in two splits" if known else "Patients are unknown, so files were split"
    size = config.get("image_size")
    steps = []
    crop = config.get("crop")
    if isinstance(crop, float) and crop < 1:
        steps.append(f"cropped to the central {100 * crop:.0f} % of each side")
    if size:
        steps.append(f"resized to {size} × {size} pixels")
    if config.get("contrast"):
        steps.append("stretched in grey value from their 1st to their 99th percentile")
    prepared = f" Images were read as 8-bit grey, {', '.join(steps)}." if steps else ""
    validation = (
        f"; validation images were drawn from the training split by "
        f"{'patient' if known else 'file'}, stratified by class"
        if validation_carved(results)
        else ""
    )
    return (
        f"We used {thousands(len(table))} {kind} {who}({data_name(results)}; {sizes}). "
        f"{how}{validation}.{prepared}"
    )


def _listed(words: list[str]) -> str:
    if len(words) < 3 and not any("," in word for word in words):
        return " and ".join(words)
    return f"{'; '.join(words[:-1])}; and {words[-1]}" if len(words) > 1 else words[0]


def _features(results: Results) -> str:
    sets = feature_sets([row for row in rows(results) if row.ok])
    backbone = plain(_config(results).get("backbone")).replace("–", "network")
    words = [_FAMILIES.get(name, name).format(backbone=backbone) for name in sets]
    if not words:
        return "No fixed features were used."
    return f"Images were described by {_listed(words)}.{_stated(results.run.get('features', {}))}"


def _stated(settings: dict[str, Any]) -> str:
    """Write the settings of families or models in brackets after their names."""
    words = [f"{name} ({plain(values)})" for name, values in settings.items() if values]
    return f" Settings: {', '.join(words)}." if words else ""


def _classifiers(results: Results) -> str:
    models = list(dict.fromkeys(row.model for row in classical(rows(results)) if row.ok))
    if not models:
        return ""
    words = _listed([_model(name) for name in models])
    settings = {name: results.run.get("models", {}).get(name, {}) for name in models}
    balance = str(_config(results).get("balance", ""))
    method = _BALANCES.get(balance, balance or "the configured method")
    chosen = (
        "chosen by a search on training data, grouped by patient"
        if _config(results).get("tune")
        else "fixed beforehand"
    )
    return (
        f"Each feature set was classified by {words}; hyperparameters were {chosen}. "
        f"Class imbalance was met with {method}.{_stated(settings)}"
    )


def _model(name: str) -> str:
    declared = declaration(name)
    cited = {key: cite(key) for key in declared.references}
    if declared.methods:
        return declared.methods.format_map(cited)
    return f"{declared.title} ({'; '.join(cited.values())})" if cited else declared.title


def _network(results: Results) -> list[str]:
    network = next((row for row in rows(results) if row.is_cnn and row.ok), None)
    if network is None:
        return []
    config = _config(results)
    cell = network.cells()[0]
    start = network_start(results, cell)[0]
    details = results.run.get("cells", {}).get(cell) or {}
    longest = config.get("epochs") or details.get("epochs")
    balanced = (network.scores["balance"] != "none").any()
    sampling = "class-balanced sampling" if balanced else "images sampled as they come"
    epochs = f" for at most {longest} epochs" if longest else ""
    return [
        f"For comparison a convolutional network ({plain(config.get('backbone'))}) was trained end "
        f"to end{f' {start}' * bool(start)} on the same images{epochs} with AdamW "
        f"({cite('loshchilov2019')}), a one-cycle learning-rate schedule ({cite('smith2019')}), "
        f"{sampling}, and random flips, crops, brightness and "
        "contrast; the epoch with the best average precision on validation was kept."
    ]


def _foreign(results: Results) -> list[str]:
    names = [row.model for row in rows(results) if row.is_external]
    if not names:
        return []
    return [
        f"Scores of {len(names)} further model{'s' * (len(names) > 1)} ({', '.join(names)}), which "
        "were fitted elsewhere, were read from files; what they were fitted on is not known here."
    ]


def _scoring(results: Results) -> str:
    draws = thousands(results.run.get("protocol", {}).get("bootstrap_draws", 2000))
    if _config(results).get("task") == "subtype":
        return (
            "Methods were scored on the test split by the class of the largest probability: "
            "precision, recall and F1 of each class against all others, and their plain (macro) "
            "means. Intervals are 95 % percentile intervals from a bootstrap over patients "
            f"({cite('field2007')}) with {draws} draws. Nothing was chosen by its test score."
        )
    return (
        "Methods were scored on the test split at a probability threshold of 0.5 and at the "
        "largest threshold with a recall of at least 0.95 on validation. Intervals are 95 % "
        f"percentile intervals from a bootstrap over patients ({cite('field2007')}) with "
        f"{draws} draws. Nothing was chosen by its test score."
    )


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
    found = results.table("audit")
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
    finished = results.predictions["features"].eq(PIXELS).any()
    crossed = own["features"].eq(PIXELS).any()
    without = ", the network excepted" if finished and not crossed else ""
    return [
        f"Besides, the methods{without} were cross-validated on the training rows in "
        f"{own['fold'].max()} folds that keep a patient's images together, to tell the gap "
        "between data of one source and the test split."
    ]


def compared(results: Results) -> list[str]:
    """Tell how methods were compared; nothing if they were not."""
    found = results.table("comparisons")
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
    found = results.table("importance")
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
    found, text = results.table("calibration"), []
    if not found.empty:
        done = set(found["recalibration"])
        repairs = [words for name, words in _REPAIRS.items() if name in done]
        after = f", before and after recalibration by {' and by '.join(repairs)} on validation " \
                "images" if repairs else ""  # fmt: skip
        text.append(
            "Calibration was measured on the test split by slope, intercept, expected calibration "
            f"error and the parts of the Brier score ({cite('murphy1973')}){after}."
        )
    if len(results.table("decision")):
        text.append(f"Net benefit was computed by decision curves ({cite('vickers2006')}).")
    return text
