"""Studies that fit more models than the comparison, one per file: ``run(context) -> tables``."""

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
