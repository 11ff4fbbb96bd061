from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.checks.dicom_copies import write_copies
from benchmarks.config import RunConfig
from benchmarks.datasets.phantoms import generate


def test_copies_have_the_pixels_and_the_manifest_of_the_originals(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="needs the extra dicom")
    phantoms = generate(24, 64)
    for image, row in zip(phantoms.images, phantoms.manifest.itertuples(), strict=True):
        split = "test" if row.split == "test" else "train"
        name = f"person{row.Index}_virus_1.jpeg" if row.label else f"IM-{row.Index:04d}-0001.jpeg"
        path = tmp_path / "data" / split / ("PNEUMONIA" if row.label else "NORMAL") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, "JPEG")
    assert write_copies(tmp_path / "data", tmp_path / "copies") == 24
    original, png, dicom = (
        datasets.load(RunConfig(data=str(folder), quiet=True, jobs=1), 48)
        for folder in (tmp_path / "data", tmp_path / "copies/png", tmp_path / "copies/dicom")
    )
    for copy in (png, dicom):
        np.testing.assert_array_equal(copy.images[:], original.images[:])
        for column in ("image", "label", "class", "subtype", "group", "split", "width", "height"):
            assert copy.manifest[column].tolist() == original.manifest[column].tolist()
    assert set(dicom.manifest["format"]) == {"DICOM"}
