from __future__ import annotations

import os

import pytest
from click.testing import CliRunner
from joblib import delayed

import run_benchmark
from benchmarks.errors import OutOfMemory, UserError
from benchmarks.io.workers import parallel, stop_if_memory_runs_out


def test_a_worker_that_the_system_ends_is_reported_as_lack_of_memory() -> None:
    message = r"while reading a.png \(a worker process was ended"
    with pytest.raises(UserError, match=message), stop_if_memory_runs_out("reading a.png"):
        parallel(2)(delayed(os.abort)() for _ in range(2))


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), stop_if_memory_runs_out("reading a.png"):
        raise KeyError


def test_the_command_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_all(*_: object, **__: object) -> None:
        raise MemoryError

    command = run_benchmark.main.commands["list"]
    monkeypatch.setattr(command, "callback", list_all)
    result = CliRunner().invoke(run_benchmark.main, ["list"])
    assert result.exit_code == 2
    assert str(OutOfMemory("running list")) in result.output
