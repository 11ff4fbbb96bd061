"""Studies that fit more models than the comparison.

A study is a file with a function ``run(context)``, which returns tables by name.
"""

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
