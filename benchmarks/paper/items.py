"""Items of two reporting guidelines: number, topic, facts that answer it, section of the report.

Topics are paraphrased; the binding wording is in the publications.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One line of a checklist.

    Attributes
    ----------
    number, topic : str
    facts : tuple of str
        Keys of :func:`benchmarks.paper.facts.facts`; none where only the authors can answer.
    where : str
        Section of the report with more details.
    """

    number: str
    topic: str
    facts: tuple[str, ...] = ()
    where: str = ""


def _items(*lines: tuple[str, ...]) -> tuple[Item, ...]:
    return tuple(
        Item(number, topic, tuple(names.split()), *where) for number, topic, names, *where in lines
    )


_DATA, _SETTINGS = "Dataset", "Settings"
_MAIN, _METHODS = "Main results", "Methods"
_GAP, _LIMITS = "Validation set versus test split", "Limitations"
_OTHER = "External test sets"
_SOURCES = "References and licence"

TRIPOD_AI = _items(
    ("1", "Title names model study, population and outcome", ""),
    ("2", "Abstract, by the guideline's checklist for abstracts", ""),
    ("3a", "Medical context and rationale of the model", ""),
    ("3b", "Intended use: patients, users, place in the care pathway", ""),
    ("3c", "Known health inequalities between groups", ""),
    ("4", "Aims; development, evaluation or both", ""),
    ("5a", "Where the data come from, and whom they represent", "source", _SOURCES),
    ("5b", "Dates of collection", ""),
    ("6a", "Setting and centres", "setting"),
    ("6b", "Who was eligible", "eligible"),
    ("6c", "Treatments", ""),
    ("7", "Preparation and quality checks", "preparation audit", _DATA),
    ("8a", "Outcome: what, how and when assessed", "outcome", _DATA),
    ("8b", "Who assessed the outcome", "annotators test_annotators"),
    ("8c", "Blinding of that assessment", ""),
    ("9a", "Choice of predictors", "predictors", _METHODS),
    ("9b", "Definition of predictors", "preparation predictors", _SETTINGS),
    ("9c", "Who assessed predictors, if this is subjective", "judged", _METHODS),
    ("10", "How the sample size was determined", "size_origin sizes", _DATA),
    ("11", "Missing data", "missing", _SETTINGS),
    ("12a", "Use of the data: training, selection, testing", "sizes split", _DATA),
    ("12b", "Scaling and transformation of predictors", "models", _SETTINGS),
    ("12c", "Type of model, fitting, tuning, internal validation", "models tuning validation",
     _METHODS),
    ("12d", "Differences between clusters such as hospitals", ""),
    ("12e", "Measures and plots of performance", "measures uncertainty", _METHODS),
    ("12f", "Model updating, such as recalibration", "recalibration"),
    ("12g", "How predictions were computed", "specification", _SETTINGS),
    ("13", "Class imbalance, and recalibration after it", "balance recalibration", _METHODS),
    ("14", "Fairness", ""),
    ("15", "Output and thresholds", "operating", _METHODS),
    ("16", "How development and evaluation data differ", "shift", _GAP),
    ("17", "Ethics approval and consent", ""),
    ("18a", "Funding", ""),
    ("18b", "Competing interests", ""),
    ("18c", "Protocol", ""),
    ("18d", "Registration", ""),
    ("18e", "Access to data", "source licence", _SOURCES),
    ("18f", "Access to code", "code", _SETTINGS),
    ("19", "Involvement of patients and the public", ""),
    ("20a", "Flow of patients, with and without the outcome", "sizes missing", _DATA),
    ("20b", "Characteristics of patients", ""),
    ("20c", "Development and evaluation data compared", "sizes", _DATA),
    ("21", "Patients and events in each analysis", "sizes", _DATA),
    ("22", "The full model, so that others can use it", "specification", _SETTINGS),
    ("23a", "Performance with intervals, subgroups too", "performance subgroups", _MAIN),
    ("23b", "Performance across clusters", ""),
    ("24", "Results of updating", "recalibration"),
    ("25", "Interpretation", ""),
    ("26", "Limits", "limits", _LIMITS),
    ("27a", "Handling of poor or missing input in practice", ""),
    ("27b", "What users must do, and the expertise they need", ""),
    ("27c", "Next steps", ""),
)  # fmt: skip
CLAIM = _items(
    ("1", "Title or abstract names AI and the type of method", ""),
    ("2", "Abstract with design, methods, results, conclusions", ""),
    ("3", "Background, and intended role of the method", ""),
    ("4", "Aims and hypotheses", ""),
    ("5", "Prospective or retrospective", "design", _METHODS),
    ("6", "Goal of the study", ""),
    ("7", "Where the data come from", "source", _SOURCES),
    ("8", "Inclusion and exclusion criteria", "eligible"),
    ("9", "Preparation of the images", "judged", _METHODS),
    ("10", "Subsets taken", "limit", _SETTINGS),
    ("11", "De-identification", ""),
    ("12", "Missing data", "missing", _SETTINGS),
    ("13", "How the images were acquired", "acquired"),
    ("14", "Reference standard: how it was obtained", "outcome", _DATA),
    ("15", "Why this reference standard", ""),
    ("16", "Who annotated", "annotators"),
    ("17", "How the test set was annotated", "test_annotators"),
    ("18", "Agreement within and between annotators", ""),
    ("19", "How images were assigned to splits", "split", _DATA),
    ("20", "Level at which splits are disjoint", "split", _DATA),
    ("21", "Intended sample size of the test set", "size_origin", _DATA),
    ("22", "The models in detail", "predictors models", _SETTINGS),
    ("23", "Software with versions", "software", _SETTINGS),
    ("24", "Initialisation of the parameters", "start seeds", _SETTINGS),
    ("25", "Training", "tuning balance", _METHODS),
    ("26", "Choice of the final model", "choice", _METHODS),
    ("27", "Ensembles", "ensembles", _METHODS),
    ("28", "Measures of performance", "measures", _METHODS),
    ("29", "Uncertainty and significance", "uncertainty", _METHODS),
    ("30", "Robustness", "robustness"),
    ("31", "Explanation of decisions", "explained"),
    ("32", "Evaluation on data of the same source", "validation", _GAP),
    ("33", "Testing on data of another source", "external", _OTHER),
    ("34", "Registration of a trial", ""),
    ("35", "Patients and images included and excluded", "sizes missing", _DATA),
    ("36", "Characteristics of patients in each split", ""),
    ("37", "Performance with uncertainty", "performance", _MAIN),
    ("38", "Diagnostic performance and its precision", "performance operating", _MAIN),
    ("39", "Analysis of failures", "failures", "Misclassified images"),
    ("40", "Limits", "limits", _LIMITS),
    ("41", "Implications for practice", ""),
    ("42", "Protocol and further details", ""),
    ("43", "Access to software, models and data", "code specification source", _SETTINGS),
    ("44", "Funding and the role of the funders", ""),
)  # fmt: skip
