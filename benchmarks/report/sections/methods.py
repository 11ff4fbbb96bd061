"""The methods paragraph of a paper, filled in from the record of the run."""

from __future__ import annotations

from typing import Any

from benchmarks.extraction.given_features import family_class, is_given
from benchmarks.fitting.cell import PIXELS, families_of
from benchmarks.io.formatting import plain, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import (
    cnn_backbone,
    data_name,
    is_synthetic,
    network_start,
    test_drawn,
    validation_drawn,
)
from benchmarks.paper.bibliography import cite
from benchmarks.paper.combined_methods import combinations
from benchmarks.paper.copies_and_views import changes_in_words, copies_and_views
from benchmarks.paper.facts import (
    auc_interval,
    audit_summary,
    balancing,
    intervals,
    preparation,
    sample_size,
)
from benchmarks.report.blocks import Section, paragraph
from benchmarks.report.sections.other_hospitals import tested_elsewhere
from benchmarks.statistics.method_rows import feature_sets, on_features, rows
from features.preprocessing.augmentation import TRAINING
from models import declaration

_TESTS = {
    "clustered_delong": "AUCs by DeLong's test for clustered data, with patients as clusters "
    f"({cite('delong1988', 'obuchowski1997')})",
    "delong": f"AUCs by DeLong's test without clustering ({cite('delong1988')})",
    "bootstrap": "differences in each metric, among them specificity and precision at the "
    "threshold for a recall of 0.95 on the validation set, by paired bootstrap intervals over "
    "patients in which the threshold is chosen again",
    "sign_flip": "decisions at the threshold held fixed by McNemar's test with patients as "
    f"clusters ({cite('durkalski2003')})",
    "mcnemar": f"and without clusters ({cite('mcnemar1947')})",
}
_RECALIBRATIONS = {
    "sigmoid": f"a sigmoid ({cite('platt1999')})",
    "isotonic": f"isotonic regression ({cite('zadrozny2002')})",
}

_POOLED = {  # the network's own pooling needs no words
    "avg": "pooled by means",
    "max": "pooled by maxima",
    "gem": f"pooled by generalised means with p = 3, {cite('radenovic2019')}",
    "cls+avg": "class token and mean of the tokens of patches",
}


def render(results: Results) -> Section:
    """Write the methods paragraph, in the order of the protocol.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    sentences = [
        _data(results),
        audit_summary(results),
        _features(results),
        _classifiers(results),
        *combinations(results),
        *_network(results),
        *_external(results),
        _scoring(results),
        sample_size(results, cited=True),
        *_cross_validated(results),
        *tested_elsewhere(results),
        *_chosen(results),
        *_compared(results),
        *_calibrated(results),
        *_explained(results),
    ]
    text = " ".join(sentence for sentence in sentences if sentence)
    return Section("Methods", (paragraph(text),))


def _config(results: Results) -> dict[str, Any]:
    config = results.run.get("config", {})
    return config if isinstance(config, dict) else {}


def _data(results: Results) -> str:
    table = results.manifest
    known = results.run.get("data", {}).get("groups_known", True)
    sizes = ", ".join(
        f"{thousands((table['split'] == split).sum())} {split}"
        for split in ("train", "validation", "test")
    )
    kind = "synthetic phantom images" if is_synthetic(results) else "chest radiographs"
    who = f"of {thousands(table['group'].nunique())} patients " if known else ""
    drawn = "; test images were drawn from all images" * test_drawn(results)
    how = (
        "No patient is in two splits" if known else "Patients are unknown, so the split is by file"
    )
    validation = (
        f"; validation images were sampled from the training split by "
        f"{'patient' if known else 'file'}, stratified by class"
        if validation_drawn(results)
        else ""
    )
    return (
        f"We used {thousands(len(table))} {kind} {who}({data_name(results)}; {sizes}). "
        f"{how}{drawn}{validation}. {preparation(results.run.get('config', {}))}"
    )


def _listed(words: list[str]) -> str:
    if len(words) < 3 and not any("," in word for word in words):
        return " and ".join(words)
    return f"{'; '.join(words[:-1])}; and {words[-1]}" if len(words) > 1 else words[0]


def _features(results: Results) -> str:
    sets = feature_sets([row for row in rows(results) if row.ok])
    if not sets:
        return "No fixed features were used."
    families = dict.fromkeys(family for name in sets for family in families_of(name))
    words = _listed([_family(results, name) for name in families])
    settings = _stated(results.run.get("features", {}))
    return f"Images were described by {words}.{_combined(sets)}{settings}"


def _family(results: Results, name: str) -> str:
    if is_given(name):
        return _given(results, name)
    kind = family_class(name)
    backbone = _backbone(results, name) if kind.network else []
    works = "; ".join([*backbone, *_pooling(results, name), *map(cite, kind.references)])
    description = kind.description or kind.title
    if results.run.get("features", {}).get(name, {}).get("layers"):
        description = description.replace("penultimate ", "")
    return f"{description}{f' ({works})' * bool(works)}"


def _given(results: Results, name: str) -> str:
    """Say which file a feature set was read from, and that its origin is unknown."""
    known = results.run.get("features_from", {}).get(name)
    if not known:
        return name
    count = len(known["columns"])
    return (
        f"{name}, {thousands(count)} column{'s' * (count > 1)} read from the file {known['file']} "
        f"(SHA-256 {known['sha256']}), whose origin is not known to this program"
    )


def _backbone(results: Results, family: str) -> list[str]:
    """Name the network of a family and the origin of its weights."""
    table = results.features
    named = [plain(_config(results).get("backbone")).replace(",", ", ")]
    if table.empty:
        return named
    sources = table.loc[table["family"] == family, "weights"].dropna()
    return [*named, *(f"weights: {one}" for one in sources if one)]


def _pooling(results: Results, family: str) -> list[str]:
    """Name the pooling and the layers of a family, unless they are the network's own."""
    settings = results.run.get("features", {}).get(family, {})
    pooling, layers = settings.get("pooling", "network"), settings.get("layers")
    words = [_POOLED[pooling]] if pooling in _POOLED else []
    if layers:
        means = "" if words else ", pooled by means"
        words.append(
            f"features of the layers {plain(layers)} (numbers of timm) concatenated{means}"
        )
    return words


def _combined(sets: list[str]) -> str:
    """Say which families each combined feature set has."""
    known = {name: families_of(name) for name in sets}
    words = [
        f"{name} ({', '.join(family_class(family).title for family in families)})"
        for name, families in known.items() if len(families) > 1
    ]  # fmt: skip
    return f" Combined feature sets: {', '.join(words)}." if words else ""


def _stated(settings: dict[str, Any]) -> str:
    """List the settings of families or models."""
    words = [f"{name} ({plain(values)})" for name, values in settings.items() if values]
    return f" Settings: {', '.join(words)}." if words else ""


def _classifiers(results: Results) -> str:
    models = list(dict.fromkeys(row.model for row in on_features(rows(results)) if row.ok))
    if not models:
        return ""
    words = _listed([_model(name) for name in models])
    settings = {name: results.run.get("models", {}).get(name, {}) for name in models}
    balance = str(_config(results).get("balance", ""))
    method = balancing(balance, with_citation=True)
    copies = copies_and_views(_config(results))
    given = [name for name in feature_sets(rows(results)) if any(map(is_given, families_of(name)))]
    if copies and given:
        copies += (
            f" The classifiers on {', '.join(given)} were fitted on and scored the images alone."
        )
    copies += " " * bool(copies)
    chosen = (
        "tuned by a search on training data, grouped by patient"
        if _config(results).get("tune")
        else "fixed in advance"
    )
    return (
        f"Each feature set was classified by {words}; hyperparameters were {chosen}. "
        f"{copies}Class imbalance was handled by {method}.{_stated(settings)}"
    )


def _model(name: str) -> str:
    declared = declaration(name)
    cited = {key: cite(key) for key in declared.references}
    if declared.description:
        return declared.description.format_map(cited)
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
    sampling = "class-balanced sampling" if balanced else "uniform sampling of images"
    epochs = f" for at most {longest} epochs" if longest else ""
    return [
        f"For comparison, a convolutional network ({cnn_backbone(results.run)}) was trained "
        f"end to end{f' {start}' * bool(start)} on the same images{epochs} with AdamW "
        f"({cite('loshchilov2019')}), a one-cycle learning-rate schedule ({cite('smith2019')}), "
        f"{sampling}, and random changes of each image ({changes_in_words(TRAINING)}); "
        "the epoch with the best average precision on the validation set was kept."
    ]


def _external(results: Results) -> list[str]:
    names = [row.model for row in rows(results) if row.is_external]
    if not names:
        return []
    return [
        f"Scores of {len(names)} external model{'s' * (len(names) > 1)} ({', '.join(names)}) were "
        "read from files; their training data are not known to this program."
    ]


def _scoring(results: Results) -> str:
    draws = thousands(results.run.get("protocol", {}).get("bootstrap_draws", 2000))
    auc = ("qin2008",) if auc_interval(results) else ()
    source = f" ({cite(*auc)})" if auc else ""
    if _config(results).get("task") == "subtype":
        return (
            "Methods were scored on the test split by the class of the largest probability: "
            "precision, recall and F1 of each class against all others, and their unweighted "
            "(macro) means. Intervals are 95 % percentile intervals from a bootstrap over patients "
            f"({cite('field2007')}) with {draws} resamples{auc_interval(results)}{source}; those "
            "of the recall and specificity of a class are Wilson intervals for clustered data "
            f"({cite('wilson1927', 'rao1992')}). No test score was used for selection."
        )
    return (
        "Methods were scored on the test split at a probability threshold of 0.5 and at the "
        f"largest threshold with a recall of at least 0.95 on the validation set. "
        f"{intervals(results)} Sources of the intervals: "
        f"{cite('wilson1927', 'rao1992', 'field2007', *auc)}. No test score was used for selection."
    )


def _cross_validated(results: Results) -> list[str]:
    """Describe the cross-validation on training rows."""
    own = results.predictions
    own = own[own["split"] == "cv"]
    if own.empty:
        return []
    finished = results.predictions["features"].eq(PIXELS).any()
    crossed = own["features"].eq(PIXELS).any()
    without = ", except the network," if finished and not crossed else ""
    return [
        f"The methods{without} were also cross-validated on the training rows in "
        f"{own['fold'].max()} folds grouped by patient, to measure the gap between training data "
        "and the test split."
    ]


def _chosen(results: Results) -> list[str]:
    """Describe how the leading method was selected."""
    if len(results.table("leading")) < 2:
        return []
    return [
        "The leading classical method has the highest average precision on the validation set; the "
        "methods that the validation patients cannot tell apart from it are a 95 % confidence set "
        f"by multiple comparisons with the best ({cite('hsu1981')}), with quantiles from the "
        "bootstrap."
    ]


def _compared(results: Results) -> list[str]:
    """Describe the tests between methods."""
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


def _explained(results: Results) -> list[str]:
    """Describe the measures of feature importance."""
    found = results.table("importance")
    done = set(found.loc[found["status"] == "ok", "method"]) if len(found) else set()
    words = []
    if "permutation" in done:
        words.append(
            "the decrease of AUC, average precision and precision on test images when all columns "
            "of a family, of a part of it or of an image region were permuted together "
            f"({cite('breiman2001')})"
        )
    if "shap" in done:
        words.append(
            f"SHAP values ({cite('lundberg2017', 'lundberg2020')}) of a sample of test images with "
            "a sample of training images as background"
        )
    return [f"Feature importance was measured by {'; and by '.join(words)}."] if words else []


def _calibrated(results: Results) -> list[str]:
    """Describe calibration, recalibration and net benefit."""
    found, text = results.table("calibration"), []
    if not found.empty:
        done = set(found["recalibration"])
        recalibrations = [words for name, words in _RECALIBRATIONS.items() if name in done]
        after = (
            f", before and after recalibration by {' and by '.join(recalibrations)} on validation "
            "images"
        ) if recalibrations else ""  # fmt: skip
        text.append(
            "Calibration was measured on the test split by slope, intercept, expected calibration "
            f"error and the decomposition of the Brier score ({cite('murphy1973')}){after}."
        )
    if len(results.table("decision")):
        text.append(f"Net benefit was computed by decision curves ({cite('vickers2006')}).")
    return text
