"""Studies beside the comparison: one a file, each with ``run(context) -> tables``."""

from __future__ import annotations

from types import ModuleType

STUDIES: dict[str, ModuleType] = {}
