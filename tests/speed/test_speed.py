from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from benchmarks.speed import SECTIONS
from benchmarks.speed.__main__ import main
from benchmarks.speed.library_features import cases, opencv_gabor, scipy_gabor, scipy_intensity
from benchmarks.speed.timing import COLUMNS, Options, phantoms, row
from features import FEATURES, HANDCRAFTED
from features.preprocessing import PREPROCESSING

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path) -> Options:
    families = ("hog", "intensity")
    return Options(tmp_path, size=64, images=2, repetitions=1, quick=True, families=families)


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "families"])
def test_every_section_has_the_common_columns(section: str, options: Options) -> None:
    table = SECTIONS[section](options)
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    assert (table[["ms", "its ms", "its time / ours"]] > 0).all(axis=None)


def test_every_family_has_a_case() -> None:
    assert [case.family for case in cases()] == list(HANDCRAFTED)


@pytest.mark.parametrize(
    ("family", "peer"),
    [("gabor", opencv_gabor), ("gabor", scipy_gabor), ("intensity", scipy_intensity)],
)
def test_peers_give_the_same_values(
    family: str, peer: Callable[[NDArray[np.uint8]], NDArray[np.float64]]
) -> None:
    images = phantoms(2, 64)
    expected = np.stack([peer(image) for image in images])
    np.testing.assert_allclose(FEATURES[family]().fit_transform(images), expected, rtol=1e-4)


def test_row_by_hand() -> None:
    """Medians of 1, 2, 3 and 4, 4, 9 ms; ratios 4, 2, 3."""
    times = pd.DataFrame(np.array([[1, 4], [2, 4], [3, 9]]) / 1000, columns=["a", "b"])
    values = ["a", pytest.approx(2), "b", pytest.approx(4), pytest.approx(3)]
    assert list(row(times, "a", "b").values()) == values


def test_phantoms_repeat_in_the_requested_size() -> None:
    images = phantoms(17, 300)
    assert images.shape == (17, 300, 300)
    np.testing.assert_array_equal(images[16], images[0])


def test_sides_are_drawn(options: Options) -> None:
    table = SECTIONS["sides"](options)
    assert list(table["side"]) == [64, 128, 64, 128]
    np.testing.assert_allclose(table["ns a pixel"] * table["side"] ** 2, 1e6 * table["ms"])
    svg = (options.out / "speed_size.svg").read_text(encoding="utf-8")
    assert svg.startswith("<?xml")
    assert "</svg>" in svg


def test_every_step_is_timed(options: Options) -> None:
    table = SECTIONS["preprocessing"](options)
    assert list(table["ours"]) == [*PREPROCESSING, "one copy", "one view"]
    assert (table["ms"] > 0).all()


def test_selected_families_are_printed_and_written(tmp_path: Path) -> None:
    out = tmp_path / "speed"
    done = CliRunner().invoke(main, ["--quick", "--only", "hog,intensity", "--out", str(out)])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out / "speed.csv")
    assert list(table.columns) == ["section", *COLUMNS]
    assert set(table["section"]) == {"families"}
    assert list(table["ours"]) == ["HOG", "intensity", "sum", "sum", "sum"]
    floors = ["sum of the first peers", "JPEG decoding", "one pass over memory"]
    assert list(table["compared with"][2:]) == floors
    assert "| HOG " in done.output


def test_unknown_sections_are_rejected() -> None:
    done = CliRunner().invoke(main, ["--only", "hog,speed"])
    assert done.exit_code == 2
    assert "got speed, but expected some of families" in done.output
