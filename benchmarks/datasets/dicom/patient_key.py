"""Keyed hashes of patient IDs, and the key: one for each user."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from filelock import FileLock

from benchmarks.errors import DataError

KEY_BYTES = 32


def hash_patient(patient: str, key: bytes) -> str:
    """Hash a patient ID with a key (HMAC with SHA-256, of which 64 bits are kept).

    Parameters
    ----------
    patient : str
    key : bytes

    Returns
    -------
    str
        ``p`` and 16 hexadecimal digits: never a number, and without the ``/`` of a series.

    Examples
    --------
    >>> hash_patient("MRN-0042", b"secret")
    'p27e471cc66da425f'
    """
    return f"p{hmac.new(key, patient.encode(), hashlib.sha256).hexdigest()[:16]}"


def patient_key_file(folder: Path) -> bytes:
    """Read the key of this user's hashes of patients; create it if there is none.

    Parameters
    ----------
    folder : Path
        The user's cache folder.

    Returns
    -------
    bytes
        32 random bytes, from a file that only the user can read.

    Raises
    ------
    DataError
        If the file can't be read or written, or is damaged.
    """
    file = folder / "patient.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as new:
                    new.write(secrets.token_bytes(KEY_BYTES))
            file.chmod(0o600)
            key = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file}: the key that hides patient IDs can't be read or written ({error.strerror}), "
            "but expected a file of this user. Check its permissions, or those of the folder."
        ) from error
    if len(key) != KEY_BYTES:
        raise DataError(
            f"{file}: got {len(key)} bytes, but expected a key of {KEY_BYTES}. Restore it from a "
            "backup; or remove it, and patients get new names."
        )
    return key
