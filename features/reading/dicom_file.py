"""Recognise DICOM files by their content, and read a few of their elements."""

from __future__ import annotations

import importlib.util
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from features.reading.decode import PROCESS_SETTINGS, ImageError, LargeImageError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

A_DICOM = "a DICOM file of a radiograph"
EXPORT_AGAIN = "export it again from its source"
INSTALL = (
    'install the extra: pip install -c constraints.txt -e ".[dicom]", or convert it to PNG, for '
    "example with DCMTK: dcmj2pnm +on2 +Wm IN.dcm OUT.png"
)
HEAD = 132  # bytes that tell a DICOM file
# Group 0002 or 0008 at the very beginning: a file without the preamble of 128 bytes.
_WITHOUT_PREAMBLE = (
    b"\x02\x00\x00\x00UL\x04\x00", b"\x02\x00\x01\x00OB", b"\x02\x00\x10\x00UI",
    b"\x08\x00\x00\x00UL\x04\x00", b"\x08\x00\x00\x00\x04\x00\x00\x00", b"\x08\x00\x05\x00",
    b"\x08\x00\x08\x00", b"\x08\x00\x16\x00", b"\x08\x00\x18\x00",
)  # fmt: skip
_DEFLATED = b"1.2.840.10008.1.2.1.99"


def is_dicom(data: bytes) -> bool:
    """Whether a file is DICOM, with or without the usual preamble.

    Parameters
    ----------
    data : bytes
        At least the first 132 bytes, if the file has them.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_dicom(bytes(128) + b"DICM"), is_dicom(b"BM")
    (True, False)
    """
    return data[128:132] == b"DICM" or data.startswith(_WITHOUT_PREAMBLE)


@cache
def can_read_dicom() -> bool:
    """Whether the extra ``dicom`` is installed."""
    try:
        return importlib.util.find_spec("pydicom") is not None
    except ModuleNotFoundError:
        return False


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence warnings of pydicom, which may quote values that identify a patient."""
    with PROCESS_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_elements(
    file: BinaryIO, shown: str, tags: Sequence[str], max_memory: int, *, pixels: bool
) -> FileDataset:
    """Read the named elements of a DICOM file, and no others: an error can't quote a name.

    Call it within :func:`quiet_pydicom`.

    Parameters
    ----------
    file : binary file
        Open at its beginning.
    shown : str
        Name of the file in messages.
    tags : sequence of str
        Keywords of the elements, or their numbers in hexadecimal.
    max_memory : int
        Most bytes that a deflated file may take.
    pixels : bool
        Whether to read on to the pixel data and beyond.

    Returns
    -------
    pydicom.dataset.FileDataset
        With a transfer syntax, guessed if the file does not name one.

    Raises
    ------
    ImageError
        If the file is damaged, or pydicom is missing.
    LargeImageError
        If it would take more than ``max_memory``.
    """
    if not can_read_dicom():
        raise ImageError(shown, "a DICOM file, which needs pydicom", "it to be installed", INSTALL)
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        _check_deflated(file, shown, max_memory)
        dataset = dcmread(file, force=True, specific_tags=list(tags), stop_before_pixels=not pixels)
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
        return dataset
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # its text may quote a value of the file
        found = f"a damaged DICOM file ({type(error).__name__})"
        raise ImageError(shown, found, A_DICOM, EXPORT_AGAIN) from None


def _check_deflated(file: BinaryIO, shown: str, max_memory: int) -> None:
    """Refuse a deflated file that takes too much memory before pydicom inflates it."""
    head = file.read(2048)
    file.seek(0)
    if head[128:132] != b"DICM" or _DEFLATED not in head:
        return
    # Group 0002 begins with its own length: 8 bytes of tag, type and size, then 4 of length.
    start = 144 + int.from_bytes(head[140:144], "little")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflater.decompress(file.read()[start:], max_memory)
    file.seek(0)
    if inflater.unconsumed_tail:
        found = f"a deflated file that takes more than {max_memory / 2**20:,.0f} MiB"
        raise LargeImageError(shown, found, "less", "reduce the image")
