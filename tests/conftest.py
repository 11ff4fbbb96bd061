"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmarks.datasets import phantoms
from benchmarks.datasets.dataset import Dataset
from run_benchmark import main
from tests.helpers import textured

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data" / "chest_xray_224"
REAL_WEIGHTS = ROOT.parent / "shared" / "weights" / "mobilenetv2_100.safetensors"
QUICK = ["--features", "intensity,lbp", "--models", "logistic,xgboost", "--image-size", "48",
         "--limit", "150", "--study", "none"]  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="Runs to kill at random moments.")
    parser.addoption("--shuffle", type=int, metavar="SEED", help="Shuffle files and their tests.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests, so that two test processes end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if (seed := config.getoption("--shuffle")) is not None:
        rng = random.Random(seed)
        rng.shuffle(items)
        order = rng.sample(files := sorted({item.path for item in items}), len(files))
        items.sort(key=lambda item: order.index(item.path))


LEFT_OUT = pytest.StashKey[int]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that are left out; each of several test processes counts all."""
    if items:
        count = items[0].config.stash.get(LEFT_OUT, 0) + len(items)
        items[0].config.stash[LEFT_OUT] = count


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out:,} tests left out (make test runs all).")


@pytest.fixture(autouse=True, scope="session")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' features out of the user's feature store."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        patch.setattr("benchmarks.extraction.store.default_folder", lambda: folder)
        yield


MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Make a folder once for all test processes; tests that change it work on a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)

    def once(name: str, make: Callable[[Path], None]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / f"{name}.made").exists():
                shutil.rmtree(shared / name, ignore_errors=True)
                make(shared / name)
                (shared / f"{name}.made").touch()
        return shared / name

    return once


@pytest.fixture(autouse=True, scope="session")
def phantoms_drawn_once(make_once: MakeOnce) -> Iterator[None]:
    """Draw the phantoms of each size once for the runs in all test processes."""
    original = phantoms.generate

    @lru_cache
    def draw(hospital: str, *size: int) -> Dataset:
        def make(folder: Path) -> None:
            folder.mkdir()
            drawn = original(*size, quiet=True, hospital=hospital)
            (folder / "drawn").write_bytes(pickle.dumps(drawn))

        folder = make_once(f"{hospital}_{'_'.join(map(str, size))}", make)
        drawn: Dataset = pickle.loads((folder / "drawn").read_bytes())
        return drawn

    def generate(*size: int, **options: Any) -> Dataset:
        if "quiet" not in options:  # not called by a run but by a test of phantoms
            return original(*size, **options)
        drawn = draw(options.get("hospital", phantoms.FIRST), *size)
        return replace(drawn, images=drawn.images.copy(), manifest=drawn.manifest.copy())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantoms, "generate", generate)
        yield


@pytest.fixture(scope="session")
def quick_run(make_once: MakeOnce) -> Path:
    """A finished run of ``QUICK`` on phantoms with one worker. Read only."""

    def make(out: Path) -> None:
        done = CliRunner().invoke(main, [*QUICK, "--jobs", "1", "--out", str(out)])
        assert done.exit_code == 0, done.output

    return make_once("quick_run", make)


@contextmanager
def report_left_empty() -> Iterator[None]:
    """Runs write an empty report: rendering takes longer than fitting small cells."""
    with pytest.MonkeyPatch.context() as patch:
        name = "benchmarks.commands.run.render_report"
        patch.setattr(name, lambda folder: (folder / "report.html").touch())
        yield


@contextmanager
def figures_drafted() -> Iterator[None]:
    """SVG figures are painted, but not written: that takes most of a report's time."""
    original = Figure.savefig

    def save(figure: Figure, buffer: Any, **options: Any) -> None:
        if options["format"] == "svg":
            buffer.write('<svg width="1pt" height="1pt" viewBox="0 0 1 1"></svg>')
        else:
            original(figure, buffer, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        yield


@pytest.fixture
def empty_report() -> Iterator[None]:
    with report_left_empty():
        yield


@pytest.fixture
def draft_figures() -> Iterator[None]:
    with figures_drafted():
        yield


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("no real radiographs in ../shared/data/chest_xray_224")
    return REAL_DATA


@pytest.fixture
def real_weights() -> Path:
    if not REAL_WEIGHTS.is_file():
        pytest.skip("no real weights in ../shared/weights")
    return REAL_WEIGHTS


@pytest.fixture
def radiograph_folder(tmp_path: Path) -> Path:
    """A folder as Kaggle has it: 36 train and 18 test images of 12 + 6 patients a class or so."""
    folder = tmp_path / "chest"
    images, _ = textured(240, 48, seed=1)
    grain = iter(range(80))
    for split, patients, start in (("train", 20, 1), ("test", 8, 500)):
        for number in range(start, start + patients):
            subtype = "bacteria" if number % 2 else "virus"
            for image in (1, 2):
                name = f"person{number}_{subtype}_{image}.jpeg"
                _save(images[3 * next(grain) + 1], folder / split / "PNEUMONIA" / name)
            if number % 2:
                name = f"IM-{number:04d}-0001.jpeg"
                _save(images[3 * next(grain)], folder / split / "NORMAL" / name)
    return folder


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
