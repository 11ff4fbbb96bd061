"""The only image reader of the project: a file to an (H, W) uint8 grey image, or an error."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.reading.decode import (
    AN_IMAGE,
    COPY_AGAIN,
    ImageError,
    LargeImageError,
    decode_grey,
)
from features.reading.dicom import decode_dicom
from features.reading.dicom_file import is_dicom

MAX_PIXELS = 100_000_000
MAX_BYTES = 2**30
MAX_MEMORY = 2**30
IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini"})

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


@dataclass(frozen=True, eq=False)
class GreyImage:
    """One decoded image.

    Attributes
    ----------
    pixels : ndarray of shape (height, width), uint8
        Grey values, 0 black to 255 white; fewer pixels if the image was decoded at reduced scale.
    width, height : int
        Pixels at full scale, as displayed: after EXIF orientation.
    frames : int
        Images in the file, of which ``pixels`` is the first.
    sha256 : str
        Of the file's bytes, hexadecimal.
    format : str
        Of the file: JPEG, PNG, …
    mode : str
        Of its pixels, in Pillow's words: L (grey), P (palette), RGB, RGBA, …
    bits : int
        Of a sample, as stored.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    frames: int
    sha256: str
    format: str = ""
    mode: str = ""
    bits: int = 8


def _shown(path: Path, root: Path | None) -> str:
    """Name a path on one line: from ``root``, with control and undecodable characters escaped."""
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    escaped = (c if c.isprintable() else ascii(c)[1:-1] for c in path.as_posix())
    return "".join(escaped)


def _unreadable(shown: str, error: Exception, expected: str) -> ImageError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    remedy = "check the name, where a link points, and the permissions"
    return ImageError(shown, f"something unreadable ({reason})", expected, remedy)


def _read_bytes(path: Path, shown: str, root: Path | None, max_memory: int) -> bytes:
    try:
        target = Path(os.path.realpath(path))
        if root is not None and not target.is_relative_to(os.path.realpath(root)):
            found = (
                f"a {'link' if path.is_symlink() else 'path'} that leads outside the data folder"
            )
            raise ImageError(shown, found, "a file inside it", "replace it by a copy")
        status = target.stat()
        # Checked before opening: open would block forever on a pipe without a writer.
        if not stat.S_ISREG(status.st_mode):
            found = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
            raise ImageError(shown, found, "a regular file", "remove it")
        if status.st_size > MAX_BYTES:
            found = f"{status.st_size:,} bytes"
            raise ImageError(shown, found, f"at most {MAX_BYTES:,}", "reduce the image")
        if status.st_size > max_memory:
            found = f"{status.st_size:,} bytes"
            raise LargeImageError(shown, found, f"at most {max_memory:,}", "reduce the image")
        data = target.read_bytes()
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error, "a readable file") from error
    if not data:
        raise ImageError(shown, "an empty file", AN_IMAGE, COPY_AGAIN)
    return data


def list_images(folder: Path) -> tuple[list[Path], int]:
    """List the direct children of a folder that should be images, sorted by name.

    Everything that is not ignored is listed, whatever its extension or kind, and sub-folders, too:
    :func:`read_image` rejects them with a reason, so that nothing is skipped silently.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    paths : list of Path
        ``folder / name``, sorted by the code points of the name.
    ignored : int
        Number of hidden files (a leading dot), Thumbs.db and desktop.ini (in any case).

    Raises
    ------
    ImageError
        If the folder can't be listed.
    """
    try:
        children = sorted(folder.iterdir(), key=lambda child: child.name)
    except OSError as error:
        raise _unreadable(_shown(folder, None), error, "a folder of images") from error
    kept = [c for c in children if c.name[0] != "." and c.name.lower() not in IGNORED_NAMES]
    return kept, len(children) - len(kept)


def read_image(
    path: Path,
    *,
    root: Path | None = None,
    max_pixels: int = MAX_PIXELS,
    max_memory: int = MAX_MEMORY,
    size: int | None = None,
) -> GreyImage:
    """Read the first frame of a JPEG, PNG, TIFF, BMP or DICOM file as grey.

    The format is detected from the content, not from the name. The file is read once; its bytes
    are hashed, and decoded from memory after the header has been checked.

    Parameters
    ----------
    path : Path
        A file, or a link to one.
    root : Path, optional
        The folder that must contain the file, after following links. Messages name the file
        relative to it.
    max_pixels : int
        Largest width × height; 100 million by default. Files may have up to 1 GiB.
    max_memory : int
        Most bytes that reading may take; 1 GiB by default. Estimated from the file's size and
        header: the file once or twice, 3 to 6 bytes per pixel, and what the decoder keeps.
    size : int, optional
        Side to which the image will be shrunk; see Notes.

    Returns
    -------
    GreyImage

    Raises
    ------
    ImageError
        If the file is not such an image: not a regular file, a link to outside ``root``,
        unreadable, empty, of another format, truncated, corrupt, under 16 pixels per side, over
        ``max_pixels``, or of floating-point, signed or 32-bit pixels.
    LargeImageError
        If reading would take more than ``max_memory``: an ``ImageError``, too.
    MemoryError
        If memory runs out; that says nothing about the file.

    Notes
    -----
    - Colour is converted to ITU-R BT.601 luma, ``0.299 R + 0.587 G + 0.114 B``; palettes are
      applied first. The luma of a colour JPEG is used as stored.
    - With ``size``, a JPEG is decoded at the smallest of full, half, quarter and eighth scale at
      which both its sides have that many pixels: the decoder shrinks by averaging, several times
      faster than decoding at full scale. An image under twice ``size`` is decoded in full.
    - Transparent images are composited on black, the background of a radiograph.
    - Grey of 12 or 16 bits is reduced to 8 bits by the range that its values fill, see
      :func:`features.reading.depth.grey_levels`. Of 16-bit colour, the high byte is kept; a file
      whose high bytes are all below 64 is refused.
    - DICOM files need the extra ``dicom``; see :func:`features.reading.dicom.decode_dicom`.
    - TIFF's WhiteIsZero is inverted. A CMYK JPEG is assumed to be inverted, as Adobe writes it.
    - EXIF orientation is applied, once.
    - JPEG, BMP and most TIFF files have no checksum: damage that still decodes is not detected.
    """
    shown = _shown(path, root)
    data = _read_bytes(path, shown, root, max_memory)
    if is_dicom(data):
        decoded = decode_dicom(data, shown, max_pixels, max_memory)
    else:
        decoded = decode_grey(data, shown, max_pixels, max_memory, size)
    return GreyImage(**decoded._asdict(), sha256=hashlib.sha256(data).hexdigest())
