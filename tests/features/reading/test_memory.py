"""What reading an image may take, and what happens when memory runs out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from features.reading import decode
from features.reading.images import ImageError, LargeImageError, read_image

MIB = 2**20
CLEAR = Path("/proc/self/clear_refs")


def resident(name: str) -> int:
    """Bytes of this process in memory: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def large(mode: str, side: int) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((side, side))
    if mode == "I;16":
        return Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    return ramp.convert(mode)


@pytest.mark.skipif(not CLEAR.exists(), reason="Linux alone tells the peak of a moment")
@pytest.mark.parametrize(
    ("mode", "form", "options"),
    [
        ("RGB", "PNG", {"compress_level": 1}), ("I;16", "PNG", {"compress_level": 1}),
        ("RGBA", "TIFF", {"compression": "tiff_adobe_deflate"}), ("I;16", "TIFF", {}),
        ("RGB", "JPEG", {"quality": 95}), ("RGB", "JPEG", {"progressive": True}),
    ],
)  # fmt: skip
def test_the_estimate_covers_what_is_taken(
    mode: str, form: str, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "image"
    large(mode, 3000).save(path, form, **options)
    with pytest.raises(LargeImageError, match=r"3000 × 3000 pixels that take [\d]+ MiB") as caught:
        read_image(path, size=224, max_memory=path.stat().st_size)
    estimate = int(str(caught.value).split("take ")[1].split(" MiB")[0]) * MIB
    CLEAR.write_text("5")  # the peak starts again
    before = resident("VmRSS")
    read_image(path, size=224)
    assert resident("VmHWM") - before < estimate + 15 * MIB  # a block of rows, plugins
    assert estimate < 3000 * 3000 * 13


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1001))
    with pytest.raises(LargeImageError, match=r"found 1,001 bytes, but expected at most 1,000;"):
        read_image(path, max_memory=1000)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError("out of memory error when reading image file"),
     RuntimeError("OpenCV(5.0) Insufficient memory: Failed to allocate 9 bytes")],
)  # fmt: skip
def test_memory_that_runs_out_is_no_damage_of_the_file(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(self: object) -> None:
        raise error

    file = io.BytesIO()
    Image.new("L", (20, 20)).save(file, "JPEG")
    (tmp_path / "image").write_bytes(file.getvalue())
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError) as caught:
        read_image(tmp_path / "image")
    assert not isinstance(caught.value, ImageError)


def test_blocks_of_rows_give_the_pixels_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (50, 40, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    whole = read_image(tmp_path / "a.png").pixels
    monkeypatch.setattr(decode, "_BLOCK", 7 * 40)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, whole)


@pytest.mark.skipif(not CLEAR.exists(), reason="Linux alone tells the peak of a moment")
@pytest.mark.parametrize("syntax", [None, "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"])
def test_the_estimate_covers_what_a_dicom_file_takes(syntax: str | None, tmp_path: Path) -> None:
    made = pytest.importorskip("tests.features.reading.made_dicom", reason="needs the extra dicom")
    pixels = np.asarray(large("L", 2000)).astype(np.uint16) * 16
    data = made.dicom(pixels, 12)
    data = data if syntax is None else made.compressed(data, syntax, tmp_path)
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(LargeImageError, match=r"2000 × 2000 pixels that take [\d]+ MiB") as caught:
        read_image(path, max_memory=len(data) + 1000)
    estimate = int(str(caught.value).split("take ")[1].split(" MiB")[0]) * MIB
    CLEAR.write_text("5")
    before = resident("VmRSS")
    read_image(path)
    taken = resident("VmHWM") - before
    assert taken < estimate + 20 * MIB  # blocks of pixels, tables, decoders
    assert estimate < 2000 * 2000 * 20
