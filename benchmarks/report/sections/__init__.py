"""Sections of the report: one file and one line in ``SECTIONS`` each.

A section is a function ``render(results) -> Section`` that reads the tables of a run folder.
"""

from __future__ import annotations

from benchmarks.report.sections import (
    all_metrics,
    audit,
    balancing,
    calibration,
    confusion,
    curves,
    data,
    decision,
    differences,
    gap,
    importance,
    leading,
    leakage,
    learning,
    limits,
    matched,
    methods,
    mistakes,
    multiclass,
    other_hospitals,
    patients,
    prevalence,
    published,
    settings,
    shortcuts,
    sources,
    subgroups,
    summary,
    training_curves,
)

# In the order of the report; the keys become anchors.
SECTIONS = {
    "summary": summary.render,
    "leading": leading.render,
    "curves": curves.render,
    "confusion": confusion.render,
    "subgroups": subgroups.render,
    "patients": patients.render,
    "differences": differences.render,
    "matched": matched.render,
    "calibration": calibration.render,
    "decision": decision.render,
    "prevalence": prevalence.render,
    "gap": gap.render,
    "external": other_hospitals.render,
    "shortcuts": shortcuts.render,
    "importance": importance.render,
    "leakage": leakage.render,
    "balancing": balancing.render,
    "learning": learning.render,
    "metrics": all_metrics.render,
    "published": published.render,
    "training": training_curves.render,
    "audit": audit.render,
    "data": data.render,
    "mistakes": mistakes.render,
    "settings": settings.render,
    "sources": sources.render,
    "methods": methods.render,
    "limits": limits.render,
}
MULTICLASS_SECTIONS = {
    "summary": multiclass.render,
    "confusion": multiclass.render_confusions,
    **{
        key: SECTIONS[key]
        for key in ("training", "audit", "data", "settings", "sources", "methods")
    },
    "limits": multiclass.render_limits,
}
