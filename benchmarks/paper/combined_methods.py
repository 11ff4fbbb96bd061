"""What a paper says about combinations of methods."""

from __future__ import annotations

from benchmarks.fitting.combination import MEAN, PENALTY, STACK
from benchmarks.io.results import Results
from benchmarks.paper.bibliography import cite
from benchmarks.statistics.method_rows import Row, finished


def combinations(results: Results) -> list[str]:
    """Describe the finished combinations of a run and how they were made.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        Sentences; none if the run has no combination.
    """
    own = {row.model: row for row in finished(results) if row.is_combined}
    parts = []
    if MEAN in own:
        parts.append("the mean of their probabilities")
    if STACK in own:
        parts.append(
            f"stacking ({cite('wolpert1992')}), a logistic regression with weights of at least 0 "
            f"and an L2 penalty (C = {1 / PENALTY:g}) on the log odds of their held-out scores "
            "in the cross-validation of the training images"
        )
    if not parts:
        return []
    found = [
        f"{_members(results, list(own.values()))} were also combined by "
        f"{' and by '.join(parts)}. All that finished were combined, except those on "
        "features of a random network, which are controls; none was chosen by its scores."
    ]
    if STACK in own:
        found.append(
            "For the cross-validated scores of stacking, the weights for a fold were fitted to the "
            "held-out scores of the other folds. This is not nested: the classifiers that gave "
            "those scores were fitted on images of this fold, too."
        )
    return found


def _members(results: Results, own: list[Row]) -> str:
    cells = results.run.get("cells", {})
    counts = {
        len((cells.get(name) or {}).get("members", [])) for row in own for name in row.cells()
    }
    number = str(counts.pop()) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    seed = " of each seed" if max(row.finished for row in own) > 1 else ""
    return f"The {number} classifiers on features{seed}"
