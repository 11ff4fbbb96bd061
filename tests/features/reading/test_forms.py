"""Every mode, depth, layout and transparency, against samples written here and a second decoder.

The samples of each file are drawn at random and written by tifffile or byte by byte. The grey
values are computed from them, and tifffile or OpenCV has to find the same samples in the file. A
file is read right, up to rounding, or refused.
"""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from features.reading.images import GreyImage, ImageError, read_image
from tests.features.reading.made_files import HEIGHT, WIDTH, png, saved, tiff

Samples = NDArray[np.int64]
NONE, UNUSED, PREMULTIPLIED, ALPHA = None, 0, 1, 2  # TIFF: what a sample beyond the colours is
MINISWHITE, MINISBLACK, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
NAMES = {MINISWHITE: "miniswhite", MINISBLACK: "minisblack", RGB: "rgb", CMYK: "separated"}
COLOURS = {MINISWHITE: 1, MINISBLACK: 1, RGB: 3, CMYK: 4}
BYTES_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


class Form(NamedTuple):
    """A file, its grey values, and its samples if the second decoder knows this form."""

    data: bytes
    grey: NDArray[np.float64]
    samples: Samples | None = None


def luma(rgb: NDArray[Any]) -> NDArray[np.float64]:
    return rgb @ np.array([0.299, 0.587, 0.114])


def draw(bits: int, n: int, extra: int | None = NONE) -> Samples:
    samples = np.random.default_rng(bits + n).integers(0, 2**bits, (HEIGHT, WIDTH, n))
    if extra == PREMULTIPLIED:
        samples = np.minimum(samples, samples[..., -1:])
    return samples


def packed(samples: Samples, bits: int, order: str = "<") -> NDArray[np.uint8]:
    """Rows of whole bytes."""
    if bits == 16:
        return samples.astype(f"{order}u2").view(np.uint8).reshape(HEIGHT, -1)
    each = (samples.reshape(HEIGHT, -1)[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.astype(np.uint8).reshape(HEIGHT, -1), axis=1)


def expected(samples: Samples, bits: int, photometric: int, extra: int | None) -> Any:
    """The grey that the reader documents: of 16-bit colour the high byte, else scaled to 255."""
    high = bits == 16 and photometric in (RGB, CMYK)
    values = samples // 256 if high else samples / (2**bits - 1) * 255
    colours = values[..., : COLOURS[photometric]]
    if photometric == RGB:
        grey = luma(colours)
    elif photometric == CMYK:
        grey = luma((255 - colours[..., :3]) * (255 - colours[..., 3:]) / 255)
    else:
        grey = colours[..., 0] if photometric == MINISBLACK else 255 - colours[..., 0]
    return grey * values[..., -1] / 255 if extra == ALPHA else grey


def tiffs_of_tifffile() -> Iterator[tuple[str, Form]]:
    layouts = {"strip": {}, "strips": {"rowsperstrip": 4}, "tiles": {"tile": (16, 16)}}
    for photometric, bits, extra, planar, order, deflated, layout in itertools.product(
        COLOURS, (8, 16), (NONE, UNUSED, PREMULTIPLIED, ALPHA), ("contig", "separate"), "<>",
        (False, True), layouts,
    ):  # fmt: skip
        n = COLOURS[photometric] + (extra is not None)
        if n == 1 and planar == "separate":
            continue  # not written by tifffile
        samples = draw(bits, n, extra)
        pixels = samples.astype(f"u{bits // 8}")
        planes = pixels[..., 0] if n == 1 else np.moveaxis(pixels, -1, 0)
        file = io.BytesIO()
        tifffile.imwrite(
            file, pixels if n > 1 and planar == "contig" else planes, metadata=None,
            photometric=NAMES[photometric], byteorder=order, planarconfig=planar if n > 1 else None,
            extrasamples=None if extra is None else [extra], **layouts[layout],
            compression="zlib" if deflated else None, predictor=2 if deflated else None,
        )  # fmt: skip
        name = f"tiff {NAMES[photometric]} {bits} extra={extra} {planar} {order} {layout}"
        grey = expected(samples, bits, photometric, extra)
        yield f"{name} {'deflated' * deflated}", Form(file.getvalue(), grey, samples)


def tiffs_by_hand() -> Iterator[tuple[str, Form]]:
    for photometric, bits, planar, deflate, fill in itertools.product(
        (MINISWHITE, MINISBLACK, PALETTE), (1, 2, 4, 8, 12, 16), (1, 2), (False, True), (1, 2)
    ):
        samples, tags = draw(bits, 1), {"t284": (planar,), "t266": (fill,)}
        if photometric == PALETTE:
            if bits > 8:
                continue
            palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
            tags["t320"] = tuple((palette.T * 257).ravel().tolist())
            grey = luma(palette[samples[..., 0]])
        else:
            grey = expected(samples, bits, photometric, NONE)
        raw = packed(samples, bits).tobytes()
        raw = raw.translate(BYTES_REVERSED) if fill == 2 else raw
        data = tiff(raw, (bits,), photometric, deflate=deflate, **tags)
        name = f"tiff by hand {photometric} {bits} planar={planar} fill={fill} {deflate=}"
        simple = bits in (8, 16) and fill == 1
        yield name, Form(data, grey, samples if simple else None)


def pngs() -> Iterator[tuple[str, Form]]:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, n in {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.items():
        for bits, key in itertools.product(depths[colour], (None, "key", "key with high bits")):
            if key and (colour in (4, 6) or (key != "key" and (bits in (1, 16) or colour == 3))):
                continue
            yield f"png colour={colour} {bits} {key}", one_png(colour, n, bits, key)


def one_png(colour: int, n: int, bits: int, key: str | None) -> Form:
    samples, chunks, alpha = draw(bits, n), {}, np.ones((HEIGHT, WIDTH))
    if bits == 16:  # pixels that share the high bytes of the transparent one
        samples[0] = samples[0, :1] // 256 * 256 + np.arange(WIDTH)[:, None]
    values = samples // 256 if bits == 16 and colour else samples / (2**bits - 1) * 255
    if colour == 3:
        palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 4))
        chunks["PLTE"], values = palette[:, :3].astype(np.uint8).tobytes(), palette[samples[..., 0]]
        if key:
            chunks["tRNS"], alpha = palette[:, 3].astype(np.uint8).tobytes(), values[..., 3] / 255
    elif key:
        high = 2**bits if key == "key with high bits" else 0
        chunks["tRNS"] = (samples[0, 3] + high).astype(">u2").tobytes()
        alpha = (samples != samples[0, 3]).any(-1).astype(float)
    elif colour in (4, 6):
        alpha = values[..., -1] / 255
    grey = luma(values[..., :3]) if colour in (2, 3, 6) else values[..., 0]
    rows = packed(samples, bits, ">")
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, 0)
    data = png(rows, bits, colour, **chunks)
    header += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return Form(data[:16] + header + data[33:], grey * alpha)


def bmps() -> Iterator[tuple[str, Form]]:
    for bits, inverted in itertools.product((1, 4, 8), (False, True)):
        samples = draw(bits, 1)
        palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 4))
        if inverted:
            palette[:] = (np.arange(2**bits)[::-1] * 255 // (2**bits - 1))[:, None]
        data = bmp(bits, packed(samples, bits), palette.astype(np.uint8).tobytes())
        yield f"bmp {bits} {inverted=}", Form(data, luma(palette[samples[..., 0]][..., 2::-1]))
    for bits in (24, 32):
        samples = draw(8, bits // 8)
        yield f"bmp {bits}", Form(bmp(bits, packed(samples, 8)), luma(samples[..., 2::-1]))


def bmp(bits: int, rows: NDArray[np.uint8], palette: bytes = b"") -> bytes:
    pixels = b"".join(row.tobytes() + bytes(-len(row) % 4) for row in rows[::-1])
    start = 54 + len(palette)
    header = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    sizes = struct.pack(
        "<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, bits, 0, 0, 0, 0, len(palette) // 4, 0
    )
    return b"BM" + header + sizes + palette + pixels


FORMS = dict(itertools.chain(tiffs_of_tifffile(), tiffs_by_hand(), pngs(), bmps()))


def read(folder: Path, data: bytes) -> GreyImage | ImageError:
    path = folder / "image"
    path.write_bytes(data)
    try:
        return read_image(path)
    except ImageError as error:
        return error


@pytest.mark.parametrize("kind", ["tiff minis", "tiff rgb", "tiff sep", "tiff by", "png", "bmp"])
def test_every_form_is_read_right_or_refused(kind: str, tmp_path: Path) -> None:
    wrong, accepted = [], 0
    for name in (name for name in FORMS if name.startswith(kind)):
        image = read(tmp_path, FORMS[name].data)
        if isinstance(image, GreyImage):
            accepted += 1
            # Alpha and colour are rounded to 8 bits one after the other: up to 2 levels.
            if np.abs(image.pixels - FORMS[name].grey).max() > 2:
                wrong.append(name)
    assert wrong == []
    assert accepted >= 8


@pytest.mark.parametrize(
    "name",
    [
        "tiff rgb 16 extra=None separate < strip ", "tiff rgb 16 extra=2 separate > tiles ",
        "tiff rgb 8 extra=None separate < strips deflated",
        "tiff separated 16 extra=None separate < strip ",
        "tiff by hand 0 8 planar=2 fill=1 deflate=False",
        "tiff by hand 1 16 planar=2 fill=1 deflate=False",
        "tiff by hand 3 4 planar=2 fill=1 deflate=False",
        "tiff by hand 0 1 planar=2 fill=1 deflate=False",
        "png colour=0 2 key", "png colour=0 4 key with high bits", "png colour=2 16 key",
        "png colour=2 8 key with high bits",
    ],
)  # fmt: skip
def test_forms_that_pillow_alone_misreads_or_refuses_are_read(name: str, tmp_path: Path) -> None:
    image = read(tmp_path, FORMS[name].data)
    assert isinstance(image, GreyImage), image
    assert np.abs(image.pixels - FORMS[name].grey).max() <= 1


@pytest.mark.parametrize(
    "name",
    [
        "tiff minisblack 8 extra=2 separate < strip deflated",
        "tiff rgb 8 extra=1 separate < strip deflated",
    ],
)
def test_layouts_that_pillow_misreads_are_refused(name: str, tmp_path: Path) -> None:
    error = read(tmp_path, FORMS[name].data)
    assert isinstance(error, ImageError)
    assert "found planes of grey with alpha" in str(error)
    assert "expected interleaved samples (PlanarConfiguration 1)" in str(error)


def test_planes_of_the_first_of_several_frames_are_read(tmp_path: Path) -> None:
    samples = draw(16, 3)
    file, planes = io.BytesIO(), np.moveaxis(samples, -1, 0).astype(np.uint16)
    with tifffile.TiffWriter(file) as writer:
        for frame in (planes, planes // 2):
            writer.write(frame, photometric="rgb", planarconfig="separate", metadata=None)
    image = read(tmp_path, file.getvalue())
    assert isinstance(image, GreyImage)
    assert image.frames == 2
    assert np.abs(image.pixels - luma(samples // 256)).max() <= 1


@pytest.mark.parametrize("tags", [{"t284": (2,)}, {"t284": (2,), "t257": (99,)}])
def test_missing_planes_and_rows_are_noticed(tags: dict[str, Any], tmp_path: Path) -> None:
    samples = draw(16, 3)[..., 0] if "t257" in tags else draw(16, 3)
    n = 1 if "t257" in tags else 3
    error = read(tmp_path, tiff(samples.astype("<u2").tobytes(), (16,) * n, n - (n > 1), **tags))
    assert "can't be decoded" in str(error)


def test_raw_subsampled_ycbcr_is_refused(tmp_path: Path) -> None:
    """Pillow would read the blocks of 2 × 2 pixels as pixels; bytes that follow hide it."""
    error = read(tmp_path, tiff(bytes(WIDTH * HEIGHT * 3), (8,) * 3, 6, t530=(2, 2)))
    assert "subsampled YCbCr" in str(error)


def test_a_second_decoder_finds_the_samples_that_were_written() -> None:
    for name, form in FORMS.items():
        if form.samples is None or "deflate=True" in name or "planar=2" in name:
            continue
        with tifffile.TiffFile(io.BytesIO(form.data)) as file:
            found = file.pages[0].asarray()  # type: ignore[union-attr]
        if " separate " in name:
            found = np.moveaxis(found, 0, -1)
        np.testing.assert_array_equal(found.reshape(form.samples.shape), form.samples, err_msg=name)


@pytest.mark.parametrize("kind", ["png", "bmp"])
def test_opencv_reads_the_same_grey(kind: str) -> None:
    """Colours of 8 bits, of forms without transparency, which OpenCV does not composite."""
    names = [n for n in FORMS if n.startswith(kind) and "key" not in n and "=4" not in n]
    for name in names:
        found = cv2.imdecode(np.frombuffer(FORMS[name].data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if "=6" in name:
            alpha = cv2.imdecode(np.frombuffer(FORMS[name].data, np.uint8), cv2.IMREAD_UNCHANGED)
            found = found * (alpha[..., 3:] / np.iinfo(alpha.dtype).max)
        assert np.abs(luma(found) - FORMS[name].grey).max() <= 2, name


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 98, "subsampling": 0}, {"quality": 98, "progressive": True},
        {"quality": 98, "keep_rgb": True}, {"quality": 98, "optimize": True},
    ],
)  # fmt: skip
def test_jpeg_agrees_with_opencv(options: dict[str, Any], tmp_path: Path) -> None:
    smooth = cv2.resize(
        draw(8, 3)[:5, :5].astype(np.uint8), (80, 64), interpolation=cv2.INTER_CUBIC
    )
    data = saved(smooth, "JPEG", **options)
    image = read(tmp_path, data)
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert isinstance(image, GreyImage)
    assert np.abs(image.pixels - luma(other)).max() <= 2


GREY_OR_COLOUR = ["L", "I;16", "RGB", "RGBA", "LA", "CMYK"]


@pytest.mark.parametrize(
    ("compression", "mode"),
    [
        ("group4", "1"),  # for bilevel images only
        ("jpeg", "L"),
        *((compression, mode)
          for compression in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd")
          for mode in GREY_OR_COLOUR),
    ],
)  # fmt: skip
def test_compressions_of_tiff_agree_with_no_compression(
    mode: str, compression: str, tmp_path: Path
) -> None:
    if mode == "I;16":
        source = Image.fromarray(draw(16, 1)[..., 0].astype(np.uint16))
    else:
        source = Image.fromarray(draw(8, 4).astype(np.uint8), "RGBA").convert("RGB").convert(mode)
    plain = read(tmp_path, saved(source, "TIFF"))
    image = read(tmp_path, saved(source, "TIFF", compression=compression))
    assert isinstance(image, GreyImage)
    assert isinstance(plain, GreyImage)
    assert np.abs(image.pixels.astype(int) - plain.pixels).max() <= (
        40 if compression == "jpeg" else 0
    )


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(FORMS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    st.floats(0, 1) | st.just(1.0),
    st.sampled_from(["start", "end", "anywhere"]),
)
def test_damaged_files_of_every_form_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, flips: list[tuple[float, int]],
    kept: float, where: str,
) -> None:  # fmt: skip
    damaged = bytearray(FORMS[name].data)
    n = len(damaged) if where == "anywhere" else min(len(damaged), 200)
    for place, mask in flips:
        damaged[int(place * n) - (n if where == "end" else 0)] ^= mask
    scratch = tmp_path_factory.getbasetemp() / "damaged"
    scratch.write_bytes(damaged[: round(kept * len(damaged))])
    try:
        image = read_image(scratch, max_pixels=10_000)
    except ImageError:
        return
    assert image.pixels.shape == (image.height, image.width)
    assert image.pixels.dtype == np.uint8
