"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.helpers import textured

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data" / "chest_xray_224"
REAL_WEIGHTS = ROOT.parent / "shared" / "weights" / "mobilenetv2_100.safetensors"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="Runs to kill at random moments.")


@pytest.fixture(autouse=True, scope="session")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' features out of the user's feature store."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        patch.setattr("benchmarks.extraction.store.default_folder", lambda: folder)
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
