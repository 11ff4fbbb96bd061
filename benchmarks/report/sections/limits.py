"""Limitations of the data, the protocol and the comparison."""

from __future__ import annotations

from benchmarks.fitting.cross_validation import CV
from benchmarks.io.formatting import join_words, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.metrics.bootstrap import DRAWS, SEED, PatientBootstrap
from benchmarks.paper.bibliography import cite
from benchmarks.report.blocks import Bullets, Section, Strong, paragraph
from benchmarks.report.sections.gap import title as gap_title
from benchmarks.statistics.equivalence import MARGINS
from benchmarks.statistics.method_rows import finished

PHANTOMS = (
    "The images were drawn by a program. They test the software and the protocol; they prove "
    "nothing about radiographs, patients or disease."
)
_UNKNOWN = (
    "The program does not know the patients, hospitals and machines of these data, nor how they "
    "were labelled. The results hold for images of this source only."
)
SHORTCUTS = (
    "Letters, borders and cables on a radiograph can reveal its class. A high score does not prove "
    "that a method used the lungs."
)
MANY = (
    "Many methods are compared on one test split: the best score is optimistic, and overlapping "
    "intervals do not justify a ranking."
)
_METRICS = {
    "auc": "AUC", "average_precision": "average precision", "recall": "recall",
    "specificity": "specificity", "precision": "precision", "brier": "Brier score",
}  # fmt: skip
_SPLITS = {
    "validation": ("validation", "on the validation set"), "test": ("test", "on the test set"),
    CV: ("train", "in cross-validation"),
}  # fmt: skip
_ALWAYS = (
    "Unless stated otherwise, intervals reflect the sampling of test patients and, at a chosen "
    "threshold, of the validation patients that it was chosen on; the fitted model and the split "
    "are held fixed.",
    MANY,
)
TITLE = "Limitations"
CAUTION = (
    Strong("Not for clinical use."), " This is a benchmark of methods, not a medical device.",
)  # fmt: skip


def render(results: Results) -> Section:
    """List the limitations.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    points = [
        *data_limitations(results), *_given(results), *_shift(results), *_ALWAYS,
        *_one_seed(results), *drawn_again(results), _margins(),
    ]  # fmt: skip
    return Section(TITLE, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))


def data_limitations(results: Results) -> tuple[str, ...]:
    """Return the limitations of the run's data: those that the data set declares.

    Parameters
    ----------
    results : Results

    Returns
    -------
    tuple of str
    """
    if is_synthetic(results):
        return (PHANTOMS,)
    declared = [str(one) for one in results.run.get("data", {}).get("limitations", [])]
    return (*(declared or [_UNKNOWN]), SHORTCUTS)


def _given(results: Results) -> tuple[str, ...]:
    """Say what is not known of features that were read from tables."""
    given = results.run.get("features_from", {})
    if not given:
        return ()
    files = join_words([f"{name} from {one['file']}" for name, one in given.items()])
    return (
        f"Features were read from tables ({files}). The program knows neither how they were "
        "computed nor, if a network computed them, on which images it was trained. If test "
        "patients were among these, the scores are too high.",
    )


def _one_seed(results: Results) -> tuple[str, ...]:
    """Say what the intervals of methods with one seed leave out."""
    single = [row.label for row in finished(results) if row.finished == 1 and not row.is_external]
    if not single:
        return ()
    return (
        f"{len(single)} method{'s were' if len(single) > 1 else ' was'} fitted with one seed: the "
        "intervals leave out how the scores change with the seed. --seeds 0,1,2 measures it, and "
        "the intervals then include it.",
    )


def drawn_again(results: Results) -> tuple[str, ...]:
    """Count the bootstrap draws that lacked a class.

    Parameters
    ----------
    results : Results

    Returns
    -------
    tuple of str
        A sentence, if a draw of a scored split lacked a class.
    """
    found = []
    scored = set(results.scores.loc[results.scores["status"] == "ok", "split"])
    for split, (rows, name) in _SPLITS.items():
        own = results.manifest[results.manifest["split"] == rows]
        if split in scored and len(own):
            group, label = own["group"].to_numpy(dtype=object), own["label"].to_numpy(dtype=int)
            dropped = PatientBootstrap.draw(group, label, SEED).dropped
            found += [f"{thousands(dropped)} {name}"] * bool(dropped)
    if not found:
        return ()
    return (
        "Bootstrap resamples that lacked a class were drawn again "
        f"({join_words(found)}; {thousands(DRAWS)} were needed), so the intervals hold for samples "
        "that have every class.",
    )


def _shift(results: Results) -> list[str]:
    """Say where the report compares the scores on the validation set and on the test set."""
    if not finished(results) or is_synthetic(results):
        return []
    return [
        "Validation and test images may differ, so a threshold selected on validation images may "
        f"give another recall and specificity on test images (see “{gap_title(results)}”). No "
        "setting was selected on test images."
    ]


def _margins() -> str:
    """State the margins of equivalence, and how several intervals are judged together."""
    by_margin: dict[float, list[str]] = {}
    for metric, margin in MARGINS.items():
        by_margin.setdefault(margin, []).append(_METRICS[metric])
    words = "; ".join(f"{join_words(names)} ± {margin:g}" for margin, names in by_margin.items())
    return (
        "Where studies and evaluations are compared, values are called equivalent only if the 95 % "
        f"interval of their difference is inside a margin stated in advance ({words}; "
        f"{cite('schuirmann1987')}). An interval that contains 0 does not show equality. Sections "
        "that draw a verdict from several intervals say how many they looked at, and correct for "
        f"their number (Bonferroni: {cite('dunn1961')}), approximately, by widening each interval."
    )
