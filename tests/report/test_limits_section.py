"""Limitations: the margins of equivalence are those that sections use."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.metrics.bootstrap import DRAWS, SEED, PatientBootstrap
from benchmarks.report.sections import limits
from benchmarks.statistics.equivalence import MARGINS
from tests.helpers import results_of


def test_every_margin_is_stated_with_its_sources() -> None:
    text = limits._margins()
    assert set(limits._METRICS) == set(MARGINS)
    assert "AUC and average precision ± 0.02; recall, specificity and precision ± 0.05" in text
    assert "Brier score ± 0.01" in text
    assert "Schuirmann, 1987" in text
    assert "Dunn, 1961" in text


def test_the_protocol_states_the_same_margins() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8").split())
    assert "AUC and average precision ± 0.02, recall, specificity and precision ± 0.05" in page
    assert "Brier score ± 0.01" in page


def test_resamples_that_lacked_a_class_are_counted() -> None:
    group, label = [f"p{k}" for k in range(8)], [1, *[0] * 7]
    manifest = pd.concat([
        pd.DataFrame({"split": "test", "group": group, "label": label}),
        pd.DataFrame({"split": "validation", "group": group * 20, "label": [0] * 80 + [1] * 80}),
    ])  # fmt: skip
    scores = pd.DataFrame({"split": ["test", "validation"], "status": "ok"})
    own = manifest[manifest["split"] == "test"]
    draws = PatientBootstrap.draw(own["group"].to_numpy(object), own["label"].to_numpy(), SEED)
    assert draws.dropped > 0.25 * DRAWS  # the only positive patient is missing in a third
    (text,) = limits.drawn_again(results_of({}, manifest=manifest, scores=scores))
    assert f"({draws.dropped:,} on the test set; 2,000 were needed)" in text
    sure = manifest[manifest["split"] == "validation"]
    assert limits.drawn_again(results_of({}, manifest=sure, scores=scores)) == ()
