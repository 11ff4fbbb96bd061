"""Names of splits, as folders and columns of tables have them."""

from __future__ import annotations

SPLIT_NAMES = {  # in lower case
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
