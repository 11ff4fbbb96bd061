"""DICOM files: what the pixels mean, which files are refused, and what messages say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from features.reading import dicom_file
from features.reading.depth import grey_levels
from features.reading.images import GreyImage, ImageError, LargeImageError, read_image
from tests.features.reading.made_dicom import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    LOSSLESS,
    NATIVE,
    compressed,
    dicom,
    look_up_table,
)

pydicom = pytest.importorskip("pydicom", reason="needs the extra dicom")
from pydicom import dcmread  # noqa: E402
from pydicom.data import get_testdata_file  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402

Read = Callable[..., GreyImage]
RAMP = np.linspace(0, 4095, 40 * 30).reshape(40, 30).astype(np.uint16)  # 12 bits
GREY = (RAMP // 16).astype(np.uint8)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_data(data: bytes, name: str = "image.dcm", **options: Any) -> GreyImage:
        (tmp_path / name).write_bytes(data)
        return read_image(tmp_path / name, root=tmp_path, **options)

    return read_data


def reduced(values: NDArray[Any]) -> NDArray[np.uint8]:
    """The grey of a deep image by the rule for 16-bit files."""
    found, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return grey_levels(found, counts)[places].reshape(values.shape)


# Transfer syntaxes


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("pixels", [RAMP, GREY], ids=["12 bits", "8 bits"])
def test_every_native_syntax_gives_the_same_pixels(
    syntax: str, pixels: NDArray[Any], read: Read
) -> None:
    image = read(dicom(pixels, 12 if pixels is RAMP else 8, NATIVE[syntax]))
    np.testing.assert_array_equal(image.pixels, reduced(RAMP) if pixels is RAMP else GREY)
    assert (image.width, image.height, image.frames) == (30, 40, 1)
    assert (image.format, image.mode) == ("DICOM", "MONOCHROME2")
    assert image.bits == (12 if pixels is RAMP else 8)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_lossless_syntax_gives_the_same_pixels(
    syntax: str, bits: int, read: Read, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 2**bits, (40, 30)).astype(np.uint8 if bits == 8 else np.uint16)
    native = dicom(pixels, bits)
    data = compressed(native, LOSSLESS[syntax], tmp_path)
    assert data != native
    np.testing.assert_array_equal(read(data).pixels, read(native).pixels)


def test_baseline_jpeg_is_decoded(read: Read, tmp_path: Path) -> None:
    image = read(compressed(dicom(GREY), JPEG, tmp_path))
    assert np.abs(image.pixels.astype(int) - GREY).max() <= 8


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("JPGExtended.dcm", "'JPEG Extended' for samples with 12-bit precision"),
        ("SC_rgb_rle_32bit.dcm", "32 stored bits of 32"),
        ("liver_1frame.dcm", "1 stored bits of 1"),
        ("reportsi.dcm", "without pixels \\(Basic Text SR Storage\\)"),
        ("rtplan.dcm", "without pixels \\(RT Plan Storage\\)"),
        ("MR_truncated.dcm", "8130 vs 8192 bytes"),
        ("SC_rgb_small_odd.dcm", "3 × 3 pixels"),
    ],
)
def test_files_that_pydicom_ships_are_refused_by_name(file: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(Path(get_testdata_file(file, download=False)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
         "MR_small_expb.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"],
        ["SC_rgb_rle.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"],
    ],
    ids=["grey", "colour"],
)  # fmt: skip
def test_forms_of_one_image_that_pydicom_ships_are_read_alike(names: list[str]) -> None:
    first, *others = (
        read_image(Path(get_testdata_file(name, download=False))).pixels for name in names
    )
    for pixels in others:
        np.testing.assert_allclose(pixels.astype(int), first.astype(int), atol=1)


def test_a_syntax_without_a_decoder_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "video.dcm"
    path.write_bytes(dicom(GREY))
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    dataset.PixelData = encapsulate([b"\0\0\0\1"])
    dataset.save_as(path)
    with pytest.raises(ImageError, match=r"compressed as MPEG-4 .* expected no compression, RLE"):
        read_image(path)


# The meaning of pixels


def test_pixels_of_8_bits_without_a_window_are_those_of_a_png(read: Read, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 120, (40, 30), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "same.png")
    np.testing.assert_array_equal(
        read(dicom(noise)).pixels, read_image(tmp_path / "same.png").pixels
    )


def test_rescaling_and_windows_are_applied_in_order(read: Read) -> None:
    image = read(
        dicom(RAMP, 12, RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="3000.5",
              WindowWidth="2001")
    )  # fmt: skip
    hounsfield = RAMP.astype(float) * 2 - 1000
    shown = np.clip((hounsfield - 3000) / 2000 + 0.5, 0, 1)
    np.testing.assert_allclose(image.pixels, shown * 255, atol=0.6)


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_functions_of_windows(function: str, read: Read) -> None:
    image = read(
        dicom(RAMP, 12, WindowCenter=["2000", "100"], WindowWidth=["1500", "7"],
              VOILUTFunction=function)
    )  # fmt: skip
    x = (RAMP.astype(float) - 2000) / 1500
    shown = np.clip(x + 0.5, 0, 1) if function == "LINEAR_EXACT" else 1 / (1 + np.exp(-4 * x))
    np.testing.assert_allclose(image.pixels, shown * 255, atol=1.1)


def test_a_window_of_8_bits_keeps_its_grey_levels(read: Read) -> None:
    image = read(dicom(GREY, WindowCenter="64", WindowWidth="128"))
    shown = np.clip((GREY.astype(float) - 63.5) / 127 + 0.5, 0, 1) * 255
    np.testing.assert_allclose(image.pixels, shown, atol=0.6)


def test_look_up_tables_are_applied_in_order_and_before_windows(read: Read) -> None:
    squared = (np.arange(4096) ** 2 // 4096).tolist()
    reverse = (4095 - np.arange(4096)).tolist()
    image = read(
        dicom(RAMP, 12, ModalityLUTSequence=[look_up_table(squared, bits=12)],
              VOILUTSequence=[look_up_table(reverse, bits=12)], WindowCenter="1", WindowWidth="1")
    )  # fmt: skip
    values = 4095 - RAMP.astype(int) ** 2 // 4096
    np.testing.assert_allclose(image.pixels, values / 4095 * 255, atol=0.6)


def test_a_look_up_table_from_12_to_8_bits_and_its_first_value(read: Read) -> None:
    table = look_up_table((np.arange(2048) // 8).tolist(), first=1000, bits=8)
    image = read(dicom(RAMP, 12, VOILUTSequence=[table]))
    np.testing.assert_array_equal(image.pixels, np.clip(RAMP.astype(int) - 1000, 0, 2047) // 8)


def test_signed_values(read: Read) -> None:
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    image = read(dicom(signed, 12, WindowCenter="0", WindowWidth="4096"))
    np.testing.assert_allclose(image.pixels, RAMP / 4095 * 255, atol=0.6)


def test_monochrome1_is_inverted(read: Read) -> None:
    inverted = read(dicom(4095 - RAMP, 12, PhotometricInterpretation="MONOCHROME1")).pixels
    np.testing.assert_allclose(inverted.astype(int), read(dicom(RAMP, 12)).pixels, atol=1)
    image = read(dicom(255 - GREY, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(image.pixels, GREY)
    assert image.mode == "MONOCHROME1"


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", [0, 30_000, 65_535, -1])
def test_padding_is_black_and_takes_no_contrast(photometric: str, padding: int, read: Read) -> None:
    pixels = np.random.default_rng(0).integers(1000, 3000, (40, 30)).astype(np.uint16)
    pixels[:10] = padding % 2**16
    options = {"PhotometricInterpretation": photometric, "PixelPaddingValue": padding % 2**16}
    image = read(dicom(pixels, 16, **options))
    assert (image.pixels[:10] == 0).all()
    alone = read(dicom(pixels[10:], 16, PhotometricInterpretation=photometric)).pixels
    np.testing.assert_array_equal(image.pixels[10:], alone)


def test_a_range_of_padding(read: Read) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (40, 30)).astype(np.uint8)
    pixels[:5] = np.arange(240, 255)[:5, None]
    image = read(dicom(pixels, PixelPaddingValue=255, PixelPaddingRangeLimit=240))
    assert (image.pixels[:5] == 0).all()
    np.testing.assert_array_equal(image.pixels[5:], pixels[5:])


def test_signed_padding(read: Read) -> None:
    signed = (RAMP.astype(np.int16) - 2048).astype(np.int16)
    signed[0] = -2000
    image = read(dicom(signed, 16, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-2048))
    assert (image.pixels[0] == 0).all()


def test_the_first_of_several_frames(read: Read) -> None:
    image = read(dicom(np.stack([RAMP, RAMP[::-1], RAMP * 0]), 12))
    assert image.frames == 3
    np.testing.assert_array_equal(image.pixels, reduced(RAMP))


def test_colour_becomes_luma(read: Read, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "same.png")
    image = read(dicom(rgb, PhotometricInterpretation="RGB"))
    np.testing.assert_array_equal(image.pixels, read_image(tmp_path / "same.png").pixels)
    deep = read(dicom(rgb.astype(np.uint16) * 257, PhotometricInterpretation="RGB"))
    np.testing.assert_allclose(deep.pixels.astype(int), image.pixels, atol=1)


def test_a_palette_becomes_luma(read: Read) -> None:
    palettes = np.random.default_rng(0).integers(0, 256, (3, 256), dtype=np.uint8)
    colours = dict(zip(("Red", "Green", "Blue"), palettes, strict=True))
    options: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, palette in colours.items():
        options[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        options[f"{name}PaletteColorLookupTableData"] = palette.tobytes()
    expected = np.array([0.299, 0.587, 0.114]) @ palettes[:, GREY.ravel()]
    np.testing.assert_allclose(read(dicom(GREY, **options)).pixels.ravel(), expected, atol=0.6)


# Refusals


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (RAMP * 0, {}, "all padding or of one value"),
        (RAMP * 0 + 7, {"PixelPaddingValue": 7}, "all padding or of one value"),
        (RAMP, {"WindowCenter": "-5000", "WindowWidth": "100"}, "window or look-up table gives"),
        (RAMP, {"WindowCenter": "50", "WindowWidth": "0"}, "a window of width 0"),
        (RAMP, {"PhotometricInterpretation": "HSV"}, "1 samples of photometric .* 'HSV'"),
        (RAMP, {"BitsStored": 10, "HighBit": 9}, "values beyond the 10 bits"),
        (RAMP, {"BitsStored": 12, "HighBit": 15}, "12 stored bits of 16, up to bit 15"),
        (RAMP[:10], {}, "30 × 10 pixels, but expected at least 16 × 16"),
        (RAMP, {"Rows": 50}, "bytes of pixel data is less than expected"),
        (RAMP, {"VOILUTSequence": [look_up_table([1, 2], LUTDescriptor=[9, 0, 8])]}, "2 of 9|4 of"),
    ],
)  # fmt: skip
def test_refusals_say_why(
    pixels: NDArray[Any], options: dict[str, Any], reason: str, read: Read
) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read(dicom(pixels, None if "BitsStored" in options else 16, **options))
    assert str(caught.value).startswith("image.dcm: found ")
    assert "Doe" not in str(caught.value)


def test_an_embedded_overlay_is_masked(tmp_path: Path) -> None:
    drawn, path = RAMP.copy(), tmp_path / "image.dcm"
    drawn[5:9] |= 2**14
    path.write_bytes(dicom(drawn, 12))
    dataset = dcmread(path)
    dataset.add_new(0x60000102, "US", 14)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_image(path).pixels, reduced(RAMP))


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED, *LOSSLESS.values()])
def test_every_truncation_is_refused(syntax: str, read: Read, tmp_path: Path) -> None:
    native = syntax in (EXPLICIT, DEFLATED)
    data = dicom(RAMP, 12, syntax if native else EXPLICIT)
    data = data if native else compressed(data, syntax, tmp_path)
    # Without the last, empty item, or the byte that pads deflated data.
    end = len(data) - (8 if not native else 2 if syntax == DEFLATED else 0)
    for length in range(end - 1, 400, -max(1, end // 40)):
        with pytest.raises(ImageError, match=r"DICOM|unknown"):
            read(data[:length])


def test_damaged_files_are_read_or_refused_without_quoting_them(read: Read, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    messages = []
    for syntax in (EXPLICIT, IMPLICIT, LOSSLESS["RLE"], LOSSLESS["JPEG 2000"]):
        native = syntax in NATIVE.values()
        data = dicom(RAMP, 12, syntax if native else EXPLICIT)
        data = data if native else compressed(data, syntax, tmp_path)
        for position in rng.integers(132, len(data), 25):
            damaged = bytearray(data)
            damaged[position] ^= rng.integers(1, 256)
            try:
                read(bytes(damaged))
            except ImageError as error:
                messages.append(str(error))
    assert len(messages) > 5
    assert not [message for message in messages if "Doe" in message or "MRN" in message]


def test_large_images_are_declined_before_they_are_decoded(read: Read) -> None:
    data = dicom(RAMP, 12)
    with pytest.raises(LargeImageError, match="30 × 40 pixels that take 0 MiB"):
        read(data, max_memory=len(data) + 100)
    with pytest.raises(ImageError, match="30 × 40 pixels, but expected at most 1,199 in all"):
        read(data, max_pixels=1199)


def test_a_deflated_file_is_not_inflated_without_limit(read: Read) -> None:
    data = dicom(np.zeros((2000, 2000), np.uint16), 16, DEFLATED)
    assert len(data) < 20_000
    with pytest.raises(LargeImageError, match="a deflated file that takes more than 1 MiB"):
        read(data, max_memory=2**20)


# Recognised by content; without the extra, the message names it


@pytest.mark.parametrize("name", ["a.jpeg", "a", "a.dcm", "a.png"])
def test_dicom_is_recognised_by_its_content(name: str, read: Read) -> None:
    np.testing.assert_array_equal(read(dicom(GREY), name).pixels, GREY)


def test_files_without_preamble_are_read(read: Read) -> None:
    for syntax in (IMPLICIT, EXPLICIT):
        data = dicom(GREY, 8, syntax)
        np.testing.assert_array_equal(read(data[132:]).pixels, GREY)  # from group 0002
        start = 144 + int.from_bytes(data[140:144], "little")
        np.testing.assert_array_equal(read(data[start:]).pixels, GREY)  # from group 0008


@pytest.mark.parametrize(
    "data",
    [
        bytes(128) + b"DICM" + bytes(9),
        b"II\x2a\0\x08\0\0\0" + bytes(120) + b"DICM\x02\0\0\0UL\x04\0",
        b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100",
    ],
    ids=["empty", "that starts like a TIFF", "without preamble"],
)
def test_broken_dicom_is_named_so(data: bytes, read: Read) -> None:
    with pytest.raises(ImageError, match="found a (damaged )?DICOM file"):
        read(data)


def test_without_pydicom_the_message_names_the_extra(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_file, "can_read_dicom", lambda: False)
    with pytest.raises(ImageError, match=r'needs pydicom.*pip install -c .* -e "\.\[dicom\]"'):
        read(dicom(GREY), "a.jpeg")


@pytest.mark.slow
def test_other_formats_do_not_import_pydicom(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path; from features.reading.images import read_image; "
        f"read_image(Path({str(tmp_path / 'a.png')!r})); print('pydicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
