"""Timing of the networks: its table, and that both sides compute the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch

from benchmarks.speed.networks import measure
from benchmarks.speed.timing import COLUMNS, Options

pytestmark = pytest.mark.slow


def test_table(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    table = measure(Options(tmp_path, size=64, repetitions=1, quick=True))
    assert list(table.columns) == COLUMNS
    assert len(table) == 2
    cosine = re.search(r"graph, float32, cosine (\d\.\d+)$", table["ours"][0])
    assert cosine is not None
    assert float(cosine[1]) >= 0.9999
    assert "training" in table["ours"][1]
    assert (table[["ms", "its ms", "its time / ours"]] > 0).all(axis=None)
    assert torch.get_num_threads() == threads
