"""The report: order, escaping, the SYNTHETIC marks, best values, deterministic rendering."""

from __future__ import annotations

import dataclasses
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from benchmarks.commands.report import render_report
from benchmarks.datasets.dataset import Dataset
from benchmarks.io import escaping
from benchmarks.io.columns import METRICS, PREDICTION_COLUMNS, needs_threshold, score_columns
from benchmarks.io.results import Results, RunError, read_results, write_run, write_table
from benchmarks.report import method_tables
from benchmarks.report.blocks import Cell, Pictures, Section, Table
from benchmarks.report.sections import SECTIONS, gap
from benchmarks.report.writers import write_report
from benchmarks.run.exploration import explore, hardest, save_thumbnails
from benchmarks.statistics.method_rows import leaders, leaders_caption, rows

pytestmark = pytest.mark.slow

UNTRUSTED = [
    "test/NORMAL/<script>alert(1)</script>.jpg",
    "test/NORMAL/a_b%&#$^~{x}\\.jpg",
    "test/NORMAL/pipe|`tick`*[link](http://x.y)*.jpg",
    'test/NORMAL/"quoted" & <img src=x onerror=alert(2)>.png',
    "test/NORMAL/line\nbreak\u202egpj.exe",
]
STRENGTH = {"hog": 1.6, "lbp": 1.8, "texture": 1.4, "handcrafted": 2.0, "embedding": 2.4,
            "embedding_random": 1.2, "hybrid": 2.5, "pixels": 2.7}  # fmt: skip


def fake_manifest(n: int, subtypes: bool, untrusted: bool) -> pd.DataFrame:
    """``n`` images, 1 to 3 per patient, the last quarter in test."""
    rng = np.random.default_rng(3)
    group = np.sort(rng.integers(0, n // 2, n))
    label = (rng.random(n // 2) < 0.65).astype(int)[group]
    split = np.where(group >= n // 2 * 3 // 4, "test",
                     np.where(group % 6 == 0, "validation", "train"))  # fmt: skip
    kind = np.where(group % 3 == 0, "virus", "bacteria")
    table = pd.DataFrame({
        "image": [f"{split[k]}/{group[k]:04d}_{k:04d}.jpeg" for k in range(n)],
        "label": label, "class": np.where(label == 1, "PNEUMONIA", "NORMAL"),
        "subtype": np.where((label == 1) & subtypes, kind, ""), "group": [f"p{g}" for g in group],
        "split": split, "sha256": [f"{k:064x}" for k in range(n)],
        "width": 800 + 40 * rng.integers(0, 20, n) - 200 * label,
        "height": 700 + 30 * rng.integers(0, 20, n), "frames": 1, "bytes": 40_000,
    })  # fmt: skip
    if untrusted:
        normal = table.index[(table["split"] == "test") & (table["label"] == 0)][: len(UNTRUSTED)]
        table.loc[normal, "image"] = UNTRUSTED[: len(normal)]
    return table.sort_values("image", ignore_index=True)


def fake_predictions(manifest: pd.DataFrame, cells: list[tuple[str, str, int]]) -> pd.DataFrame:
    """Logistic scores, worse on the normal test images, as on the real data."""
    base = np.random.default_rng(11).normal(size=len(manifest))
    parts = []
    for k, (features, model, seed) in enumerate(cells):
        rng = np.random.default_rng([k, seed])
        label, test = manifest["label"].to_numpy(), (manifest["split"] == "test").to_numpy()
        logit = STRENGTH.get(features, 1.5) * (2 * label - 1) + 0.9 * test * (1 - label)
        noise = 0.6 * base + 0.8 * rng.normal(size=len(manifest))
        score = 1 / (1 + np.exp(-(logit + 0.6 + 1.7 * noise)))
        untrusted = manifest["image"].isin(UNTRUSTED).to_numpy()
        own = manifest.assign(cell=f"{features}/{model}/seed{seed}", features=features, model=model,
                              seed=seed, score=np.where(untrusted, 0.99, score))  # fmt: skip
        own["fold"] = 0
        parts.append(own[own["split"] != "train"][PREDICTION_COLUMNS])
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=PREDICTION_COLUMNS)
    )


def fake_scores(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of scores.csv by scikit-learn; intervals by the normal approximation."""
    lines = []
    for _, table in predictions.groupby("cell", sort=False):
        validation = table[table["split"] == "validation"]
        found = np.sort(validation[validation["label"] == 1]["score"].to_numpy())
        for split in ("validation", "test"):
            part = table[table["split"] == split]
            for point, threshold in (("0.5", 0.5), ("recall95", found[int(0.05 * len(found))])):
                y, p = part["label"].to_numpy(), part["score"].to_numpy()
                d = (p >= threshold).astype(int)
                tn, fp, fn, tp = (int(v) for v in sk.confusion_matrix(y, d, labels=[0, 1]).ravel())
                values = {
                    "precision": sk.precision_score(y, d, zero_division=0),
                    "recall": tp / (tp + fn),
                    "specificity": tn / (tn + fp), "f1": sk.f1_score(y, d),
                    "accuracy": sk.accuracy_score(y, d), "mcc": sk.matthews_corrcoef(y, d),
                    "balanced_accuracy": sk.balanced_accuracy_score(y, d),
                    "auc": sk.roc_auc_score(y, p),
                    "average_precision": sk.average_precision_score(y, p),
                    "brier": sk.brier_score_loss(y, p),
                    **{f"recall_{kind}": d[part["subtype"] == kind].mean()
                       if (part["subtype"] == kind).any() else np.nan
                       for kind in ("bacteria", "virus")},
                }  # fmt: skip
                line: dict[str, Any] = {
                    **part.iloc[0][["cell", "features", "model", "seed"]], "balance": "smote",
                    "split": split, "operating_point": point, "threshold": threshold,
                    "n": len(y), "n_positive": int(y.sum()), "tp": tp, "fp": fp, "tn": tn, "fn": fn,
                    "fit_seconds": 1.5, "predict_seconds": 0.1, "status": "ok", "reason": "",
                }  # fmt: skip
                for name in [*METRICS, "recall_bacteria", "recall_virus"]:
                    half = 1.96 * np.sqrt(max(values[name] * (1 - values[name]), 0.002) / len(y))
                    low, high = max(values[name] - half, -1), min(values[name] + half, 1)
                    line |= {name: values[name], f"{name}_lo": low, f"{name}_hi": high}
                    if needs_threshold(name):
                        line |= {f"{name}_lo_threshold": low, f"{name}_hi_threshold": high}
                lines.append(line)
    return lines


def fake_training(cells: list[str]) -> pd.DataFrame:
    """Twelve epochs that overfit after the seventh."""
    columns = ["cell", "epoch", "train_loss", "validation_loss", "validation_average_precision",
               "learning_rate", "seconds", "best"]  # fmt: skip
    lines = [
        (cell, e, 0.6 * 0.8**e, 0.3 + 0.004 * (e - 7) ** 2, 0.99 - 0.001 * (e - 7) ** 2, 1e-3,
         30.0, e == 7)
        for cell in cells for e in range(1, 13)
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=columns)


def make_run(
    folder: Path,
    features: tuple[str, ...] = ("hog", "lbp", "hybrid"),
    models: tuple[str, ...] = ("svm", "forest"),
    seeds: tuple[int, ...] = (0,),
    cnn: bool = True,
    ok: bool = True,
    subtypes: bool = True,
    synthetic: bool = False,
    untrusted: bool = False,
    n: int = 400,
) -> Path:
    """Write a run folder of plausible tables without data or models."""
    folder.mkdir(parents=True)
    manifest = fake_manifest(n, subtypes, untrusted)
    cells = [(f, m, s) for f in features for m in models for s in seeds]
    network = [("pixels", "cnn", s) for s in seeds] if cnn else []
    predictions = fake_predictions(manifest, cells + network if ok else [])
    reason = "no weights: give --weights FILE <b>&|`_%"
    missing = [("embedding", models[0], seeds[0])] + ([] if ok else cells + network)
    lines = [*fake_scores(predictions)] + [
        {"cell": f"{f}/{m}/seed{s}", "features": f, "model": m, "seed": s, "balance": "smote",
         "status": "not_run", "reason": reason} for f, m, s in missing
    ]  # fmt: skip
    write_table(folder, "manifest", manifest)
    write_table(folder, "predictions", predictions)
    write_table(folder, "scores", pd.DataFrame(lines, columns=score_columns(("bacteria", "virus"))))
    write_table(folder, "features", pd.DataFrame(
        {"family": features, "dimension": 300, "milliseconds_per_image": 4.25, "from_store": 0,
         "weights": "", "status": "ok", "reason": ""}))  # fmt: skip
    trained = [f"pixels/cnn/seed{s}" for s in seeds] if cnn and ok else []
    write_table(folder, "training", fake_training(trained))
    write_run(folder, fake_run(synthetic, features, models, seeds, untrusted, trained))
    images = np.random.default_rng(0).integers(0, 256, (n, 32, 32), dtype=np.uint8)
    images[manifest["label"] == 1] //= 2
    dataset = Dataset("fake", images, manifest, "CC BY 4.0", "Nobody 2026.")
    explore(dataset, manifest["split"], folder)
    results = read_results(folder)
    worst = hardest(results.predictions, results.scores, 12)
    save_thumbnails(dataset, worst["image"].tolist(), folder)
    return folder


def fake_run(
    synthetic: bool,
    features: tuple[str, ...],
    models: tuple[str, ...],
    seeds: tuple[int, ...],
    untrusted: bool,
    trained: list[str],
) -> dict[str, Any]:
    return {
        "program": {"name": "cxr-classical-baseline", "version": "0.1.0", "commit": "1a2b3c4"},
        "command": "python run_benchmark.py --data 'x_ray & <dir>'",
        "config": {"data": "x_ray & <dir>", "image_size": 224, "crop": 0.8, "contrast": True,
                   "balance": "smote", "seeds": list(seeds), "features": list(features),
                   "models": list(models), "backbone": "mobilenetv2_100", "weights": None,
                   "epochs": 12},
        "data": {"name": "phantoms" if synthetic else "chest_<xray>_224", "synthetic": synthetic,
                 "licence": "CC BY 4.0", "citation": "Kermany et al. 2018 <i>Cell</i>.",
                 "notes": ["Validation drawn from train by patient: 52 images."],
                 "validation_drawn": True,
                 "fingerprint": "ab" * 16, "ignored_files": 2, "groups_known": True,
                 "left_out": [{"image": one, "reason": "truncated <b>"} for one in UNTRUSTED]
                 if untrusted else []},
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
        "machine": {"platform": "Linux", "processor": "EPYC", "cores": 2, "memory_gib": 8},
        "times": {"started": "2026-11-21T20:00:00", "finished": "2026-11-21T20:03:00",
                  "seconds": 180.0, "stages": {"read": 12.5, "features": 61.0, "cells": 100.0}},
        "models": {name: {"C": "10", "gamma": "scale"} for name in models},
        "cells": {cell: {"initialised_from": "pretrained weights", "best_epoch": 7}
                  for cell in trained},
        "warnings": [], "status": "finished",
    }  # fmt: skip


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("real") / "run", untrusted=True)
    render_report(folder)
    return folder


@pytest.fixture(scope="module")
def synthetic_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(
        tmp_path_factory.mktemp("synthetic") / "run", ("hog", "lbp"), ("svm",), (0, 1, 2),
        synthetic=True,
    )  # fmt: skip
    render_report(folder)
    return folder


class Page(HTMLParser):
    """The elements of a page, its visible text, and the text of some elements."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.inside: list[tuple[str, list[str]]] = []
        self.of: dict[str, list[str]] = {"h2": [], "caption": [], "figcaption": []}
        self.feed((folder / "report.html").read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in self.of:
            self.inside.append((tag, []))

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1][0] == tag:
            name, words = self.inside.pop()
            self.of[name].append(" ".join("".join(words).split()))

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        for _, words in self.inside:
            words.append(data)

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def outputs(folder: Path) -> dict[str, bytes]:
    files = [folder / name for name in ("report.html", "report.md", "tables.tex")]
    files += sorted((folder / "figures").iterdir())
    return {path.name: path.read_bytes() for path in files}


def test_sections_are_in_the_order_of_the_registry(real_run: Path) -> None:
    assert next(iter(SECTIONS)) == "summary"
    assert list(SECTIONS)[-1] == "limits"
    page = Page(real_run)
    anchors = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert anchors == list(SECTIONS)
    markdown = (real_run / "report.md").read_text(encoding="utf-8")
    headings = [line[3:] for line in markdown.splitlines() if line.startswith("## ")]
    assert headings == page.of["h2"]


def test_page_is_one_file_without_scripts(real_run: Path) -> None:
    page = Page(real_run)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "link", "form", "b:"}
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    known = page.attributes("id")
    assert len(known) == len(set(known))
    for link in page.attributes("href") + page.attributes("xlink:href"):
        assert link.startswith("https://doi.org/10.") or link[1:] in known
    text = (real_run / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(known)


def test_untrusted_names_are_escaped_in_html(real_run: Path) -> None:
    page = Page(real_run)
    text = "".join(page.text)
    for name in UNTRUSTED[:4]:
        assert text.count(name) >= 3  # thumbnail, table of mistakes, images left out
    assert "test/NORMAL/line\\x0abreak\\u202egpj.exe" in text
    assert "\u202e" not in text
    assert "no weights: give --weights FILE <b>&|`_%" in text


def test_untrusted_names_are_escaped_in_markdown(real_run: Path) -> None:
    markdown = (real_run / "report.md").read_text(encoding="utf-8")
    assert "test/NORMAL/&lt;script&gt;alert(1)&lt;/script&gt;.jpg" in markdown
    assert r"pipe\|\`tick\`\*\[link\](http\://x.y)\*.jpg" in markdown
    assert r"a\_b%&amp;\#\$^\~\{x\}\\.jpg" in markdown
    assert not re.search(r"<(?!/?code>)", markdown.replace("\\<", ""))
    width = 0
    for line in markdown.splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not bars or not width or bars == width, line
        width = bars


def test_untrusted_words_are_escaped_in_latex(real_run: Path) -> None:
    latex = (real_run / "tables.tex").read_text(encoding="utf-8")
    assert r"chest\_\textless{}xray\textgreater{}\_224" in latex
    assert r"-{}-weights FILE \textless{}b\textgreater{}\&\textbar{}\textasciigrave{}\_\%" in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == latex.count(r"\caption")
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_escapes_leave_no_markup(text: str) -> None:
    markdown = escaping.markdown(text)
    assert not re.search(r"[<>\n]|(?<!\\)(?:\\\\)*[|`*_\[\]]", markdown)
    latex = re.sub(
        r"\\([a-zA-Z]+(\{\})?|[{}$&#%_])|\$\\?[a-z]*-?\$|-\{\}", "", escaping.latex(text)
    )
    assert not re.search(r"[\\{}$&#%_^~<>|\n]", latex)


@pytest.mark.slow
def test_synthetic_data_is_named_everywhere(synthetic_run: Path) -> None:
    page = Page(synthetic_run)
    marked = page.of["h2"] + page.of["caption"] + page.of["figcaption"]
    marked += [a["aria-label"] for tag, a in page.tags if tag == "svg"]
    assert len(marked) > 25
    assert all("SYNTHETIC DATA" in words for words in marked)
    banner = [attributes for _, attributes in page.tags if attributes.get("class") == "banner"]
    assert len(banner) == 1
    markdown = (synthetic_run / "report.md").read_text(encoding="utf-8")
    for line in markdown.splitlines():
        if line.startswith("## ") or re.search(r"\*\*(Table|Figure) \d+\.\*\*", line):
            assert "SYNTHETIC DATA" in line
    for line in (synthetic_run / "tables.tex").read_text(encoding="utf-8").splitlines():
        if "\\caption" in line:
            assert "SYNTHETIC DATA" in line
    for path in (synthetic_run / "figures").iterdir():
        assert "SYNTHETIC DATA" in path.read_text(encoding="utf-8")


def test_real_data_are_not_marked_synthetic(real_run: Path) -> None:
    assert not [name for name, data in outputs(real_run).items() if b"SYNTHETIC" in data]


@pytest.mark.slow
def test_rendering_is_deterministic_in_any_folder(synthetic_run: Path, tmp_path: Path) -> None:
    first = outputs(synthetic_run)
    copy = tmp_path / "elsewhere"
    shutil.copytree(synthetic_run, copy)
    render_report(copy)
    assert outputs(copy) == first


def test_figures_are_standalone_svg(real_run: Path) -> None:
    names = {path.stem for path in (real_run / "figures").iterdir()}
    assert {"overview", "curves", "confusion", "gap", "training", "data-intensity"} <= names
    for path in (real_run / "figures").iterdir():
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "<text" not in path.read_text(encoding="utf-8")  # paths need no font
        assert "<metadata" not in path.read_text(encoding="utf-8")  # no date
    markdown = (real_run / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(figures/([a-z-]+)\.svg\)", markdown)) == names


@pytest.mark.parametrize(
    "options",
    [
        {"ok": False},
        {"features": ("hog",), "models": ("svm",), "cnn": False, "subtypes": False},
    ],
    ids=["nothing ran", "one cell"],
)
def test_incomplete_runs_have_a_report(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = make_run(tmp_path / "run", n=200, **options)
    render_report(folder)
    text = "".join(Page(folder).text)
    assert len(Page(folder).of["h2"]) == len(SECTIONS)
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", text.lower())
    assert "not run (note 1)" in text
    assert "Note 1: no weights" in text


def test_a_reason_is_given_once_below_its_table(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ok=False, n=200)
    render_report(folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    main = html[html.index('id="table-main"') : html.index('id="figure-data-shape"')]
    table, _, below = main.partition("</table>")
    below = below.partition("<h2")[0]
    assert "no weights" not in table
    assert table.count("not run (note 1)") > 5
    assert below.count("no weights") == 1
    for name in ("report.md", "tables.tex"):
        assert "Note 1: no weights" in (folder / name).read_text(encoding="utf-8")


def test_an_unfinished_run_is_marked(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", n=200, ok=False)
    write_table(folder, "scores", pd.DataFrame(columns=score_columns(("bacteria", "virus"))))
    write_run(folder, {"status": "running"})
    render_report(folder)
    text = "".join(Page(folder).text)
    assert "had not ended" in text
    assert "0 of 0 cells finished" in text


def test_a_missing_folder_or_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere.*--out"):
        render_report(tmp_path / "nowhere")
    folder = make_run(tmp_path / "run", n=200, ok=False)
    (folder / "scores.csv").unlink()
    with pytest.raises(RunError, match=r"scores\.csv"):
        render_report(folder)


def small_results(tmp_path: Path, values: dict[str, list[dict[str, float]]]) -> Results:
    """A run with one operating point; ``values`` has one dict per seed for each feature set."""
    lines = [
        {"cell": f"{features}/svm/seed{seed}", "features": features, "model": "svm", "seed": seed,
         "split": split, "operating_point": "0.5", "status": "ok", "reason": "",
         **{name.removeprefix(f"{split}_"): value for name, value in numbers.items()
            if not name.startswith("validation_") or split == "validation"}}
        for features, seeds in values.items()
        for seed, numbers in enumerate(seeds)
        for split in ("validation", "test")
    ]  # fmt: skip
    empty = pd.DataFrame()
    scores = pd.DataFrame(lines).reindex(columns=score_columns(("bacteria", "virus")))
    return Results(tmp_path, {}, empty, empty, empty, scores, empty, empty)


def test_best_of_a_column_is_marked_with_its_ties(tmp_path: Path) -> None:
    results = small_results(tmp_path, {
        "a": [{"precision": 0.9301, "brier": 0.20, "mcc": float("nan")}],
        "b": [{"precision": 0.9299, "brier": 0.10, "mcc": 0.1}],
        "c": [{"precision": 0.9200, "brier": 0.30, "mcc": float("nan")}],
    })  # fmt: skip
    table = rows(results)
    marks = {
        metric: [cell.best for cell in method_tables.estimate_cells(table, "test", "0.5", metric)]
        for metric in ("precision", "brier", "mcc")
    }
    assert marks["precision"] == [True, True, False]  # both are 0.930 as shown
    assert marks["brier"] == [False, True, False]  # the smallest
    assert marks["mcc"] == [False, False, False]  # nothing to be better than


def test_best_is_bold_in_every_output(real_run: Path) -> None:
    scores = read_results(real_run).scores
    test = scores[(scores["split"] == "test") & (scores["operating_point"] == "recall95")]
    best = f"{test['precision'].max():.3f}"
    row = test.loc[test["precision"].idxmax()]
    html = (real_run / "report.html").read_text(encoding="utf-8")
    assert f'<td class="best">{best}<span class="detail">' in html
    start = "CNN" if row["features"] == "pixels" else f"{row['features']} | {row['model']}"
    line = next(
        line for line in (real_run / "report.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {start}")
    )  # fmt: skip
    assert f"**{best}**" in line
    assert rf"\textbf{{{best}}}" in (real_run / "tables.tex").read_text(encoding="utf-8")


def test_values_and_intervals_are_averaged_over_seeds(tmp_path: Path) -> None:
    seeds = [
        {"recall": 0.8, "recall_lo_threshold": 0.7, "recall_hi_threshold": 0.85},
        {"recall": 0.9, "recall_lo_threshold": 0.8, "recall_hi_threshold": 0.95},
        {"recall": 0.9, "recall_lo_threshold": 0.75, "recall_hi_threshold": 0.96},
    ]
    table = rows(small_results(tmp_path, {"a": seeds}))
    (cell,) = method_tables.estimate_cells(table, "test", "0.5", "recall")
    # 0.867 − √(0.117² + (1.96 × 0.0577 / √3)²), and the same above with 0.053.
    assert (cell.text, cell.spread, cell.detail) == ("0.867", "± 0.058", "0.733–0.951")


def test_leaders_are_selected_on_validation_not_on_test(tmp_path: Path) -> None:
    results = small_results(tmp_path, {
        "a": [{"validation_average_precision": 0.9, "average_precision": 0.5}],
    })  # fmt: skip
    other = results.scores.assign(model="forest", cell="a/forest/seed0")
    other["average_precision"] = [0.8, 0.99]  # validation, test
    scores = results.scores.assign(average_precision=[0.9, 0.5])
    merged = dataclasses.replace(results, scores=pd.concat([other, scores], ignore_index=True))
    assert [row.model for row in leaders(rows(merged))] == ["svm"]


def test_interval_over_seeds_stays_within_the_range_of_the_metric(tmp_path: Path) -> None:
    low, high = (
        [{name: value, f"{name}_lo_threshold": value, f"{name}_hi_threshold": value}
         for value in values]
        for name, values in (("recall", (0.5, 1.0)), ("mcc", (-0.5, 0.2)))
    )  # fmt: skip
    (recall,) = rows(small_results(tmp_path / "a", {"a": low}))
    found = recall.estimate("test", "0.5", "recall")
    assert (found.low, found.high) == (pytest.approx(0.26, abs=1e-3), 1.0)
    (mcc,) = rows(small_results(tmp_path / "b", {"a": high}))
    assert mcc.estimate("test", "0.5", "mcc").low == pytest.approx(-0.15 - 1.96 * 0.35, abs=1e-3)


def test_selected_methods_are_defined_once(real_run: Path) -> None:
    chosen = leaders([row for row in rows(read_results(real_run)) if row.ok])
    for name in ("report.md", "report.html"):
        text = (real_run / name).read_text(encoding="utf-8")
        assert text.count(leaders_caption(chosen)) == 1
        assert text.count("(see “Main results”)") > 2
    assert leaders_caption(chosen).endswith("another), and the CNN")


def test_numbers_of_tables_and_figures_have_no_gap(real_run: Path) -> None:
    pages = {
        name: (real_run / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")
    }
    for kind in ("Table", "Figure"):
        found = [int(k) for k in re.findall(rf"\*\*{kind} (\d+)\.\*\*", pages["report.md"])]
        same = [int(k) for k in re.findall(rf"<b>{kind} (\d+)\.</b>", pages["report.html"])]
        assert found == same == list(range(1, len(found) + 1))


def test_markdown_names_what_only_the_page_shows(tmp_path: Path) -> None:
    cell = (Cell("a"),)
    tables = [
        Table(name=name, caption=f"Caption {name}.", header=("x",), rows=(cell,), formats=formats)
        for name, formats in (("one", ("html", "markdown")), ("two", ("html",)),
                              ("three", ("html", "markdown")), ("four", ("latex",)))
    ]  # fmt: skip
    shown = [Pictures(name, ()) for name in ("Copy.", "Copy.", "Other.", "Copy.")]
    results = small_results(tmp_path, {"a": [{}]})
    write_report(results, {"a": Section("A", (*tables, *shown))})
    text = (results.folder / "report.md").read_text(encoding="utf-8")
    assert re.findall(r"Table (\d)\.\*\* Caption (\w+)", text) == [
        ("1", "one"), ("2", "two"), ("3", "three")
    ]  # fmt: skip
    assert "Caption two. The table is in report.html.\n\n" in text
    assert re.findall(r"(\w+\.) The images are", text) == ["Copy.", "Other.", "Copy."]


def test_confusion_counts_and_gap_come_from_the_tables(real_run: Path) -> None:
    results = read_results(real_run)
    table = [row for row in rows(results) if row.ok]
    values = [
        float(row.at("test", "recall95")["specificity"].iloc[0]) for row in table
    ]  # fmt: skip
    assert gap.medians(table, "specificity")[1] == pytest.approx(np.median(values), abs=1e-12)
    counts = next(row for row in table if row.is_cnn).at("test", "0.5").iloc[0]
    line = f"| CNN | end to end | {counts['tp']:.0f} | {counts['fp']:.0f} | {counts['tn']:.0f} |"
    assert line in (real_run / "report.md").read_text(encoding="utf-8")
