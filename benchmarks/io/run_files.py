"""Open and write the files of a run folder safely: regular files inside it, of bounded size."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from benchmarks.config import ConfigError
from benchmarks.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES = "images"
MAX_TABLE = 2**31  # bytes
MAX_RECORD = 2**26  # bytes
MAX_PNG = 2**25  # bytes
MAX_SIDE = 4096  # pixels of a PNG
_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


class RunError(UserError, ValueError):
    """The folder is not a run folder, or a file in it can't be used; the message names it."""


def open_file(folder: Path, name: str | Path, limit: int) -> BinaryIO:
    """Open a file of a run folder for reading.

    Parameters
    ----------
    folder : Path
        The run folder. It may be a link itself.
    name : str or Path
        Path of the file relative to the folder.
    limit : int
        Largest size in bytes.

    Returns
    -------
    binary file

    Raises
    ------
    RunError
        If it is not a regular file, a link leads outside the folder, or it is larger than
        ``limit``.
    OSError
        If it is missing or can't be opened.
    """
    path = folder / name
    target = _inside(folder, name)
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    handle = os.open(
        target, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            found = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
            raise _refuse(path, found, "a regular file")
        if status.st_size > limit:
            raise _refuse(path, f"{status.st_size:,} bytes", f"at most {limit:,}")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(folder: Path, name: str | Path, limit: int) -> bytes:
    """Read a file of a run folder.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str or Path
        Path of the file relative to the folder.
    limit : int
        Largest size in bytes.

    Returns
    -------
    bytes

    Raises
    ------
    RunError, OSError
        As :func:`open_file`.
    """
    with open_file(folder, name, limit) as file:
        return file.read(limit)


def read_png(folder: Path, name: str) -> bytes | None:
    """Read a PNG file of a run folder's ``images``.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        Name of the file.

    Returns
    -------
    bytes or None
        None if there is no such file.

    Raises
    ------
    RunError
        As :func:`open_file`, and if the file is no PNG.
    """
    place = Path(IMAGES) / name
    try:
        data = read_file(folder, place, MAX_PNG)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not data.startswith(_PNG):
        raise _refuse(folder / place, "another kind of file", "a PNG image")
    return data


def read_grey(folder: Path, name: str) -> NDArray[np.uint8] | None:
    """Read a PNG file of a run folder's ``images`` as a grey image.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        Name of the file.

    Returns
    -------
    ndarray of shape (H, W), uint8, or None
        None if there is no such file.

    Raises
    ------
    RunError
        As :func:`read_png`, and if the image is damaged or too large.
    """
    import io

    import numpy as np
    from PIL import Image

    data = read_png(folder, name)
    if data is None:
        return None
    path = folder / IMAGES / name
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if max(image.size) > MAX_SIDE:
                raise _refuse(path, "{} × {} pixels".format(*image.size), f"sides up to {MAX_SIDE}")
            return np.asarray(image.convert("L"))
    except RunError:
        raise
    except Exception as error:  # Pillow raises errors of many kinds for a damaged file
        raise _refuse(path, f"a damaged file ({error})", "a PNG image") from error


def subfolder(folder: Path, name: str) -> Path:
    """Make a folder inside a run folder, or check the one that is there.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str

    Returns
    -------
    Path

    Raises
    ------
    RunError
        If it is a link that leads outside the run folder.
    OSError
        If it can't be made.
    """
    _inside(folder, name)
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def check_writable(option: str, path: Path) -> None:
    """Check that a file or folder can be made, before anything is computed for it.

    Parameters
    ----------
    option : str
        The option that names it, for the message.
    path : Path
        Folders above it may be missing.

    Raises
    ------
    ConfigError
        If the nearest existing folder above it can't be written.
    """
    folder = next(one for one in path.absolute().parents if one.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{option} {path}: expected a folder that can be written, but {folder} can't: "
            f"{error.strerror}. Choose another one."
        ) from error


def check_file(option: str, path: Path) -> None:
    """Check that a file can be written into an existing folder, before anything is computed.

    Parameters
    ----------
    option : str
        The option that names it, for the message.
    path : Path

    Raises
    ------
    ConfigError
        If it is a folder, its folder is missing, or it can't be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: expected a file in an existing folder.")
    check_writable(option, path)


def write_text(path: Path, text: str) -> None:
    r"""Write a text file atomically: a reader sees the old file or the new one.

    Parameters
    ----------
    path : Path
        A link is replaced, not followed.
    text : str
        Surrogates, from file names that are no UTF-8, are written as ``\udc80``.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old file or the new one.

    Parameters
    ----------
    path : Path
        A link is replaced, not followed.
    data : bytes
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:  # name the file, not its temporary one
            error.filename, error.filename2 = str(path), None
        raise


def _inside(folder: Path, name: str | Path) -> Path:
    """Follow links; refuse a path that leads outside the folder."""
    try:
        target = Path(os.path.realpath(folder / name))
        inside = target.is_relative_to(os.path.realpath(folder))
    except ValueError as error:  # a NUL in the name
        raise _refuse(folder / name, str(error), "a file inside the run folder") from error
    if not inside:
        raise _refuse(folder / name, f"a link to {target}", "a file inside the run folder")
    return target


def _refuse(path: Path, found: str, expected: str) -> RunError:
    return RunError(
        f"{path}: got {found}, but expected {expected}. Remove it, or copy the run folder again."
    )
