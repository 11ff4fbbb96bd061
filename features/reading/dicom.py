"""Decode the first frame of a DICOM file to grey pixels, or say why it can't be decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.reading.decode import MIN_SIDE, Decoded, ImageError, LargeImageError
from features.reading.depth import grey_levels
from features.reading.dicom_file import (
    A_DICOM,
    EXPORT_AGAIN,
    quiet_pydicom,
    read_elements,
)
from features.reading.dicom_values import (
    EMBEDDED_OVERLAY,
    LUMA,
    PALETTE,
    Stored,
    has_embedded_overlay,
    padding_bits,
    pixel_values,
    possible_bits,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TAGS = (
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence",
    "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction",
    *[f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue")
      for part in ("Descriptor", "Data")],
    *[f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")],
    "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "PixelData",
)  # fmt: skip
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_CONVERT = "convert it to PNG, for example with DCMTK: dcmj2pnm +on2 +Wm IN.dcm OUT.png"
_BLOCK = 2**20  # pixels that are counted at once
_END_OF_IMAGE = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000


def decode_dicom(data: bytes, shown: str, max_pixels: int, max_memory: int) -> Decoded:
    """Decode the first frame of a DICOM file.

    Parameters
    ----------
    data : bytes
        The whole file.
    shown : str
        Name of the file in messages.
    max_pixels : int
        Largest width × height, checked before pixels are decoded.
    max_memory : int
        Most bytes that decoding may take, estimated before pixels are decoded.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        If pydicom is missing; if the file has no pixels, pixels of more than 16 bits or of
        floating point, or of a colour space or compression that can't be decoded; if it is
        damaged, truncated, too small or too large; or if all its pixels have one value.
    LargeImageError
        If decoding would take more than ``max_memory``.

    Notes
    -----
    The steps of DICOM's grey-scale pipeline (PS3.4 N.2), computed for each value that a stored
    pixel may have: the Modality LUT or the rescale slope and intercept; the first VOI LUT,
    otherwise the first window; reduction to 8 bits
    (:func:`features.reading.depth.grey_levels`), unless the result has at most 8 bits already;
    inversion of MONOCHROME1. Padding (Pixel Padding Value and Range Limit) is black and does not
    count. Colour is converted to luma. Overlays and presentation states are ignored.
    """
    try:
        with quiet_pydicom():
            dataset = read_elements(
                io.BytesIO(data), shown, [*_TAGS, EMBEDDED_OVERLAY], max_memory, pixels=True
            )
            _check_header(dataset, shown, max_pixels)
            _check_memory(dataset, len(data), shown, max_memory)
            _check_syntax(dataset, shown)
            grey = _grey(dataset, _first_frame(dataset, shown), shown)
            return Decoded(
                grey, int(dataset.Columns), int(dataset.Rows), _frames(dataset), "DICOM",
                str(dataset.PhotometricInterpretation), int(dataset.BitsStored),
            )  # fmt: skip
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # pydicom and its decoders raise almost anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        found = f"a DICOM file that can't be decoded ({reason})"
        raise ImageError(shown, found, A_DICOM, EXPORT_AGAIN) from error


def _frames(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _check_header(dataset: Dataset, shown: str, max_pixels: int) -> None:
    def refuse(found: str, expected: str = A_DICOM, remedy: str = _CONVERT) -> None:
        raise ImageError(shown, found, expected, remedy)

    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        refuse("a DICOM file with floating-point pixels", "whole numbers")
    if "PixelData" not in dataset:
        kind = dataset.get("SOPClassUID")
        known = f" ({kind.name})" if kind and kind.type == "SOP Class" else ""
        refuse(f"a DICOM file without pixels{known}, or a truncated one", remedy=EXPORT_AGAIN)
    allocated, used = int(dataset.BitsAllocated), int(dataset.BitsStored)
    high = dataset.get("HighBit")
    if allocated not in (8, 16) or not 1 <= used <= allocated or high not in (None, used - 1):
        found = f"{used} stored bits of {allocated}, up to bit {high}"
        refuse(found, "8 or 16 bits, filled from bit 0")
    colours, samples = str(dataset.PhotometricInterpretation), int(dataset.SamplesPerPixel)
    if (colours, samples) not in {
        *((c, 1) for c in (*_GREY, PALETTE)),
        *((c, 3) for c in _COLOUR),
    }:
        listed = ", ".join((*_GREY, PALETTE, *_COLOUR))
        refuse(f"{samples} samples of photometric interpretation {colours[:16]!r}", listed)
    width, height = int(dataset.Columns), int(dataset.Rows)
    found = f"{width} × {height} pixels"
    if min(width, height) < MIN_SIDE:
        remedy = "use the image at its original size"
        refuse(found, f"at least {MIN_SIDE} × {MIN_SIDE}", remedy)
    if width * height > max_pixels:
        refuse(found, f"at most {max_pixels:,} in all", "reduce the image")


def _check_memory(dataset: Dataset, n_bytes: int, shown: str, limit: int) -> None:
    """Estimate the bytes that decoding takes: file, pixel data, copies of the frame, grey."""
    each = int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) // 8
    # GDCM passes frames to Python as text: its own copy, two bytes for each byte, and two more.
    copies = 6 if dataset.file_meta.TransferSyntaxUID.is_encapsulated else 2
    pixels = int(dataset.Rows) * int(dataset.Columns)
    needed = n_bytes + len(dataset.PixelData) + pixels * (copies * each + 3)
    if needed > limit:
        found = f"{dataset.Columns} × {dataset.Rows} pixels"
        found = f"{found} that take {needed / 2**20:,.0f} MiB to decode"
        expected = f"at most {limit / 2**20:,.0f} MiB"
        raise LargeImageError(shown, found, expected, "reduce the image")


def _check_syntax(dataset: Dataset, shown: str) -> None:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        found = f"a DICOM file compressed as {syntax.name[:80]}"
        expected = "no compression, RLE, JPEG, JPEG-LS or JPEG 2000"
        raise ImageError(shown, found, expected, _CONVERT)


def _first_frame(dataset: Dataset, shown: str) -> Stored:
    """Decode the first frame: its stored bits, as unsigned numbers."""
    from pydicom.encaps import get_frame
    from pydicom.pixels import pixel_array
    from pydicom.uid import RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax != RLELossless:
        frame = get_frame(dataset.PixelData, 0, number_of_frames=_frames(dataset))
        if _END_OF_IMAGE not in frame[-64:]:  # a decoder would fill the rest with grey
            found = f"a truncated DICOM file ({syntax.name} without its end)"
            raise ImageError(shown, found, A_DICOM, EXPORT_AGAIN)
    pixels = pixel_array(dataset, index=0, correct_unused_bits=False)
    native = np.asarray(pixels, pixels.dtype.newbyteorder("="))
    return native.view(f"u{pixels.dtype.itemsize}")


def _luma(colour: Stored) -> Stored:
    """Convert RGB of shape (H, W, 3) to grey of the same depth, in blocks of rows."""
    grey = np.empty(colour.shape[:2], colour.dtype)
    rows = max(1, _BLOCK // colour.shape[1])
    for top in range(0, len(grey), rows):
        block = colour[top : top + rows].astype(np.int64)
        grey[top : top + rows] = (block @ LUMA + 2**15) >> 16
    return grey


def _grey(dataset: Dataset, stored: Stored, shown: str) -> NDArray[np.uint8]:
    """Map the stored bits of a frame to grey levels."""
    if stored.ndim == 3:
        stored = _luma(stored)
        values: NDArray[Any] = possible_bits(stored.dtype).astype(np.float64)
        bits = 8 * stored.dtype.itemsize
    else:
        values, bits = pixel_values(dataset, stored.dtype)
    padding = padding_bits(dataset, stored.dtype)
    flat = stored.reshape(-1)
    counts = np.zeros(len(values), dtype=np.int64)
    for start in range(0, flat.size, _BLOCK):
        counts += np.bincount(flat[start : start + _BLOCK], minlength=len(values))
    counts[padding] = 0
    _check_used(values, counts > 0, shown, dataset)
    table = _levels(values, counts, bits)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 255 - table
    table[padding] = 0
    grey = np.empty(flat.size, dtype=np.uint8)
    for start in range(0, flat.size, _BLOCK):
        grey[start : start + _BLOCK] = table[flat[start : start + _BLOCK]]
    return grey.reshape(stored.shape)


def _levels(values: NDArray[Any], counts: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Choose grey levels: those of at most 8 bits as they are, others by the range they fill."""
    used, top = values[counts > 0], 2.0**bits - 1
    if bits > 8 or used.min() < 0 or used.max() > top:
        return grey_levels(values, counts)
    return np.floor(np.clip(values, 0, top) * 255 / top + 0.5).astype(np.uint8)


def _check_used(
    values: NDArray[Any], used: NDArray[np.bool_], shown: str, dataset: Dataset
) -> None:
    """Refuse blank images and values that the header does not allow."""
    if used.sum() < 2:
        found = "a DICOM file whose pixels are all padding or of one value"
        raise ImageError(shown, found, A_DICOM, EXPORT_AGAIN)
    if np.ptp(values[used]) == 0:
        found = "a DICOM file whose window or look-up table gives all pixels one value"
        raise ImageError(shown, found, A_DICOM, _CONVERT)
    stored = int(dataset.BitsStored)
    grey, signed = dataset.SamplesPerPixel == 1, int(dataset.get("PixelRepresentation") or 0)
    if grey and not signed and not has_embedded_overlay(dataset) and used[2**stored :].any():
        found = f"pixel values beyond the {stored} bits that the header names"
        raise ImageError(shown, found, A_DICOM, EXPORT_AGAIN)
