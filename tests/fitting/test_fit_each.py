"""Cells are fitted in parallel, and a killed worker process costs only the cell that killed it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.split_indices import SplitIndices
from tests.fitting.test_fit import data

pytestmark = pytest.mark.slow


class Killer:
    """A matrix whose rows kill the process that reads them; with a file, only the first one."""

    def __init__(self, matrix: np.ndarray, once: Path | None = None) -> None:
        self.matrix, self.once, self.shape = matrix, once, matrix.shape

    def __getitem__(self, rows: Any) -> np.ndarray:
        if self.once is None or not self.once.exists():
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.asarray(self.matrix[rows])


@pytest.fixture
def inputs() -> tuple[dict[str, Any], SplitIndices]:
    return data()


CELLS = [Cell("hog", "logistic", "smote", 0), *(Cell("lbp", "logistic", "none", s) for s in (0, 1))]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("ordered", [True, False])
def test_only_the_cell_that_kills_its_worker_fails(inputs: Any, ordered: bool) -> None:
    matrices, rows = inputs
    matrices["hog"] = Killer(matrices["hog"])
    config = RunConfig(jobs=2, quiet=True)
    cells = CELLS if ordered else CELLS[:2]
    tasks = [(cell, rows) for cell in cells]
    results = {r.cell: r for r in fit_each(tasks, matrices, config, "cells", ordered=ordered)}
    assert [results[cell].status for cell in cells] == ["failed", "ok", "ok"][: len(cells)]
    assert "Terminated" in results[CELLS[0]].reason


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_cell_whose_worker_was_killed_once_is_fitted_again(inputs: Any, tmp_path: Path) -> None:
    matrices, rows = inputs
    expected = next(fit_each([(CELLS[0], rows)], matrices, RunConfig(jobs=1, quiet=True), "cells"))
    matrices["hog"] = Killer(matrices["hog"], tmp_path / "killed")
    config = RunConfig(jobs=2, quiet=True)
    results = list(fit_each([(cell, rows) for cell in CELLS[:2]], matrices, config, "cells"))
    assert [result.cell for result in results] == CELLS[:2]
    assert [result.reason for result in results] == ["", ""]
    np.testing.assert_array_equal(results[0].scores["test"], expected.scores["test"])
