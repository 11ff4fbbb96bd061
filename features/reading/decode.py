"""Decode a JPEG, PNG, TIFF or BMP file to grey pixels, or say why it can't be decoded."""

from __future__ import annotations

import codecs
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

MIN_SIDE = 16
AN_IMAGE = "a JPEG, PNG, TIFF or BMP image"
COPY_AGAIN = "copy it again from its source, or export it again as PNG"

# Opened by plugin and not by Image.open, which would hide the plugin's error message.
_OPENERS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "JPEG": jpeg_factory, "PNG": PngImageFile, "TIFF": TiffImageFile, "BMP": BmpImageFile,
}  # fmt: skip
_SIGNATURES = {
    (0, b"\xff\xd8\xff"): "JPEG", (0, b"\x89PNG\r\n\x1a\n"): "PNG", (0, b"BM"): "BMP",
    (0, b"II\x2a\x00"): "TIFF", (0, b"MM\x00\x2a"): "TIFF",
    (0, b"II\x2b\x00"): "TIFF", (0, b"MM\x00\x2b"): "TIFF",
    (0, b"GIF8"): "GIF", (8, b"WEBP"): "WebP", (4, b"ftypavif"): "AVIF", (4, b"ftyphei"): "HEIC",
    (4, b"jP  \r\n"): "JPEG 2000", (128, b"DICM"): "DICOM", (0, b"%PDF"): "PDF",
    (0, b"PK\x03\x04"): "ZIP", (0, b"\x1f\x8b"): "gzip",
}  # fmt: skip
_MODES_16 = frozenset({"I;16", "I;16B"})
_MODES = _MODES_16 | {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_REFUSED_MODES = {"F": "floating-point", "I": "32-bit or signed", "LAB": "CIELAB"}
_ORIENTATION, _ON_ITS_SIDE = 274, (5, 6, 7, 8)  # EXIF: rows are columns
_BITS, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 258, 262, 284, 339  # TIFF tags
_PILLOW = threading.Lock()


class Decoded(NamedTuple):
    """Grey pixels of shape (H, W), uint8, upright; width and height at full scale; frames."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    frames: int


class ImageError(ValueError):
    """A file is not a usable image; the message is one line that says why.

    Parameters
    ----------
    path : str
        The file, as shown to the user.
    found, expected, remedy : str
        What the file is, what it should be, and what to do.

    Examples
    --------
    >>> print(ImageError("a.jpg", "a folder", "a regular file", "remove it"))
    a.jpg: found a folder, but expected a regular file; remove it.
    """

    def __init__(self, path: str, found: str, expected: str, remedy: str) -> None:
        super().__init__(path, found, expected, remedy)
        self.path, self.found, self.expected, self.remedy = path, found, expected, remedy

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, but expected {self.expected}; {self.remedy}."


def _is_text(head: bytes) -> bool:
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def _format(data: bytes, shown: str) -> str:
    """Detect the format by its signature; reject formats that are not supported."""
    head = data[:512]
    if _is_text(head):
        raise ImageError(shown, "text", AN_IMAGE, "replace it by the image itself")
    names = (n for (offset, magic), n in _SIGNATURES.items() if head.startswith(magic, offset))
    name = next(names, None)
    if name is None:
        found = f"unknown content (first bytes {head[:4].hex(' ')})"
        raise ImageError(shown, found, AN_IMAGE, COPY_AGAIN)
    if name not in _OPENERS:
        raise ImageError(shown, f"{name} content", AN_IMAGE, "convert it to PNG")
    return name


def _tags(image: Image.Image) -> dict[int, Any]:
    """Return the tags of a TIFF; for other formats, only that black is zero."""
    return getattr(image, "tag_v2", {_PHOTOMETRIC: 1})


def _check_header(image: ImageFile.ImageFile, shown: str, max_pixels: int) -> None:
    width, height = image.size
    found = f"{width} × {height} pixels"
    if min(width, height) < MIN_SIDE:
        expected = f"at least {MIN_SIDE} × {MIN_SIDE}"
        raise ImageError(shown, found, expected, "use the image at its original size")
    if width * height > max_pixels:
        expected = f"at most {max_pixels:,} in all"
        raise ImageError(shown, found, expected, "reduce the image")
    tags = _tags(image)
    signed = set(tags.get(_SAMPLE_FORMAT, (1,))) != {1}
    if signed or image.mode not in _MODES:
        found = f"{_REFUSED_MODES.get(image.mode, 'signed' if signed else image.mode)} pixels"
        expected = "unsigned grey of 1, 8 or 16 bits, or colour"
        raise ImageError(shown, found, expected, "rescale it to 16-bit grey and save it as PNG")
    # load() would silently leave black where strips or tiles of a TIFF are missing.
    boxes = [tile.extents for tile in image.tile if tile.extents]
    covered = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if covered < width * height * (len(image.getbands()) if tags.get(_PLANAR) == 2 else 1):
        raise OSError("strips or tiles are missing")


def _scale_16_bit(image: Image.Image) -> NDArray[np.uint8]:
    tags = _tags(image)
    top = 4095 if tags.get(_BITS) == (12,) else 65535
    values = np.asarray(image).astype(np.uint32)
    if tags.get(_PHOTOMETRIC, 0) == 0:
        values = top - values
    values[values == image.info.get("transparency", -1)] = 0
    return ((values * 255 + top // 2) // top).astype(np.uint8)


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in _MODES_16:
        return _scale_16_bit(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", image.size)
        image.paste(rgba, mask=rgba)
    return np.array(image.convert("L"))


def _grey_jpeg(image: ImageFile.ImageFile, size: int | None) -> tuple[NDArray[np.uint8], int, int]:
    """Decode the luma, at reduced scale if that is enough; return the size at full scale, too."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE:
        width, height = height, width
    image.draft("L", (size, size) if size else None)
    ImageOps.exif_transpose(image, in_place=True)
    return _grey(image), width, height


@contextmanager
def _our_pillow(name: str) -> Iterator[None]:
    """Make Pillow reject truncated images, without its own size check and warnings.

    These are settings of the process, hence the lock; use processes to decode in parallel.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "TIFF":  # its tags are its header: a missing one may be the orientation
            warnings.filterwarnings("error", message=".*orrupt EXIF data")
        before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, None
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = before


def decode_grey(data: bytes, shown: str, max_pixels: int, size: int | None = None) -> Decoded:
    """Decode the first frame of an image.

    Parameters
    ----------
    data : bytes
        The whole file.
    shown : str
        Name of the file in messages.
    max_pixels : int
        Largest width × height, checked from the header.
    size : int, optional
        Side to which the image will be shrunk: a JPEG is decoded at the smallest of full, half,
        quarter and eighth scale at which both its sides have that many pixels.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        See :func:`features.reading.images.read_image`.
    """
    name = _format(data, shown)
    try:
        with _our_pillow(name):
            image = _OPENERS[name](io.BytesIO(data))
            _check_header(image, shown, max_pixels)
            if name == "PNG":  # load() skips the checksums, and verify() discards the image
                _OPENERS[name](io.BytesIO(data)).verify()
            frames = int(getattr(image, "n_frames", 1))
            if name == "JPEG":
                return Decoded(*_grey_jpeg(image, size), frames)
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _grey(image)
            height, width = pixels.shape
            return Decoded(pixels, width, height, frames)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        found = f"a {name} that can't be decoded ({reason})"
        expected = f"an undamaged {name} of a kind that Pillow reads"
        raise ImageError(shown, found, expected, COPY_AGAIN) from error
