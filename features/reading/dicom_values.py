"""What the stored bits of a DICOM file's pixels mean, after its look-up tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

EMBEDDED_OVERLAY = "60000102"  # position of an overlay's bit in the pixels
PALETTE = "PALETTE COLOR"
LUMA = np.array([19595, 38470, 7471], dtype=np.int64)  # of 2**16, as in Pillow

Stored = NDArray[np.unsignedinteger[Any]]


def possible_bits(dtype: np.dtype[Any]) -> Stored:
    """List all values of an unsigned type.

    Parameters
    ----------
    dtype : uint8 or uint16

    Returns
    -------
    ndarray of shape (256,) or (65536,)
    """
    return np.arange(2 ** (8 * dtype.itemsize), dtype=dtype)


def pixel_values(dataset: Dataset, dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Compute what each possible stored value means after all look-up tables.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
        Of one sample per pixel.
    dtype : uint8 or uint16
        Of the stored bits.

    Returns
    -------
    values : ndarray of shape (256,) or (65536,)
        By stored bits: after the Modality LUT or rescaling, then the first VOI LUT or the first
        window; luma for a palette.
    bits : int
        Of the values, as the last step declares them. Rescaled values may exceed them.
    """
    values: NDArray[Any] = _numbers(dataset, dtype)
    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == PALETTE:
        return _palette(dataset, values)
    if dataset.get("ModalityLUTSequence"):
        values, bits = _look_up(dataset.ModalityLUTSequence[0], "LUT", values, dataset)
    elif dataset.get("RescaleSlope") is not None and dataset.get("RescaleIntercept") is not None:
        values = values * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    if dataset.get("VOILUTSequence"):
        return _look_up(dataset.VOILUTSequence[0], "LUT", values, dataset)
    if dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        return _window(dataset, values) * (2**bits - 1), bits
    return values, bits


def _window(dataset: Dataset, values: NDArray[Any]) -> NDArray[np.float64]:
    """Apply the first window; return values in [0, 1] (PS3.3 C.11.2.1)."""
    centre, width = (
        float(np.atleast_1d(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth")
    )
    kind = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if not width > 0 or (kind == "LINEAR" and width < 1):
        raise ValueError(f"a window of width {width:g}")
    if kind == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if kind == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-9)
    elif kind != "LINEAR_EXACT":
        raise ValueError(f"the window function {kind[:16]}")
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _numbers(dataset: Dataset, dtype: np.dtype[Any]) -> NDArray[np.int64]:
    """Interpret all possible stored bits as numbers."""
    raw = possible_bits(dtype)
    unused = 8 * dtype.itemsize - int(dataset.BitsStored)
    if int(dataset.get("PixelRepresentation") or 0):
        signed = raw.view(f"i{dtype.itemsize}")
        return ((signed << unused) >> unused).astype(np.int64)
    if has_embedded_overlay(dataset):
        return (raw & (2 ** int(dataset.BitsStored) - 1)).astype(np.int64)
    return raw.astype(np.int64)


def _look_up(
    item: Dataset, name: str, values: NDArray[Any], dataset: Dataset
) -> tuple[NDArray[np.int64], int]:
    """Apply a look-up table; values outside it become its first or last entry."""
    length, first, bits = (int(number) for number in item[f"{name}Descriptor"].value)
    length = length or 2**16
    data: Any = item[f"{name}Data"].value
    if isinstance(data, bytes):
        order = "<" if dataset.original_encoding[1] else ">"
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * length else f"{order}u2")
        bits = min(bits, 8 * data.itemsize)
    table = np.atleast_1d(np.asarray(data, dtype=np.int64))[:length]
    if len(table) < length:
        raise ValueError(f"a look-up table has {len(table)} of {length} entries")
    return table[np.clip(np.rint(values).astype(np.int64) - first, 0, length - 1)], bits


def _palette(dataset: Dataset, values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    names = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
    if f"{names[0]}Data" not in dataset:
        raise ValueError("a segmented palette, or none")
    tables = [_look_up(dataset, name, values, dataset) for name in names]
    channels = np.stack([table for table, _ in tables], axis=-1)
    return (channels @ LUMA + 2**15) >> 16, max(bits for _, bits in tables)


def padding_bits(dataset: Dataset, dtype: np.dtype[Any]) -> NDArray[np.bool_]:
    """Tell which of the possible stored bits are padding.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset
    dtype : uint8 or uint16
        Of the stored bits.

    Returns
    -------
    ndarray of shape (256,) or (65536,), bool
    """
    raw = possible_bits(dtype)
    limits = [dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")]
    if limits[0] is None or dataset.SamplesPerPixel != 1:
        return np.zeros(len(raw), dtype=bool)
    signed = bool(int(dataset.get("PixelRepresentation") or 0))
    kind = np.dtype(f"{'i' if signed else 'u'}{dtype.itemsize}")
    # A value of the wrong sign has the same bits.
    ends = [np.int64(limit).astype(kind) for limit in limits if limit is not None]
    return (raw.view(kind) >= min(ends)) & (raw.view(kind) <= max(ends))


def has_embedded_overlay(dataset: Dataset) -> bool:
    """Whether unused bits of the pixels hold an overlay, as files of the 1990s have it.

    Parameters
    ----------
    dataset : pydicom.dataset.Dataset

    Returns
    -------
    bool
    """
    tag = int(EMBEDDED_OVERLAY, 16)
    return tag in dataset and bool(int(dataset[tag].value or 0))
