"""Only regular files inside a run folder are read, and nothing outside it is written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.io.results import read_results, read_run
from benchmarks.io.run_files import (
    IMAGES,
    MAX_SIDE,
    RunError,
    read_file,
    read_grey,
    read_png,
    subfolder,
    write_text,
)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(RunError, match=r"run\.json: got a named pipe, but expected a regular"):
        read_run(tmp_path)
    os.mkfifo(tmp_path / "manifest.csv")
    with pytest.raises(RunError, match=r"manifest\.csv: got a named pipe"):
        read_results(tmp_path)


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "../outside.csv"])
def test_a_link_to_outside_is_refused(tmp_path: Path, target: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "outside.csv").write_text("image\n")
    (run / "manifest.csv").symlink_to(target)
    with pytest.raises(RunError, match=r"manifest\.csv: got a link to .*inside the run folder"):
        read_results(run)


def test_links_inside_and_to_the_run_folder_are_followed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "real.json").write_text("{}")
    (run / "run.json").symlink_to("real.json")
    (tmp_path / "link").symlink_to(run)
    assert read_run(tmp_path / "link") == {}


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no space
    with pytest.raises(RunError, match="run.json: got 1,099,511,627,776 bytes, but expected at m"):
        read_run(tmp_path)
    with pytest.raises(RunError, match="at most 3"):
        read_file(tmp_path, "run.json", 3)


def test_images_are_png_files_inside(tmp_path: Path) -> None:
    images = tmp_path / IMAGES
    images.mkdir()
    assert read_png(tmp_path, "sample_a_0.png") is None
    Image.fromarray(np.full((3, 4), 7, dtype=np.uint8)).save(images / "good.png")
    grey = read_grey(tmp_path, "good.png")
    assert grey is not None
    assert (grey == 7).all()
    (images / "sample_a_0.png").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match=r"sample_a_0\.png: got a link"):
        read_png(tmp_path, "sample_a_0.png")
    (images / "text.png").write_text("root:x:0:0")
    with pytest.raises(RunError, match=r"text\.png: got another kind of file"):
        read_png(tmp_path, "text.png")
    (images / "short.png").write_bytes((images / "good.png").read_bytes()[:50])
    with pytest.raises(RunError, match=r"short\.png: got a damaged file"):
        read_grey(tmp_path, "short.png")
    Image.new("L", (MAX_SIDE + 1, 1)).save(images / "wide.png")
    with pytest.raises(RunError, match=r"wide\.png: got 4097 × 1 pixels"):
        read_grey(tmp_path, "wide.png")


def test_no_folder_outside_is_written(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        (tmp_path / "figures").symlink_to(elsewhere)
        with pytest.raises(RunError, match="figures: got a link to"):
            subfolder(tmp_path, "figures")


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    (tmp_path / "report.html").symlink_to(tmp_path / "other")
    write_text(tmp_path / "report.html", "new")
    assert (tmp_path / "other").read_text() == "kept"
    assert (tmp_path / "report.html").read_text() == "new"


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="inside the run folder"):
        read_png(tmp_path, "mean_\0.png")
