"""Names and columns of the tables in a run folder."""

import re
from collections.abc import Sequence

MANIFEST_COLUMNS = [
    "image", "label", "class", "subtype", "group", "split", "sha256", "width", "height", "frames",
    "bytes",
]  # fmt: skip
# Of an image or its patient; the manifest has those that the data have.
FILE_COLUMNS = ["format", "mode", "bits"]  # as stored; only of images that were files
MORE_MANIFEST_COLUMNS = ["view", "site", "sex", "age", *FILE_COLUMNS]
METRICS = [
    "precision", "recall", "specificity", "f1", "accuracy", "balanced_accuracy", "mcc",
    "auc", "average_precision", "brier",
]  # fmt: skip
CLASS_METRICS = [
    "precision", "recall", "specificity", "f1", "auc", "average_precision", "accuracy",
]  # fmt: skip
AT_THRESHOLD = METRICS[:7]  # metrics that depend on the threshold, besides recall by subtype
COUNTS = ["tp", "fp", "tn", "fn"]
OPERATING_POINTS = ["0.5", "recall95"]
PREDICTION_COLUMNS = [
    "cell", "features", "model", "seed", "split", "fold", "image", "group", "subtype", "label",
    "score",
]  # fmt: skip
_RECALL = "recall_"
_LIKE_A_BOUND = re.compile(r"(.*_)?(lo|hi|threshold)_*")


def recall_column(subtype: str) -> str:
    """Name the column of ``scores.csv`` with the recall of a subtype.

    Parameters
    ----------
    subtype : str

    Returns
    -------
    str
        With a ``_`` at the end where the name would be that of a bound.

    Examples
    --------
    >>> recall_column("virus"), recall_column("hi")
    ('recall_virus', 'recall_hi_')
    """
    return f"{_RECALL}{subtype}{'_' if _LIKE_A_BOUND.fullmatch(subtype) else ''}"


def needs_threshold(metric: str) -> bool:
    """Whether a metric depends on the threshold.

    Parameters
    ----------
    metric : str
        One of ``METRICS``, or the recall of a subtype.

    Returns
    -------
    bool
    """
    return metric in AT_THRESHOLD or metric.startswith(_RECALL)


def score_columns(subtypes: Sequence[str] = ()) -> list[str]:
    """List the columns of ``scores.csv``.

    Parameters
    ----------
    subtypes : sequence of str
        Subtypes of the positive class in the data.

    Returns
    -------
    list of str
    """
    recalls = [recall_column(name) for name in subtypes]
    at_threshold = [name for name in METRICS + recalls if needs_threshold(name)]
    return [
        "cell", "features", "model", "balance", "seed", "split", "operating_point", "threshold",
        "n", "n_positive",
        *[name + end for name in METRICS + recalls for end in ("", "_lo", "_hi")],
        "fit_seconds", "predict_seconds", "status", "reason", *COUNTS,
        *[name + end for name in at_threshold for end in ("_lo_threshold", "_hi_threshold")],
    ]  # fmt: skip


def optional(name: str, column: str) -> bool:
    """Whether a table may have a column that depends on the data.

    Parameters
    ----------
    name : str
        Key of ``TABLE_COLUMNS``.
    column : str

    Returns
    -------
    bool
        True for the scores of each class, and the recall of each subtype with its bounds.
    """
    start = {"predictions": SCORED, "scores": _RECALL}.get(name)
    return start is not None and column.startswith(start)


SCORE_COLUMNS = score_columns()
FEATURE_COLUMNS = [
    "family", "dimension", "milliseconds_per_image", "from_store", "weights", "status", "reason",
]  # fmt: skip
INTENSITY_COLUMNS = ["split", "class", "value", "fraction"]
TRAINING_COLUMNS = [
    "cell", "epoch", "train_loss", "validation_loss", "validation_average_precision",
    "learning_rate", "seconds", "best",
]  # fmt: skip
TABLES = {
    "manifest": MANIFEST_COLUMNS, "features": FEATURE_COLUMNS, "predictions": PREDICTION_COLUMNS,
    "scores": SCORE_COLUMNS, "training": TRAINING_COLUMNS, "intensity": INTENSITY_COLUMNS,
}  # fmt: skip
_BOUNDS = ("", "_lo", "_hi")
# Optional tables, which a run folder may lack.
MORE_TABLES = {
    "audit": ["check", "severity", "images", "patients", "detail"],
    "excluded": ["reason", "label_value", "images"],
    "split": ["image", "patient", "split"],
    "labels": [
        "label_name", "folder", "images", "positives", "n", "n_positive", "cell", "features",
        "model", "seed", "threshold",
        *[
            name + end
            for name in ("precision", "recall", "specificity", "auc", "average_precision")
            for end in _BOUNDS
        ],
        "status", "reason",
    ],
    "audit_images": ["finding", "image", "split", "label"],
    "gap": [
        "cell", "metric", "operating_point",
        *[name + end for name in ("cv", "official", "gap") for end in _BOUNDS],
    ],
    "gap_ranks": ["metric", "methods", "rho", "rho_lo", "rho_hi"],
    "leading": [
        "cell", *[f"validation{end}" for end in _BOUNDS], "difference", "lo", "hi", "upper",
        "in_set", "chosen",
        *[name + end for name in ("auc", "precision", "recall") for end in _BOUNDS],
    ],
    "comparisons": [
        "cell_a", "cell_b", "metric", "operating_point", "test", "value_a", "value_b",
        "difference", "lo", "hi", "only_a", "only_b", "p", "p_holm",
    ],
    "matched": [
        "cell", "split", "target_recall", "threshold",
        *[name + end for name in ("recall", "specificity", "precision") for end in _BOUNDS],
    ],
    "matched_on_test": [
        "cell", "target_recall", "threshold",
        *[name + end for name in ("recall", "specificity", "precision") for end in _BOUNDS],
    ],
    "calibration": [
        "cell", "recalibration", "n", "brier", "brier_lo", "brier_hi", "reliability",
        "resolution", "uncertainty",
        *[name + end for name in ("ece", "slope", "intercept") for end in _BOUNDS],
    ],
    "reliability": [
        "cell", "recalibration", "bin", "n", "mean_score", "observed", "lo", "hi",
    ],
    "recalibration": [
        "cell", "recalibration",
        *[name + end for name in ("brier_change", "ece_change") for end in _BOUNDS],
    ],
    "decision": [
        "cell", "threshold", "net_benefit", "lo", "hi", *[f"minus_all{end}" for end in _BOUNDS],
    ],
    "prevalence": ["cell", "operating_point", "prevalence", "precision", "lo", "hi"],
    "sample_size": [
        "cell", "metric", "value", "images", "effective", "expected", "conservative", "observed",
    ],
    "patients": [
        "cell", "level", "n", "n_positive",
        *[name + end for name in ("auc", "average_precision") for end in _BOUNDS],
        "difference", "lo", "hi",
    ],
    "subgroups": [
        "cell", "operating_point", "kind", "name", "metric", "n", "patients", "value", "lo", "hi",
    ],
    "shortcuts": [
        "control", "model", "columns", "split", "n",
        *[name + end for name in ("auc", "average_precision", "below_whole") for end in _BOUNDS],
        "precision", "recall", "specificity", "status", "reason",
    ],
    "leaky": [
        "cell", "folds", "images", "patients", "mixed", "metric",
        *[name + end for name in ("grouped", "leaky", "worth") for end in _BOUNDS],
        "status", "reason",
    ],
    "leaky_assignments": ["cell", "kind", "assignment", "metric", "value"],
    "ablation": [
        "features", "model", "balance", "split", "n",
        *[name + end for name in ("auc", "average_precision", "brier") for end in _BOUNDS],
        "precision_at_half", "recall_at_half", "specificity_at_half",
        "precision", "recall", "specificity", "ece", "slope", "intercept",
        *[name + end for name in ("auc_gain", "brier_gain") for end in _BOUNDS], "fit_seconds",
        "status", "reason",
    ],
    "importance": [
        "cell", "method", "level", "group", "split", "metric", "value", "lo", "hi", "rank",
        "status", "reason",
    ],
    "importance_swarm": ["cell", "feature", "shap", "percentile"],
    "importance_checks": ["cell", "check", "value", "images", "space"],
    "importance_regions": ["family", "region", "top", "bottom", "left", "right"],
    "importance_stability": [
        "cell", "method", "level", "kind", "fits", "groups", "w", "k", "overlap", "trusted",
        "names",
    ],
    "importance_clusters": ["cell", "cluster", "columns", "value", "alone"],
    "classes": [
        "cell", "features", "model", "balance", "seed", "split", "class", "n",
        *[name + end for name in CLASS_METRICS for end in _BOUNDS],
        "fit_seconds", "predict_seconds", "status", "reason",
    ],
    "confusions": ["cell", "split", "true", "predicted", "n"],
    "resampling": ["features", "model", "balance", "fold", "label", "before", "after"],
    "learning": [
        "cell", "fraction", "draw", "patients", "images", "split",
        *[name + end for name in ("auc", "average_precision") for end in _BOUNDS],
        "status", "reason",
    ],
    "learning_gains": [
        "cell", "metric", "kind", "fraction_from", "fraction", "patients_from", "patients",
        "draws", "value", "value_lo", "value_hi",
    ],
}  # fmt: skip
# Tables of data sets that the fitted cells scored besides the run's own; ``data`` is their name.
MORE_TABLES |= {
    "external_manifest": ["data", *MANIFEST_COLUMNS],
    "external_predictions": PREDICTION_COLUMNS,
    "external_scores": SCORE_COLUMNS,
    "external_differences": [
        "data", "cell", "metric", "operating_point",
        *[name + end for name in ("internal", "external", "difference") for end in _BOUNDS],
    ],
    "external_audit": ["data", *MORE_TABLES["audit"]],
    "external_copies": ["data", "image", "copy_of", "split", "kind", "correlation"],
    **{f"external_{name}": ["data", *MORE_TABLES[name]]
       for name in ("comparisons", "calibration", "reliability", "decision")},
}  # fmt: skip
EXTERNAL = "external:"  # the split of their images is external:NAME
TABLE_COLUMNS = {**TABLES, **MORE_TABLES}
SCORED = "score_"  # predictions.csv has a column score_<class> per class if there are more than two
# Columns of text; all others are numbers, or flags.
TEXT = frozenset({
    "cell", "features", "model", "balance", "split", "operating_point", "image", "group", "subtype",
    "class", "sha256", "status", "reason", "family", "weights", "check", "severity", "detail",
    "cell_a", "cell_b", "metric", "test", "recalibration", "kind", "name", "control", "true",
    "predicted", "method", "level", "space", "region", "cluster", "names", "feature", "format",
    "mode", "view", "site", "sex", "label_value", "patient", "data", "copy_of", "label_name",
    "folder",
})  # fmt: skip
FLAGS = frozenset({"best"})
# Values that a column may have, besides blank.
CHOICES = {
    "split": ("train", "validation", "test", "cv"),
    "status": ("ok", "failed", "not_run"),
    "severity": ("stop", "warn", "note"),
    "operating_point": (*OPERATING_POINTS, "argmax"),
}
# Columns of whole numbers.
WHOLE = frozenset({
    "label", "fold", "seed", "width", "height", "n", "n_positive", *COUNTS, "images", "patients",
    "folds", "draw", "draws", "assignment", "patients_from", "methods", "bin", "rank", "finding",
    "epoch", "only_a", "only_b", "in_set", "positives",
})  # fmt: skip
# Least and greatest number in a column.
LIMITS = {
    "label": (0, 2**31), "score": (0, 1), "width": (1, 2**31), "height": (1, 2**31),
    "value": (-2**53, 2**53), "in_set": (0, 1), "chosen": (0, 1),
}  # fmt: skip
# Columns without a blank field.
FILLED = {
    "manifest": ("image", "label", "split"),
    "predictions": ("cell", "split", "fold", "image", "label"),
    "scores": ("cell", "status"),
    "features": ("family", "status"),
    "training": TRAINING_COLUMNS,
    "intensity": INTENSITY_COLUMNS,
    "audit": ("check", "severity", "images", "patients"),
    "audit_images": ("finding", "image", "split", "label"),
    "split": ("image", "split"),
    "external_manifest": ("data", "image", "label"),
    "external_predictions": ("cell", "split", "fold", "image", "label", "score"),
    "external_scores": ("cell", "split", "status"),
    "external_differences": ("data", "cell", "metric"),
    "external_audit": ("data", "check", "severity", "images", "patients"),
    "external_copies": ("data", "image", "copy_of", "split", "kind"),
    "labels": ("label_name", "folder", "status"),
}
# Values of a column that every finished cell of a table has.
COMPLETE: dict[str, dict[str, Sequence[str]]] = {
    "calibration": {"recalibration": ("none", "sigmoid", "isotonic")},
    "scores": {"split": ("test",), "operating_point": OPERATING_POINTS},
    "prevalence": {"operating_point": OPERATING_POINTS},
    "matched": {"split": ("validation", "test")},
    "patients": {"level": ("image", "mean", "maximum")},
}
# Columns of which a table has every combination of values, for each of its finished cells.
CROSSED = {
    "scores": ["split", "operating_point"],
    "prevalence": ["operating_point", "prevalence"],
    "matched": ["split", "target_recall"],
    "matched_on_test": ["target_recall"],
    "decision": ["threshold"],
}
# Columns that together occur once.
KEYS = {
    "manifest": ["image"],
    "predictions": ["cell", "split", "fold", "image"],
    "scores": ["cell", "split", "operating_point"],
    "features": ["family"],
    "split": ["image"],
    "labels": ["label_name", "cell"],
    "excluded": ["reason", "label_value"],
    "comparisons": ["cell_a", "cell_b", "metric", "operating_point", "test"],
    "leading": ["cell"],
    "calibration": ["cell", "recalibration"],
    "recalibration": ["cell", "recalibration"],
    "gap_ranks": ["metric"],
    "matched": ["cell", "split", "target_recall"],
    "matched_on_test": ["cell", "target_recall"],
    "prevalence": ["cell", "operating_point", "prevalence"],
    "decision": ["cell", "threshold"],
    "leaky": ["cell", "metric"],
    "leaky_assignments": ["cell", "kind", "assignment", "metric"],
    "learning": ["cell", "fraction", "draw"],
    "learning_gains": ["cell", "metric", "kind", "fraction_from", "fraction"],
    "patients": ["cell", "level"],
    "sample_size": ["metric"],
    "external_manifest": ["data", "image"],
    "external_predictions": ["cell", "split", "image"],
    "external_scores": ["cell", "split", "operating_point"],
    "external_differences": ["data", "cell", "metric", "operating_point"],
    "external_comparisons": ["data", "cell_a", "cell_b", "metric", "operating_point", "test"],
    "external_calibration": ["data", "cell", "recalibration"],
    "external_decision": ["data", "cell", "threshold"],
}
