"""Limitations: the margins of equivalence are those that sections use."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.sections import limits
from benchmarks.statistics.equivalence import MARGINS


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
