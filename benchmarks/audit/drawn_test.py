"""The test split of data that have none: drawn when it is known which images are copies."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.audit.evidence import Evidence
from benchmarks.audit.patient_groups import keep_together
from benchmarks.datasets.splits import draw_test


def with_drawn_test(evidence: Evidence) -> Evidence:
    """Draw the test split of a data set that asks for it, by patient.

    Patients who share an image count as one, so that no copy of a test image is in train.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Evidence
        Of the data set with a test split and a note on it; the same if it asks for none.

    Raises
    ------
    DataError
        If it has a test split, or a class has too few patients.
    """
    dataset = evidence.dataset
    if dataset.test_fraction is None:
        return evidence
    group = keep_together(dataset.manifest, (*evidence.exact, *evidence.near))
    split, notes = draw_test(dataset.manifest.assign(group=group), dataset.test_fraction)
    drawn = replace(
        dataset,
        manifest=dataset.manifest.assign(split=split),
        notes=(*dataset.notes, *notes),
        test_fraction=None,
    )
    return replace(evidence, dataset=drawn)
