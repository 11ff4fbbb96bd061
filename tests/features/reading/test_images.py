"""The reader: files built by hand, byte by byte where a library would hide the rule."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from features.reading import images
from features.reading.images import GreyImage, ImageError, list_images, read_image
from tests.features.reading.made_files import HEIGHT, WIDTH, png, saved, tiff

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(data: bytes, name: str = "image.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_file


def canvas(*first: Any, dtype: str = "u1") -> NDArray[Any]:
    """Black 20 × 16 pixels whose first ones, along the top row, are given."""
    pixels = np.zeros((HEIGHT, WIDTH, *np.shape(first[0])), dtype)
    pixels[0, : len(first)] = first
    return pixels


def noise(width: int = 48, height: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)


def pack_12(pixels: NDArray[Any]) -> bytes:
    bits = (pixels[..., None] >> np.arange(11, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(HEIGHT, -1), axis=1).tobytes()


# Accepted: file content, then the first grey values of its top row.

DEEP = canvas(65535, 32768, 257, 128, dtype="<u2")
DEEP_GREY, DEEP_INVERTED = [255, 128, 1, 0, 0], [0, 127, 254, 255, 255]
PRIMARIES = canvas([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255])
LUMA = [76, 150, 29, 255, 0]  # 0.299 × 255, 0.587 × 255, 0.114 × 255
BITS = canvas(1, 1, 0, 1)
PACKED = np.packbits(BITS, axis=1).tobytes()
ALPHA = canvas([200, 255], [200, 128], [200, 0], [100, 100])
ALPHA_GREY = [200, 100, 0, 39, 0]  # 200 × 128/255 = 100.4; 100 × 100/255 = 39.2
RGB_ALPHA = canvas([255, 0, 0, 255], [0, 255, 0, 0], [200, 200, 200, 128])
CMYK = canvas([0, 255, 255, 0], [255, 0, 0, 0], [0, 0, 0, 155], [0, 0, 0, 0])
YCBCR = canvas([90, 128, 128], [255, 128, 128], [200, 90, 240])
CMYK_GREY = [76, 179, 100, 255, 255]
PALETTE = Image.fromarray(canvas(1, 2, 3, 0), "L").convert("P")
PALETTE.putpalette([10, 10, 10, 255, 0, 0, 0, 255, 0, 0, 0, 255])

ACCEPTED = {
    "png 8": (saved(canvas(0, 1, 254, 255), "PNG"), [0, 1, 254, 255, 0]),
    "png 1": (saved(Image.fromarray(BITS * 255).convert("1"), "PNG"), [255, 255, 0, 255, 0]),
    "png 16": (png(DEEP.astype(">u2"), 16, 0), DEEP_GREY),
    "png 16 transparent": (
        png(canvas(65535, 40000, 32768, 257, dtype=">u2"), 16, 0, tRNS=b"\x9c\x40"),
        [255, 0, 128, 1, 0],
    ),
    "png rgb": (saved(PRIMARIES, "PNG"), LUMA),
    "png rgb 16": (png(PRIMARIES.astype(">u2") * 257, 16, 2), LUMA),
    "png la": (saved(ALPHA, "PNG"), ALPHA_GREY),
    "png la 16": (png(ALPHA.astype(">u2") * 257, 16, 4), ALPHA_GREY),
    "png rgba": (saved(RGB_ALPHA, "PNG"), [76, 0, 100, 0, 0]),
    "png grey transparent": (png(canvas(7, 8), 8, 0, tRNS=b"\0\x07"), [0, 8, 0, 0, 0]),
    "png palette": (saved(PALETTE, "PNG"), [76, 150, 29, 10, 10]),
    "png palette transparent": (saved(PALETTE, "PNG", transparency=2), [76, 0, 29, 10, 10]),
    "png palette alphas": (
        saved(PALETTE, "PNG", transparency=bytes([0, 255, 0, 255])), [76, 0, 29, 0, 0]
    ),
    "bmp 1": (saved(Image.fromarray(BITS * 255).convert("1"), "BMP"), [255, 255, 0, 255, 0]),
    "bmp 8": (saved(canvas(0, 1, 254, 255), "BMP"), [0, 1, 254, 255, 0]),
    "bmp palette": (saved(PALETTE, "BMP"), [76, 150, 29, 10, 10]),
    "bmp rgb": (saved(PRIMARIES, "BMP"), LUMA),
    "tiff 16 little-endian": (tiff(DEEP.tobytes(), (16,)), DEEP_GREY),
    "tiff 16 big-endian": (tiff(DEEP.astype(">u2").tobytes(), (16,), order=">"), DEEP_GREY),
    "tiff 16 deflated": (tiff(DEEP.tobytes(), (16,), deflate=True), DEEP_GREY),
    "tiff 16 big-endian deflated": (
        tiff(DEEP.astype(">u2").tobytes(), (16,), order=">", deflate=True), DEEP_GREY
    ),
    "tiff 16 white is zero": (tiff(DEEP.tobytes(), (16,), 0), DEEP_INVERTED),
    "tiff 12": (tiff(pack_12(canvas(4095, 2048, 16, 8, dtype="i4")), (12,)), DEEP_GREY),
    "tiff 8": (tiff(canvas(0, 1, 254, 255).tobytes()), [0, 1, 254, 255, 0]),
    "tiff 8 white is zero": (
        tiff(canvas(0, 1, 254, 255).tobytes(), (8,), 0), [255, 254, 1, 0, 255]
    ),
    "tiff 8 white is zero deflated": (
        tiff(canvas(0, 1, 254, 255).tobytes(), (8,), 0, deflate=True), [255, 254, 1, 0, 255]
    ),
    "tiff 1": (tiff(PACKED, (1,)), [255, 255, 0, 255, 0]),
    "tiff 1 white is zero": (tiff(PACKED, (1,), 0), [0, 0, 255, 0, 255]),
    "tiff rgb": (tiff(PRIMARIES.tobytes(), (8,) * 3, 2), LUMA),
    "tiff rgb 16": (tiff((PRIMARIES.astype("<u2") * 257).tobytes(), (16,) * 3, 2), LUMA),
    "tiff rgba": (tiff(RGB_ALPHA.tobytes(), (8,) * 4, 2, t338=(2,)), [76, 0, 100, 0, 0]),
    "tiff la": (tiff(ALPHA.tobytes(), (8, 8), t338=(2,)), ALPHA_GREY),
    "tiff la premultiplied": (
        tiff(canvas([200, 255], [100, 128], [0, 0]).tobytes(), (8, 8), t338=(1,)),
        [200, 100, 0, 0, 0],
    ),
    "tiff cmyk": (tiff(CMYK.tobytes(), (8,) * 4, 5), CMYK_GREY),
    "tiff ycbcr": (tiff(YCBCR.tobytes(), (8,) * 3, 6, t530=(1, 1)), [90, 255, 200, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_modes_give_the_values_computed_by_hand(write: Write, name: str) -> None:
    data, expected = ACCEPTED[name]
    image = read_image(write(data))
    assert image.pixels.shape == (HEIGHT, WIDTH) == (image.height, image.width)
    assert image.pixels.dtype == np.uint8
    assert image.pixels[0, :5].tolist() == expected
    assert (image.pixels[1:] == expected[4]).all()
    assert image.frames == 1
    assert image.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("mode", "colour", "grey", "tolerance"),
    [
        ("L", 100, 100, 0),
        ("RGB", (100, 100, 100), 100, 0),
        ("RGB", (255, 0, 0), 76, 1),  # stored as YCbCr, rounded there
        ("CMYK", (0, 0, 0, 155), 100, 0),
        ("CMYK", (0, 0, 0, 0), 255, 0),
    ],
)
def test_jpeg_of_one_colour(
    write: Write, mode: str, colour: Any, grey: int, tolerance: int
) -> None:
    data = saved(Image.new(mode, (32, 16), colour), "JPEG", quality=100)
    assert (mode == "CMYK") == (b"Adobe" in data)  # so its values are stored inverted
    pixels = read_image(write(data)).pixels.astype(int)
    assert np.abs(pixels - grey).max() <= tolerance


# Where the top-left pixel and its right neighbour of 20 × 16 stored pixels are displayed.
ORIENTED = {
    1: [(0, 0), (0, 1)], 2: [(0, 19), (0, 18)], 3: [(15, 19), (15, 18)], 4: [(15, 0), (15, 1)],
    5: [(0, 0), (1, 0)], 6: [(0, 15), (1, 15)], 7: [(19, 15), (18, 15)], 8: [(19, 0), (18, 0)],
}  # fmt: skip


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "deflated TIFF", "16-bit TIFF"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation_is_applied_once(write: Write, form: str, orientation: int) -> None:
    grey = [255, 128] if form == "16-bit TIFF" else [200, 100]
    pixels = canvas(*grey)
    exif = Image.Exif()
    exif[274] = orientation
    if form == "deflated TIFF":
        data = tiff(pixels.tobytes(), deflate=True, t274=(orientation,))
    elif form == "16-bit TIFF":
        big_endian = (pixels.astype(">u2") * 257).tobytes()
        data = tiff(big_endian, (16,), order=">", t274=(orientation,))
    else:
        options = {"quality": 100} if form == "JPEG" else {}
        data = saved(pixels, form, exif=exif, **options)
    image = read_image(write(data))
    first, second = ORIENTED[orientation]
    assert (image.height, image.width) == ((20, 16) if orientation > 4 else (16, 20))
    assert image.pixels.shape == (image.height, image.width)
    found = [int(image.pixels[first]), int(image.pixels[second])]
    assert found == pytest.approx(grey, abs=2 if form == "JPEG" else 0)


@pytest.mark.parametrize("form", ["TIFF", "PNG", "MPO"])
def test_first_of_several_frames(write: Write, form: str) -> None:
    frames = [Image.new("L", (32, 32), value) for value in (10, 20, 30)]
    image = read_image(write(saved(frames[0], form, save_all=True, append_images=frames[1:])))
    assert image.frames == 3
    assert (image.pixels == 10).all()


def test_frames_may_differ_in_size_and_mode(write: Write) -> None:
    other = Image.new("RGB", (64, 48), (1, 2, 3))
    image = read_image(write(saved(DEEP, "TIFF", save_all=True, append_images=[other])))
    assert image.frames == 2
    assert image.pixels[0, :5].tolist() == DEEP_GREY


def test_the_content_decides_not_the_name(write: Write) -> None:
    assert read_image(write(saved(noise(), "PNG"), "scan.jpeg")).pixels.tolist() == noise().tolist()


def test_pixels_can_be_written_to(write: Write) -> None:
    image = read_image(write(saved(noise(), "PNG")))
    image.pixels[0, 0] = 1
    with pytest.raises(AttributeError):
        image.width = 3  # type: ignore[misc]


# Refused: file content, then what the message must say.

BIG = png(np.zeros((1, 1), "u1"), 8, 0).replace(
    struct.pack(">II", 1, 1), struct.pack(">II", 20_000, 20_000)
)
BIG = BIG[:29] + struct.pack(">I", zlib.crc32(BIG[12:29])) + BIG[33:]
JPEG, PNG = saved(noise(), "JPEG"), saved(noise(), "PNG")
AN_IMAGE = "a JPEG, PNG, TIFF, BMP or DICOM image"
AGAIN = "copy it again from its source, or export it again as PNG"
SIXTEEN = "rescale it to 16-bit grey and save it as PNG"
UNSIGNED = "unsigned grey of 1, 8 or 16 bits, or colour"
FLOAT = np.zeros((HEIGHT, WIDTH), "<f4").tobytes()

REFUSED = {
    "empty": (b"", "an empty file", AN_IMAGE, AGAIN),
    "text": (b"not an image\n", "text", AN_IMAGE, "replace it by the image itself"),
    "text that starts like a BMP": (b"BMI = 17.3", "text", AN_IMAGE, "replace it by the image"),
    "text cut within a letter": ("ü".encode() * 600, "text", AN_IMAGE, "replace it by the image"),
    "unknown": (bytes(64), "unknown content (first bytes 00 00 00 00)", AN_IMAGE, AGAIN),
    "gif": (saved(noise(), "GIF"), "GIF content", AN_IMAGE, "convert it to PNG"),
    "webp": (saved(noise(), "WEBP"), "WebP content", AN_IMAGE, "convert it to PNG"),
    "half a jpeg": (
        JPEG[: len(JPEG) // 2], "(OSError: image file is truncated", "an undamaged JPEG", AGAIN
    ),
    "jpeg without its end": (JPEG[:-2], "a JPEG that can't be decoded", "an undamaged JPEG", AGAIN),
    "start of a jpeg": (JPEG[:3], "a JPEG that can't be decoded", "an undamaged JPEG", AGAIN),
    "half a png": (PNG[: len(PNG) // 2], "a PNG that can't be decoded", "an undamaged PNG", AGAIN),
    "png without its end": (PNG[:-12], "truncated PNG file", "an undamaged PNG", AGAIN),
    "start of a bmp": (b"BM\0\0\0\0", "a BMP that can't be decoded", "an undamaged BMP", AGAIN),
    "short bmp": (saved(noise(), "BMP")[:-1], "image file is truncated", "an undamaged BMP", AGAIN),
    "tiff without its last tag": (
        tiff(DEEP.tobytes(), (16,))[:-9], "Corrupt EXIF data", "an undamaged TIFF", AGAIN
    ),
    "tiff without half its pixels": (
        saved(DEEP, "TIFF")[:-320], "image file is truncated", "an undamaged TIFF", AGAIN
    ),
    "tiff with one strip of three": (
        tiff(PRIMARIES.tobytes(), (8,) * 3, 2, t284=(2,)), "strips or tiles are missing",
        "an undamaged TIFF", AGAIN,
    ),
    "tiff with rows that no strip holds": (
        tiff(DEEP.tobytes(), (16,), t257=(99,)), "strips or tiles are missing",
        "an undamaged TIFF", AGAIN,
    ),
    "narrow": (
        saved(noise(15, 40), "PNG"), "15 × 40 pixels", "at least 16 × 16",
        "use the image at its original size",
    ),
    "flat": (saved(noise(40, 15), "JPEG"), "40 × 15 pixels", "at least 16 × 16", "original size"),
    "large": (
        BIG, "20000 × 20000 pixels", "at most 100,000,000 in all",
        "reduce the image",
    ),
    "float": (tiff(FLOAT, (32,), t339=(3,)), "floating-point pixels", UNSIGNED, SIXTEEN),
    "double": (
        tiff(FLOAT * 2, (64,), t339=(3,)), "unknown pixel mode", "a kind that Pillow reads", AGAIN
    ),
    "32-bit": (tiff(FLOAT, (32,)), "32-bit or signed pixels", UNSIGNED, SIXTEEN),
    "signed 16-bit": (
        tiff(DEEP.tobytes(), (16,), t339=(2,)), "32-bit or signed pixels", UNSIGNED, SIXTEEN
    ),
    "signed 8-bit": (tiff(canvas(1).tobytes(), t339=(2,)), "signed pixels", UNSIGNED, SIXTEEN),
    "cielab": (tiff(PRIMARIES.tobytes(), (8,) * 3, 8), "CIELAB pixels", UNSIGNED, SIXTEEN),
}  # fmt: skip


def refusal(path: Path, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in (caught.value.path, caught.value.found, caught.value.expected, caught.value.remedy):
        assert part
        assert part in message
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_file_found_expected_and_remedy(write: Write, name: str) -> None:
    data, found, expected, remedy = REFUSED[name]
    path = write(data, "broken.jpg")
    error = refusal(path, root=path.parent)
    assert error.path == "broken.jpg"
    assert found in error.found
    assert expected in error.expected
    assert remedy in error.remedy


def test_any_damage_to_the_pixels_of_a_png_is_noticed(write: Write) -> None:
    start, end = PNG.index(b"IDAT") + 4, len(PNG) - 12
    for position in range(start, end, 37):
        damaged = bytearray(PNG)
        damaged[position] ^= 1
        assert "can't be decoded" in refusal(write(bytes(damaged))).found


def test_size_is_checked_before_pixels_are_decoded(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    path = write(JPEG)
    assert "48 × 40 pixels" in refusal(path, max_pixels=48 * 40 - 1).found
    assert "decoded" in refusal(path, max_pixels=48 * 40).found


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP"])
def test_pillows_own_size_limit_neither_warns_nor_refuses(
    write: Write, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    data = saved(noise(), form)
    for limit in (1000, 10):  # 1,920 pixels: above the limit, and above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises((Image.DecompressionBombWarning, Image.DecompressionBombError)):
            Image.open(io.BytesIO(data)).load()
        assert read_image(write(data)).width == 48
        assert limit == Image.MAX_IMAGE_PIXELS


def test_truncated_files_are_refused_whatever_the_caller_set(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    half = JPEG[: len(JPEG) // 2]
    Image.open(io.BytesIO(half)).load()
    assert "truncated" in refusal(write(half)).found
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_warnings_of_pillow_stay_inside(write: Write) -> None:
    exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x05\0\x12\x01"  # five entries announced, none there
    data = saved(noise(), "JPEG", exif=exif)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(io.BytesIO(data)).getexif()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert read_image(write(data)).width == 48
    assert heard == []


def test_threads_leave_the_settings_of_the_process_as_they_were(write: Write) -> None:
    path, filters, limit = write(JPEG), list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: read_image(path).sha256, range(400)))
    assert set(results) == {hashlib.sha256(JPEG).hexdigest()}
    assert (warnings.filters, Image.MAX_IMAGE_PIXELS) == (filters, limit)


@pytest.mark.parametrize("error", [struct.error("a\nb"), KeyError(1), EOFError("x")])
def test_whatever_a_decoder_raises_becomes_one_line(
    write: Write, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(self: object) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert type(error).__name__ in refusal(write(JPEG)).found


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mknod(tmp_path / "socket.jpg", stat.S_IFSOCK | 0o600)
    found: dict[str, str] = {}

    def read_all() -> None:
        for name in ("folder", "pipe", "socket"):
            found[name] = refusal(tmp_path / f"{name}.jpg").found
        found["device"] = refusal(Path("/dev/zero")).found

    reader = threading.Thread(target=read_all, daemon=True)  # a pipe may hang: wait, not for ever
    reader.start()
    reader.join(timeout=10)
    assert found == {
        "folder": "a folder", "pipe": "a named pipe", "socket": "a socket", "device": "a device",
    }  # fmt: skip


def test_what_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("nowhere")
    assert "No such file" in refusal(tmp_path / "missing", root=tmp_path).found
    assert "No such file" in refusal(tmp_path / "broken", root=tmp_path).found
    assert "symbolic links" in refusal(tmp_path / "loop", root=tmp_path).found
    assert "null byte" in refusal(tmp_path / "a\0b", root=tmp_path).found


def test_permission_denied(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod, which root would pass.
    def read_bytes(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    error = refusal(write(JPEG))
    assert "Permission denied" in error.found
    assert "permissions" in error.remedy


def test_files_too_large_to_hold_are_not_read(write: Write) -> None:
    path = write(b"")
    os.truncate(path, images.MAX_BYTES + 1)
    assert refusal(path).found == "1,073,741,825 bytes"


def test_links_may_not_leave_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "data", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    for folder in (root, outside):
        (folder / "a.png").write_bytes(PNG)
    (root / "inside.png").symlink_to("a.png")
    (root / "out.png").symlink_to(outside / "a.png")
    (root / "sub").symlink_to(outside)
    (tmp_path / "alias").symlink_to(root)
    assert read_image(root / "inside.png", root=root).width == 48
    assert read_image(tmp_path / "alias" / "inside.png", root=tmp_path / "alias").width == 48
    assert read_image(root / "out.png").width == 48
    error = refusal(root / "out.png", root=root)
    assert error.path == "out.png"
    assert error.found == "a link that leads outside the data folder"
    for path in (root / "sub" / "a.png", root / ".." / "outside" / "a.png"):
        assert refusal(path, root=root).found == "a path that leads outside the data folder"


def test_names_are_shown_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "é\n\x1b[31m\udcff.jpg"
    assert refusal(path, root=tmp_path).path == r"é\n\x1b[31m\udcff.jpg"
    assert refusal(path).path.startswith(str(tmp_path))


def test_errors_survive_pickling(write: Write) -> None:
    error = refusal(write(b""))
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ImageError)
    assert str(again) == str(error)
    assert again.remedy == error.remedy


def test_list_images_sorts_by_name_and_counts_what_it_ignores(tmp_path: Path) -> None:
    for name in ("b.jpg", "a10.png", "a9.png", "Z.jpg", "é.jpg", "notes.txt"):
        (tmp_path / name).touch()
    for name in (".DS_Store", "._b.jpg", "THUMBS.db", "Desktop.ini"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    paths, ignored = list_images(tmp_path)
    names = ["Z.jpg", "a10.png", "a9.png", "b.jpg", "folder", "gone.jpg", "notes.txt", "é.jpg"]
    assert paths == [tmp_path / name for name in names]
    assert ignored == 4
    assert refusal(tmp_path / "folder").found == "a folder"


def test_list_images_of_no_folder(write: Write, tmp_path: Path) -> None:
    for path in (write(JPEG), tmp_path / "missing"):
        with pytest.raises(ImageError, match=r"something unreadable \(.+a folder of images"):
            list_images(path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "image"


EXIF = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
FUZZED = [
    JPEG,
    PNG,
    saved(PALETTE, "PNG"),
    saved(noise(), "BMP"),
    tiff(DEEP.tobytes(), (16,), t274=(6,)),
    saved(noise(), "JPEG", exif=EXIF),
]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(FUZZED),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    st.floats(0, 1) | st.just(1.0),
    st.booleans(),
)
def test_damaged_files_are_read_or_refused(
    scratch: Path, data: bytes, flips: list[tuple[float, int]], kept: float, in_header: bool
) -> None:
    damaged = bytearray(data)
    for place, mask in flips:
        damaged[int(place * (min(len(data), 200) if in_header else len(data)))] ^= mask
    scratch.write_bytes(damaged[: round(kept * len(damaged))])
    try:
        image = read_image(scratch, max_pixels=10_000)
    except ImageError:
        return
    assert isinstance(image, GreyImage)
    assert image.pixels.shape == (image.height, image.width)
    assert image.pixels.dtype == np.uint8


@pytest.mark.real
def test_real_radiographs_are_read_as_they_were_published(real_data: Path) -> None:
    folder = real_data / "test" / "NORMAL"
    listed = (real_data / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in listed)}
    paths, ignored = list_images(folder)
    assert (len(paths), ignored) == (234, 0)
    for path in paths:
        image = read_image(path, root=real_data)
        assert image.pixels.shape == (224, 224)
        assert image.sha256 == sums[f"./test/NORMAL/{path.name}"]
