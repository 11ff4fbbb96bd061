"""Studies beside the comparison: one a file, each with ``run(context) -> tables``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.studies import ablation, importance, leaky, learning, shortcuts

STUDIES: dict[str, ModuleType] = {
    "shortcuts": shortcuts,
    "importance": importance,
    "leaky": leaky,
    "ablation": ablation,
    "learning": learning,
}
