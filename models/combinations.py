"""Combinations of fitted classifiers: what they declare; ``--combine`` names them."""

from __future__ import annotations

from models.declaration import Declaration

COMBINATIONS: dict[str, Declaration] = {
    "mean": Declaration(title="mean of probabilities", references={}),
    "stack": Declaration(
        title="stacking",
        references={
            "wolpert1992": {
                "kind": "article", "authors": "Wolpert, D. H.",
                "title": "Stacked generalization", "year": 1992, "venue": "Neural Networks",
                "volume": "5", "number": "2", "pages": "241-259",
                "doi": "10.1016/S0893-6080(05)80023-1",
                "what": "Combination of methods by stacking",
            },
        },
    ),
}  # fmt: skip
