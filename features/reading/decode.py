"""Decode a JPEG, PNG, TIFF or BMP file to grey pixels, or say why it can't be decoded."""

from __future__ import annotations

import codecs
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile, jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from features.reading.depth import grey_levels

MIN_SIDE = 16
AN_IMAGE = "a JPEG, PNG, TIFF, BMP or DICOM image"
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
    (4, b"jP  \r\n"): "JPEG 2000", (0, b"%PDF"): "PDF",
    (0, b"PK\x03\x04"): "ZIP", (0, b"\x1f\x8b"): "gzip",
}  # fmt: skip
_MODES_16 = frozenset({"I;16", "I;16B"})
_MODES = _MODES_16 | {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_REFUSED_MODES = {"F": "floating-point", "I": "32-bit or signed", "LAB": "CIELAB"}
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}  # of a pixel in Pillow; 4 otherwise
_ORIENTATION, _ON_ITS_SIDE = 274, (5, 6, 7, 8)  # EXIF: rows are columns
_BITS, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 258, 262, 284, 339  # TIFF tags
_EXTRA_SAMPLES, _SUBSAMPLING = 338, 530
_LAYOUT = "planes of grey with alpha, of YCbCr or of premultiplied colour, or subsampled YCbCr"
_ROWS_OF_STRIP, _TILE_WIDTH, _TILE_LENGTH = 278, 322, 323
_BLOCK = 2**20  # pixels that are converted to grey at once
_OUT_OF_MEMORY = re.compile("out of memory|insufficient memory|failed to allocate", re.IGNORECASE)
PROCESS_SETTINGS = threading.Lock()  # of Pillow and of warnings


class Decoded(NamedTuple):
    """Grey pixels of shape (H, W), uint8, upright, and what the file is.

    ``width`` and ``height`` are at full scale. ``format``, ``mode`` (of the pixels, in Pillow's
    words: L, RGB, …; of DICOM, the photometric interpretation) and ``bits`` (of a sample) are as
    stored.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    frames: int
    format: str = ""
    mode: str = ""
    bits: int = 8


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


class LargeImageError(ImageError):
    """Reading an image would take more memory than allowed."""


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


def _misread(image: ImageFile.ImageFile, tags: dict[int, Any]) -> bool:
    """Whether Pillow would misread the layout of a TIFF without raising an error."""
    colours, extra = tags.get(_PHOTOMETRIC, 0), set(tags.get(_EXTRA_SAMPLES, ()))
    if tags.get(_PLANAR) == 2 and (colours == 6 or len(image.getbands()) == 2 or extra - {0, 2}):
        return True
    whole = tags.get(_SUBSAMPLING, (1, 1)) == (1, 1)
    return colours == 6 and image.info.get("compression") == "raw" and not whole


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
    if _misread(image, tags):
        expected = "interleaved samples (PlanarConfiguration 1), or planes of RGB or CMYK"
        raise ImageError(shown, _LAYOUT, expected, COPY_AGAIN)
    # load() would silently leave black where strips or tiles of a TIFF are missing; libtiff raises.
    if image.tile and image.tile[0].codec_name == "libtiff":
        return
    boxes = [tile.extents for tile in image.tile if tile.extents]
    covered = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if covered < width * height * (len(image.getbands()) if tags.get(_PLANAR) == 2 else 1):
        raise OSError("strips or tiles are missing")


def _open(name: str, data: bytes) -> ImageFile.ImageFile:
    """Open an image; planes that Pillow would unpack wrongly are left to libtiff.

    Pillow takes the first letter of its raw mode for the format of a plane: R of RGB;16L, 8 bits.
    """
    image = _OPENERS[name](io.BytesIO(data))
    tags = _tags(image)
    bits = set(tags.get(_BITS, (1,)))
    if tags.get(_PLANAR) != 2 or (len(image.getbands()) > 1 and bits == {8}):
        return image
    TiffImagePlugin.READ_LIBTIFF = True  # until the image is read: to seek is to open again
    return _OPENERS[name](io.BytesIO(data))


def _memory(image: ImageFile.ImageFile, n_bytes: int) -> int:
    """Estimate the bytes that decoding takes at most: file, decoder, image of Pillow, grey."""
    width, height = image.size
    tags, codec = _tags(image), image.tile[0].codec_name if image.tile else ""
    each = _BYTES.get(image.mode, 4)
    if tags.get(_ORIENTATION, 1) != 1:  # Pillow rotates the decoded image of a TIFF
        each *= 2
    each += 2  # grey, and grey upright
    if _key_of_16_bits(image):
        each += 8
    pixels = width * height * each
    if codec == "libtiff":
        rows = tags.get(_TILE_LENGTH) or min(tags.get(_ROWS_OF_STRIP, height), height)
        across = max(width, tags.get(_TILE_WIDTH, 0))
        pixels += int(rows) * int(across) * (sum(tags.get(_BITS, (1,))) + 7) // 8
    copies = 2 if codec == "libtiff" or image.format == "PNG" else 1
    return copies * n_bytes + pixels


def _check_memory(
    image: ImageFile.ImageFile, full: tuple[int, int], n_bytes: int, shown: str, limit: int
) -> None:
    needed = _memory(image, n_bytes)
    if image.info.get("progressive"):  # libjpeg keeps the coefficients of all channels
        needed += 6 * full[0] * full[1]
    if needed > limit:
        found = f"{full[0]} × {full[1]} pixels that take {needed / 2**20:,.0f} MiB to decode"
        expected = f"at most {limit / 2**20:,.0f} MiB"
        raise LargeImageError(shown, found, expected, "reduce the image")


def _key_of_16_bits(image: Image.Image) -> tuple[int, ...] | None:
    """Return the transparent colour of a 16-bit RGB PNG; Pillow keeps only high bytes of pixels."""
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    return key if isinstance(key, tuple) and tile and tile[0].args == "RGB;16B" else None


def _scale_key(image: ImageFile.ImageFile) -> None:
    """Scale the transparent grey of a PNG of 2 or 4 bits as Pillow scales its pixels."""
    bits = {"L;2": 2, "L;4": 4}.get(str(image.tile[0].args)) if image.tile else None
    key = image.info.get("transparency")
    if bits and isinstance(key, int):
        top = 2**bits - 1
        image.info["transparency"] = (key & top) * 255 // top


def _block_to_grey(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", image.size)
        image.paste(rgba, mask=rgba)
    return np.asarray(image.convert("L"))


def _stored_bits(image: ImageFile.ImageFile) -> int:
    """Bits of a sample; Pillow names those of a PNG in its raw mode, as in L;4 and RGB;16B."""
    stored = [int(bits) for tile in image.tile for bits in re.findall(r";(\d+)", str(tile.args))]
    stored += _tags(image).get(_BITS, ())
    return max(stored, default=1 if image.mode == "1" else 8)


def _blocks(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield blocks of rows: a copy of a colour image takes 4 bytes per pixel."""
    width, height = image.size
    rows = max(1, _BLOCK // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _grey(image: Image.Image, tags: dict[int, Any]) -> NDArray[np.uint8]:
    grey = np.empty(image.size[::-1], dtype=np.uint8)
    if image.mode in _MODES_16:
        table = _table_of_16_bits(image, tags)
        for rows, block in _blocks(image):
            np.take(table, np.asarray(block), out=grey[rows])
    else:
        for rows, block in _blocks(image):
            grey[rows] = _block_to_grey(block)
    return grey


def _table_of_16_bits(image: Image.Image, tags: dict[int, Any]) -> NDArray[np.uint8]:
    """Grey level of each 16-bit value; the transparent one is black."""
    counts = np.zeros(2**16, dtype=np.int64)
    for _, block in _blocks(image):
        counts += np.bincount(np.asarray(block).ravel(), minlength=2**16)
    inverted = tags.get(_PHOTOMETRIC, 0) == 0
    key = image.info.get("transparency")
    if isinstance(key, int):
        counts[key] = 0
    table = grey_levels(np.arange(2**16), counts)
    table = 255 - table if inverted else table
    if isinstance(key, int):
        table[key] = 0
    return table


def _upright(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an EXIF orientation."""
    if orientation in (3, 4, 6, 7):
        grey = grey[::-1]
    if orientation in (2, 3, 7, 8):
        grey = grey[:, ::-1]
    return np.ascontiguousarray(grey.T if orientation in _ON_ITS_SIDE else grey)


def _transparent(data: bytes, key: tuple[int, ...]) -> NDArray[np.bool_]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise OSError("the pixels of 16 bits can't be compared with the transparent colour")
    found = pixels[..., 2] == key[0]
    for channel, value in ((1, key[1]), (0, key[2])):
        found &= pixels[..., channel] == value
    return np.asarray(found)


def _has_deep_colour(image: ImageFile.ImageFile, tags: dict[int, Any]) -> bool:
    """Whether samples of colour or alpha have 16 bits, of which Pillow keeps the high byte."""
    if len(image.getbands()) == 1:
        return False
    return 16 in tags.get(_BITS, ()) or any(";16" in str(tile.args) for tile in image.tile)


def _check_high_bytes(grey: NDArray[np.uint8], shown: str) -> None:
    top = int(grey.max())
    if 0 < top < 64:
        found = f"16-bit colour that fills only {top + 1} of 256 levels of its high byte"
        raise ImageError(shown, found, "values up to 65535", "save it as 16-bit grey")


def _pixels(image: ImageFile.ImageFile, data: bytes, shown: str) -> tuple[NDArray[np.uint8], bool]:
    """Decode to grey and turn upright; return whether rows were stored as columns."""
    tags, key = _tags(image), _key_of_16_bits(image)
    deep_colour = _has_deep_colour(image, tags)
    _scale_key(image)
    if key:
        del image.info["transparency"]
    image.load()
    grey = _grey(image, tags)
    if deep_colour:
        _check_high_bytes(grey, shown)
    if key:
        grey[_transparent(data, key)] = 0
    orientation = image.getexif().get(_ORIENTATION, 1)  # after load(): a PNG may have it at its end
    return _upright(grey, orientation), orientation in _ON_ITS_SIDE


@contextmanager
def _our_pillow(name: str) -> Iterator[None]:
    """Make Pillow reject truncated images, without its own size check and warnings.

    These are settings of the process, hence the lock; use processes to decode in parallel.
    """
    with PROCESS_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "TIFF":  # its tags are its header: a missing one may be the orientation
            warnings.filterwarnings("error", message=".*orrupt EXIF data")
        before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        libtiff = TiffImagePlugin.READ_LIBTIFF
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, None
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = before
            TiffImagePlugin.READ_LIBTIFF = libtiff


def decode_grey(
    data: bytes, shown: str, max_pixels: int, max_memory: int, size: int | None = None
) -> Decoded:
    """Decode the first frame of an image.

    Parameters
    ----------
    data : bytes
        The whole file.
    shown : str
        Name of the file in messages.
    max_pixels : int
        Largest width × height, checked from the header.
    max_memory : int
        Most bytes that decoding may take, estimated from the header.
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
    MemoryError
        If memory runs out.
    """
    name = _format(data, shown)
    try:
        with _our_pillow(name):
            image = _open(name, data)
            _check_header(image, shown, max_pixels)
            width, height = image.size
            mode, bits = image.mode, _stored_bits(image)
            if isinstance(image, JpegImageFile):
                image.draft("L", (size, size) if size else None)
            _check_memory(image, (width, height), len(data), shown, max_memory)
            if name == "PNG":  # load() skips the checksums, and verify() discards the image
                _OPENERS[name](io.BytesIO(data)).verify()
            frames = int(getattr(image, "n_frames", 1))
            pixels, on_its_side = _pixels(image, data, shown)
            if on_its_side:
                width, height = height, width
            return Decoded(pixels, width, height, frames, name, mode, bits)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise almost anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        if _OUT_OF_MEMORY.search(reason):
            raise MemoryError(f"{shown}: {reason}") from error
        found = f"a {name} that can't be decoded ({reason})"
        expected = f"an undamaged {name} of a kind that Pillow reads"
        raise ImageError(shown, found, expected, COPY_AGAIN) from error
