from __future__ import annotations

import io
import sys

import pytest

from benchmarks.io import progress
from benchmarks.io.progress import Steps, say, track


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass as set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_show_stage_rate_and_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Steps("features", 1000, "images", quiet=False) as steps:
        for _ in range(4):
            clock[0] += 10
            steps.advance(250)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "  features: 750 of 1,000 images, 25 per second, 10 s left\n"


def test_quiet_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in track(range(5), "cells", 5, "cells", quiet=True):
        clock[0] += 100
    say("hidden", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_one_bar_and_no_lines(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with Steps("features", 100, "images", quiet=False) as steps:
        steps.show("hog")
        clock[0] += 60
        steps.advance(50)
    text = terminal.getvalue()
    assert "features" in text
    assert "hog" in text
    assert "a second" not in text


def test_track_yields_everything() -> None:
    assert list(track(iter("abc"), "letters", 3, "letters", quiet=True)) == ["a", "b", "c"]


def test_a_resumed_stage_counts_its_own_rate(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Steps("cnn", 0, "batches", quiet=False) as steps:
        for done in range(601, 635):
            clock[0] += 1
            steps.reach(done, 1000)
    assert capsys.readouterr().err == "  cnn: 630 of 1,000 batches, 1 per second, 370 s left\n"
