"""Properties of files that go with the class are named before anything is fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.file_properties import class_properties
from benchmarks.config import RunConfig
from benchmarks.datasets.phantoms import generate
from features.reading.images import read_image


def made(folder: Path, kinds: dict[str, tuple[str, str, tuple[int, int]]]) -> pd.DataFrame:
    """Write noise as (mode, suffix, (width, height)) of each class; return the findings."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 24), ("test", 8)):
        for name, (mode, suffix, (width, height)) in kinds.items():
            target = folder / split / name
            target.mkdir(parents=True)
            for k in range(n):
                pixels = rng.integers(0, 256, (height, width), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(target / f"{name}-{split}-{k}{suffix}")
    config = RunConfig(data=str(folder), quiet=True, jobs=1)
    return audit(datasets.load(config, 48)).findings


def test_colour_mode_and_format_of_a_class_are_a_warning(tmp_path: Path) -> None:
    kinds = {"NORMAL": ("L", ".jpeg", (64, 64)), "PNEUMONIA": ("RGBA", ".png", (64, 64))}
    found = made(tmp_path, kinds).set_index("check")
    assert found.loc["file_property", "severity"] == "warn"
    detail = found.loc["file_property", "detail"]
    assert "format (Cramér's V = 1.00; NORMAL: 100 % JPEG; PNEUMONIA: 100 % PNG)" in detail
    assert "colour mode (Cramér's V = 1.00; NORMAL: 100 % L; PNEUMONIA: 100 % RGBA)" in detail
    assert "width" not in detail


def test_sizes_of_a_class_are_a_warning(tmp_path: Path) -> None:
    kinds = {"NORMAL": ("L", ".png", (64, 64)), "PNEUMONIA": ("L", ".png", (96, 48))}
    found = made(tmp_path, kinds).set_index("check")
    detail = found.loc["file_property", "detail"]
    assert "width (alone gives an AUC of 1.00; median 96 in PNEUMONIA, 64 in NORMAL)" in detail
    assert "aspect ratio (width / height) (alone gives an AUC of 1.00" in detail
    assert "100 % 96 × 48" in detail
    assert "format" not in detail


def test_properties_that_both_classes_share_are_not_found(tmp_path: Path) -> None:
    kinds = {"NORMAL": ("L", ".png", (64, 64)), "PNEUMONIA": ("L", ".png", (64, 64))}
    assert "file_property" not in set(made(tmp_path, kinds)["check"])
    assert class_properties(generate(n_images=60, size=32).manifest) == []


def test_an_association_of_patients_not_images_counts() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({
        "class": np.repeat(["A", "B"], 100), "group": np.repeat(np.arange(40), 5),
        "width": rng.integers(50, 60, 200), "height": 50, "bits": rng.choice([8, 16], 200),
    })  # fmt: skip
    assert class_properties(table) == []
    one = table.assign(bits=np.where(table["group"] == 39, 16, 8))  # many images, one patient
    assert class_properties(one) == []
    half = table.assign(bits=np.where((table["class"] == "B") & (table["group"] % 4 > 0), 16, 8))
    assert class_properties(half) == [
        "bit depth (Cramér's V = 0.77; A: 100 % 8; B: 75 % 16, 25 % 8)"
    ]
    assert class_properties(table.assign(width=table["width"] + 4 * (table["class"] == "B")))


@pytest.mark.parametrize(
    ("mode", "suffix", "stored"),
    [
        ("L", ".jpg", ("JPEG", "L", 8)), ("RGB", ".jpg", ("JPEG", "RGB", 8)),
        ("P", ".png", ("PNG", "P", 8)), ("1", ".png", ("PNG", "1", 1)),
        ("I;16", ".png", ("PNG", "I;16", 16)), ("I;16", ".tif", ("TIFF", "I;16", 16)),
        ("L", ".bmp", ("BMP", "L", 8)), ("RGBA", ".tif", ("TIFF", "RGBA", 8)),
    ],
)  # fmt: skip
def test_format_mode_and_bits_are_those_of_the_file(
    tmp_path: Path, mode: str, suffix: str, stored: tuple[str, str, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 64), dtype=np.uint8)
    image = Image.fromarray(pixels.astype(np.uint16) * 257 if mode == "I;16" else pixels)
    image = image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / f"x{suffix}")
    read = read_image(tmp_path / f"x{suffix}", size=16)
    assert (read.format, read.mode, read.bits) == stored
