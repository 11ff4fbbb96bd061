"""Files for a paper: references, tidy scores, checklists and notes of LaTeX tables."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets.kermany import KERMANY
from benchmarks.io.columns import MORE_TABLES, SCORE_COLUMNS
from benchmarks.io.results import Results
from benchmarks.paper import bibliography, checklists, facts, items, tidy_scores
from benchmarks.paper.files import write_paper
from benchmarks.paper.references import references
from benchmarks.report.sections import SECTIONS, methods, summary
from benchmarks.statistics.method_rows import rows
from features import FEATURES, all_feature_sets
from models import MODELS, declaration
from models.balance import BALANCES, RESAMPLERS

CELL = "Cell 2018. doi:10.1016/j.cell.2018.02.010"


def run(folder: Path, **change: Any) -> Results:
    """A run with a finished method and one that lacks weights; nine images of five patients."""
    options: dict[str, Any] = {
        "features": "hog", "model": "forest", "balance": "smote", "citation": "Nobody.",
        "config": {}, "more": {}, "facts": {}, **change,
    }  # fmt: skip
    manifest = pd.DataFrame({
        "image": [f"i{k}" for k in range(9)], "group": list("aabbcddee"),
        "split": ["train"] * 4 + ["validation"] + ["test"] * 4,
        "label": [1, 1, 0, 0, 1, 1, 1, 0, 0], "width": 224, "height": 224, "frames": 1,
    })  # fmt: skip
    one = {"cell": f"{options['features']}/{options['model']}/seed0", "seed": 0, "status": "ok",
           "reason": "",
           **{name: options[name] for name in ("features", "model", "balance")}}  # fmt: skip
    other = {**one, "cell": "embedding/svm/seed0", "features": "embedding", "model": "svm",
             "status": "not_run", "reason": "no | weights"}  # fmt: skip
    lines = [
        {**cell, "split": split, "operating_point": point, "threshold": 0.5, "n": 4,
         "n_positive": 2, "precision": 0.75, "precision_lo": 0.5, "precision_hi": 1.0,
         "precision_lo_threshold": 0.4, "precision_hi_threshold": 0.9, "auc": 0.8,
         "auc_lo": 0.6, "auc_hi": 0.9}
        for cell in (one, other)
        for split in ("validation", "test")
        for point in ("0.5", "recall95")
    ]  # fmt: skip
    record = {
        "config": options["config"], "protocol": {"bootstrap_draws": 2000},
        "data": {"name": "x|y", "classes": ["No Finding", "Mass"], "citation": options["citation"],
                 "facts": options["facts"], "left_out": [], "notes": []},
    }  # fmt: skip
    predictions = pd.DataFrame(columns=["features", "split", "fold"])
    more = {name: pd.DataFrame(columns=columns) for name, columns in MORE_TABLES.items()}
    empty = pd.DataFrame(columns=["cell"])
    scores = pd.DataFrame(lines).reindex(columns=SCORE_COLUMNS)
    return Results(folder, record, manifest, empty, predictions, scores, empty, empty,
                   more | options["more"])  # fmt: skip


def test_keys_are_first_author_and_year_and_every_work_can_be_found() -> None:
    for key, work in references().items():
        family = bibliography._ascii(work.authors.split(",")[0]).lower()
        assert key.startswith(re.sub(r"[^a-z]", "", family) + str(work.year)), key
        assert work.doi.startswith("10.") or work.url.startswith("https://"), key
        assert not (work.doi and work.url), key
    assert len({work.doi or work.url for work in references().values()}) == len(references())


def test_bibtex_is_balanced_ascii_with_one_field_per_line() -> None:
    text = bibliography.bibtex(references())
    assert text.isascii()
    assert text.count("{") == text.count("}")
    entries = re.split(r"\n\n", text.strip())
    assert len(entries) == len(references())
    for entry in entries:
        assert re.fullmatch(r"@[a-z]+\{[a-z]+\d{4}[a-z]*,\n(  [a-z]+ = \{.+\},\n)+\}", entry), entry
        assert re.search(r"^  (doi|url) = ", entry, flags=re.MULTILINE)
    assert r"Lema{\^i}tre, G. and Nogueira" in text
    assert "pages = {886--893}" in text


def test_only_what_finished_is_cited(tmp_path: Path) -> None:
    assert bibliography.used(run(tmp_path)) == [
        "dalal2005", "breiman2001", "chawla2002", "field2007", "wilson1927", "rao1992",
        "dunn1961", "schuirmann1987",
        "pedregosa2011", "lemaitre2017", "vanderwalt2014", "lam2015",
    ]  # fmt: skip
    comparisons = pd.DataFrame({"test": ["clustered_delong", "bootstrap"], "p_holm": [0.1, np.nan]})
    calibration = pd.DataFrame({"recalibration": ["none", "isotonic"]})
    more = run(
        tmp_path, features="gabor", balance="none", citation=CELL,
        more={
            "comparisons": comparisons, "calibration": calibration,
            "gap_ranks": pd.DataFrame({"rho": [0.5]}),
            "leaky_assignments": pd.DataFrame({"assignment": [1]}),
        },
    )  # fmt: skip
    assert bibliography.used(more) == [
        "kermany2018", "manjunath1996", "breiman2001", "field2007", "delong1988", "obuchowski1997",
        "wilson1927", "rao1992", "holm1979", "dunn1961",
        "schuirmann1987", "spearman1904", "gosset1908", "murphy1973",
        "zadrozny2002", "pedregosa2011", "lemaitre2017", "lam2015",
    ]  # fmt: skip


def test_every_family_model_and_balance_has_references() -> None:
    assert {name for name, kind in FEATURES.items() if not kind.references} == {"intensity"}
    assert all(declaration(name).references for name in MODELS)
    published = {name: text for name, text in RESAMPLERS.items() if "doi:" in text}
    assert set(bibliography.BALANCING) == set(BALANCES)
    assert {name for name, (_, key) in bibliography.BALANCING.items() if key} == set(published)
    for name, text in published.items():  # the same DOI where the code cites it
        assert references()[bibliography.BALANCING[name][1]].doi in text


@pytest.mark.parametrize("features", all_feature_sets())
@pytest.mark.parametrize("model", ["svm", "cnn"])
def test_what_the_methods_cite_is_in_the_references(
    tmp_path: Path, features: str, model: str
) -> None:
    comparisons = pd.DataFrame(
        {"test": ["clustered_delong", "mcnemar", "sign_flip"], "p_holm": [0.1, 0.1, 0.1]}
    )
    calibration = pd.DataFrame({"recalibration": ["none", "sigmoid", "isotonic"]})
    more = {"comparisons": comparisons, "calibration": calibration,
            "decision": pd.DataFrame({"cell": ["a"]})}  # fmt: skip
    name = features if model != "cnn" else "pixels"
    results = run(tmp_path, features=name, model=model, more=more)
    (block,) = methods.render(results).blocks
    text = "".join(str(part) for part in getattr(block, "parts", ()))
    keys = bibliography.used(results)
    cited = re.findall(r"[A-Z][\w-]+(?: and [A-Z][\w-]+| et al\.)?, \d{4}", text)
    assert len(cited) > 7
    assert set(cited) <= {bibliography.cite(key) for key in keys}


def test_methods_describe_only_what_was_done(tmp_path: Path) -> None:
    def text(**change: Any) -> str:
        results = run(tmp_path, config={"folds": 5}, **change)
        if change:
            cv = pd.DataFrame({"features": ["hog"] * 2, "split": "cv", "fold": [1, 3]})
            results = dataclasses.replace(results, predictions=cv)
        return str(methods.render(results).blocks)

    words = ("audited", "cross-validated", "in pairs", "Calibration", "decision curves")
    assert not any(word in text() for word in words)  # folds were configured, but none finished
    audit = pd.DataFrame({"severity": ["note", "warn", "note"]})
    both = text(more={"audit": audit, "decision": pd.DataFrame({"cell": ["a"]})})
    assert "1 warning, 2 notes" in both
    assert "in 3 folds" in both
    assert "decision curves" in both


def test_tidy_scores_hold_each_number_once(tmp_path: Path) -> None:
    found = tidy_scores.tidy(run(tmp_path))
    assert found.columns.tolist() == tidy_scores.COLUMNS
    # 2 splits × (2 points × 3 metrics + 2 metrics over all thresholds); nothing of the other cell.
    assert len(found) == 16
    assert set(found["features"]) == {"hog"}
    assert not found.duplicated(["classifier", "metric", "operating_point", "split"]).any()
    one = found[(found["metric"] == "precision") & (found["operating_point"] == "recall95")
                & (found["split"] == "test")].iloc[0]  # fmt: skip
    assert (one["value"], one["lo"], one["hi"], one["n"]) == (0.75, 0.4, 0.9, 4)
    assert set(found.loc[found["metric"] == "auc", "operating_point"]) == {""}


def test_items_are_numbered_as_the_guidelines_are() -> None:
    numbers = [item.number for item in items.TRIPOD_AI]
    assert len(set(numbers)) == len(numbers) == 52
    assert list(dict.fromkeys(int(re.sub(r"\D", "", one)) for one in numbers)) == [*range(1, 28)]
    assert [item.number for item in items.CLAIM] == [str(k) for k in range(1, 45)]


def test_items_point_to_facts_and_sections_that_exist(tmp_path: Path) -> None:
    known = facts.facts(run(tmp_path, facts=KERMANY.facts))
    nothing = dataclasses.replace(run(tmp_path), scores=pd.DataFrame(columns=SCORE_COLUMNS))
    titles = {render(nothing).title for name, render in SECTIONS.items() if name != "data"}
    titles.add("Dataset")
    for item in (*items.TRIPOD_AI, *items.CLAIM):
        assert set(item.facts) <= set(known), item
        assert item.where in titles | {""}, item


def lines(text: str) -> dict[str, str]:
    found = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
    return {cells[0].strip("| "): cells[2] for cells in found}


def test_items_only_authors_can_answer_are_blank(tmp_path: Path) -> None:
    pages = checklists.checklists(run(tmp_path))
    tripod, claim = lines(pages["checklist_tripod_ai.md"]), lines(pages["checklist_claim.md"])
    blank = {"1", "3a", "5b", "6a", "8b", "14", "17", "18a", "18b", "18c", "18d", "19", "25"}
    assert {tripod[number] for number in blank} == {checklists.BLANK}
    assert {claim[number] for number in ("1", "11", "15", "16", "34", "36", "44")} == {
        checklists.BLANK
    }
    assert tripod["11"].startswith("0 images could not be read")
    assert tripod["21"].startswith("Train 4 images of 2 patients, 2 of class Mass; validation 1")
    assert claim["29"].startswith("Intervals (95 %) of recall and specificity are Wilson intervals")
    assert "bootstrap over patients with 2,000 resamples" in claim["29"]
    kermany = checklists.checklists(run(tmp_path, facts=KERMANY.facts))["checklist_tripod_ai.md"]
    assert "Guangzhou" in lines(kermany)["6a"]


def test_untrusted_names_do_not_break_a_checklists_table(tmp_path: Path) -> None:
    for text in checklists.checklists(run(tmp_path)).values():
        rows_ = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows_} == {5}
        assert r"x\|y" in text


def test_latex_table_states_split_threshold_and_resamples(tmp_path: Path) -> None:
    results = run(tmp_path, citation=f"{CELL}; Mendeley. doi:10.17632/rscbjbr9sj.2; more")
    notes = [
        summary.latex_table(results, rows(results), point).note for point in ("0.5", "recall95")
    ]
    assert "4 images (2 of class Mass) of 2 patients, none of them in training" in notes[0]
    assert "a probability of 0.5, fixed in advance" in notes[0]
    assert "recall of at least 0.95 on the validation images" in notes[1]
    assert "2,000 resamples" in notes[1]
    assert notes[1].endswith(
        "Data: doi:10.1016/j.cell.2018.02.010, doi:10.17632/rscbjbr9sj.2."
    )  # fmt: skip
    leaky = results.manifest.assign(group=list("aabbcddea"))
    both = dataclasses.replace(results, manifest=leaky)
    assert "of 3 patients, 1 of them in training" in summary.latex_table(both, [], "0.5").note
    results.run["data"]["groups_known"] = False
    results.run["config"]["limit"] = 50
    vague = summary.latex_table(results, [], "0.5").note
    assert "a sample of the test split, 4 images (2 of class Mass) of unknown patients" in vague


def test_files_are_deterministic(tmp_path: Path) -> None:
    results = run(tmp_path)
    write_paper(results)
    names = ["checklist_claim.md", "checklist_tripod_ai.md", "references.bib", "tables.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    first = {name: (tmp_path / name).read_bytes() for name in names}
    write_paper(results)
    assert {name: (tmp_path / name).read_bytes() for name in names} == first
