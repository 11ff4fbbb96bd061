"""Provenance of a run: program, versions, machine, data fingerprint."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.io.tables import to_csv
from features import FEATURES
from features.packaged_weights import PACKAGES
from models import model_libraries

PROGRAM = "cxr-classical-baseline"
LIBRARIES = (
    "captum", "imbalanced-learn", "joblib", "matplotlib", "numba", "numpy",
    "opencv-python-headless", "pandas", "pillow", "pydantic", "pydicom", "python-gdcm",
    "scikit-image", "scikit-learn", "scikit-learn-intelex", "scipy", "shap", "skops", "timm",
    "torch", "torchvision", "xgboost",
)  # fmt: skip
GIB = 2**30


def fingerprint(manifest: pd.DataFrame) -> str:
    """Hash the content hash, label, patient and split of every image, in manifest order.

    Parameters
    ----------
    manifest : DataFrame
        With ``image``, ``sha256``, ``label``, ``group`` and ``split``.

    Returns
    -------
    str
        Hexadecimal sha256.
    """
    columns = manifest[["image", "sha256", "label", "group", "split"]]
    return hashlib.sha256(to_csv(columns).encode("utf-8", "backslashreplace")).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect the numbers.

    Returns
    -------
    dict of str
        By name; ``not installed`` for a missing library.
    """
    found = {"python": platform.python_version()}
    families = {name for kind in FEATURES.values() for name in kind.libraries}
    for name in sorted({*LIBRARIES, *PACKAGES, *families, *model_libraries()}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def program() -> dict[str, str]:
    """Identify this program.

    Returns
    -------
    dict of str
        ``name``, ``version``, ``commit`` (empty outside a git checkout).
    """
    try:
        version = metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {"name": PROGRAM, "version": version, "commit": _commit()}


def memory_bytes() -> int:
    """Return the size of this machine's memory.

    Returns
    -------
    int
        In bytes; 0 if unknown.
    """
    if not hasattr(os, "sysconf"):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def machine() -> dict[str, Any]:
    """Describe this machine.

    Returns
    -------
    dict
        ``platform``, ``processor``, ``cores``, ``memory_gib``.
    """
    return {
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes() / GIB, 1),
    }


def _commit() -> str:
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return ""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=5,
            check=True,
        ).stdout.strip()  # fmt: skip
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=here,
            capture_output=True, text=True, timeout=5, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{commit} with uncommitted changes" if changed else commit


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
