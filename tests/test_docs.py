"""The tables, options and links of the documentation agree with the program and its results."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pandas as pd
import pytest

from benchmarks import config
from benchmarks.checks import selection_criteria
from benchmarks.io import columns
from benchmarks.speed import __main__ as speed
from features import DEFAULT_FEATURE_SETS
from run_benchmark import READING, TEST_FRACTION, main

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Pages written by hand; report.md is the output of a run.
PAGES = [
    page
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if page != RESULTS / "report.md"
]


def _script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_scores_come_from_the_run() -> None:
    module = _script(RESULTS / "make_table.py")
    for page, name, file, table in module.TABLES:
        scores = module.read_scores(file)
        assert scores.columns.tolist() == columns.score_columns(("bacteria", "virus"))
        start, end = module.marks(name)
        assert f"{start}{table(scores)}\n{end}" in page.read_text(encoding="utf-8")
    scores = module.read_scores()
    test = scores[scores["split"] == "test"]
    assert set(test["n"]) == {624}
    assert set(DEFAULT_FEATURE_SETS) < set(test["features"])


def test_short_table_has_the_best_cell_of_each_feature_set_on_the_validation_set() -> None:
    module = _script(RESULTS / "make_table.py")
    scores = module.read_scores()
    best = module.best_cells(scores)
    own = scores[scores["split"] == "validation"].set_index("cell")
    for cell in best:
        rivals = own[own["features"] == own.loc[cell, "features"].iloc[0]]
        assert own.loc[cell, "average_precision"].max() == rivals["average_precision"].max()
    sets = [cell.split("/")[0] for cell in best]
    assert sorted(sets) == sorted([*DEFAULT_FEATURE_SETS, "pixels"])


def test_sentences_of_the_readme_on_the_cnn_are_true() -> None:
    found = {}
    for name in ("auc", "rates"):
        rows = pd.read_csv(RESULTS / f"comparisons_{name}.csv")
        own = rows[rows["cell_b"] == "pixels/cnn/seed0"]
        assert (own["difference"] < 0).all()  # the CNN has the highest values
        for metric, part in own.groupby("metric"):
            found[metric] = (int((part["p_holm"] < 0.05).sum()), len(part))
    assert found == {"auc": (15, 32), "precision": (13, 32), "specificity": (12, 32)}
    text = " ".join(README.split())
    assert "from 15 of the 32 classical methods in AUC, 13 in precision and 12 in spec" in text
    page = " ".join((RESULTS / "README.md").read_text(encoding="utf-8").split())
    assert "significantly higher than 15 of the 32 classical methods" in page
    assert "significantly higher than that of 13, its specificity than that of 12" in page


def test_sentences_of_the_results_on_the_classical_methods_are_true() -> None:
    page = " ".join((RESULTS / "README.md").read_text(encoding="utf-8").split())
    leading = pd.read_csv(RESULTS / "leading.csv")
    first = leading.loc[leading["validation"].idxmax()]
    text = (
        f"it can't tell {leading['in_set'].sum()} of {len(leading)} apart, and chooses the first "
        f"in {100 * first['chosen']:.0f} % of its resamples"
    )
    assert text in page
    rows = pd.read_csv(RESULTS / "comparisons_auc.csv")
    a, b = (rows[side].str.split("/", expand=True) for side in ("cell_a", "cell_b"))
    own = rows[(a[0] == "embedding") & (b[0] == "embedding_random") & (a[1] == b[1])]
    better = own[(own["p_holm"] < 0.05) & (own["difference"] > 0)]
    assert (len(better), len(own)) == (3, 4)
    assert "/forest/" not in "".join(better["cell_a"])


@pytest.mark.parametrize("name", ["findings", "importance", "accuracy"])
def test_pages_come_from_the_tables(name: str) -> None:
    folder = RESULTS.parent / "checks" if name == "accuracy" else RESULTS
    module = _script(folder / f"make_{name}.py")
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert text == module.page()
    assert "nan" not in text


def test_documentation_names_no_path_of_a_machine() -> None:
    collect = _script(RESULTS / "collect.py")
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.tex")]:
        text = page.read_text(encoding="utf-8")
        assert collect.without_paths(text) == text, page


def test_paths_are_shortened() -> None:
    collect = _script(RESULTS / "collect.py")
    assert collect.without_paths("--data /a/b/chest_x --out /c/d/run.") == (
        "--data path/to/chest_x --out path/to/run."
    )
    kept = "see https://doi.org/10.1000/x/y and docs/results/figures/a.svg, precision/recall"
    assert collect.without_paths(kept) == kept


def test_first_two_commands_are_make_targets() -> None:
    commands = re.findall(r"^    (\S.*?)\s*(?:#.*)?$", README, flags=re.MULTILINE)
    assert commands[:2] == ["make benchmark", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{name}:" in makefile for name in ("benchmark", "test"))


def _options(command: click.Command) -> set[str]:
    options = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    subcommands = command.commands.values() if isinstance(command, click.Group) else ()
    return options.union(*(_options(subcommand) for subcommand in subcommands))


def test_options_in_the_documentation_exist() -> None:
    pipelines = _script(RESULTS / "make_pipelines.py").main
    commands = (main, selection_criteria._main, speed.main, pipelines)
    known = {"--help"}.union(*map(_options, commands))
    for page in PAGES:
        found = set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", page.read_text(encoding="utf-8")))
        assert found <= known, page


def test_usage_describes_all_options_commands_and_tables() -> None:
    usage = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
    assert _options(main) <= set(re.findall(r"`(--[a-z][a-z-]*)", usage))
    assert all(f"run_benchmark.py {name} " in usage for name in main.commands)
    assert all(f"`{name}.csv`" in usage for name in (*columns.TABLES, *columns.MORE_TABLES))


def test_modules_and_files_named_in_the_documentation_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for module in re.findall(r"python -m ([\w.]+)", text):
            assert importlib.util.find_spec(module), f"{page.name}: {module}"
        for path in re.findall(r"(?:benchmarks|features|models|docs)/[\w/*]+\.\w+", text):
            assert any(ROOT.glob(path)), f"{page.name}: {path}"


def test_links_lead_to_files() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_tables_of_importance_come_from_the_checks() -> None:
    checks = ROOT / "docs" / "checks"
    for file, made in _script(checks / "make_tables.py").pages().items():
        page = file.read_text(encoding="utf-8")
        assert len(made) == page.count("<!-- end of ")
        for name, table in made.items():
            assert f"<!-- {name} -->\n{table}\n<!-- end of {name} -->" in page


def test_sentences_on_importance_are_true_of_the_checks() -> None:
    lesions = pd.read_csv(ROOT / "docs" / "checks" / "lesions.csv")
    cells = lesions[lesions["features"].notna() & (lesions["subtype"] == "all")]
    pure = cells[cells["method"] != "occlusion"]
    assert (pure["over_shuffled_lo"] > 0).all()
    covered = cells[cells["method"] == "occlusion"].set_index(["features", "model"])
    assert set(covered.index[covered["over_shuffled_lo"] <= 0]) == {("lbp", "svm")}
    assert not (cells.loc[cells["measure"] == "auc", "over_lesion_lo"] > 0).any()
    assert cells.loc[cells["measure"] == "share", "value"].max() < 0.41
    pointing = cells[(cells["measure"] == "pointing") & (cells["over_lesion_lo"] > 0)]
    assert pointing["method"].value_counts().to_dict() == {
        "occlusion": 4, "replacement": 3, "shap": 3,
    }  # fmt: skip
    assert set(pointing.loc[pointing["method"] != "occlusion", "features"]) == {"handcrafted"}
    planted = pd.read_csv(ROOT / "docs" / "checks" / "planted.csv")
    glued = planted[(planted["set"] == "glued") & planted["family"].notna()]
    others = planted[(planted["set"] != "glued") & planted["family"].notna()]
    assert (glued.loc[glued["method"] != "permutation", "rank"] == 1).all()
    assert (others["rank"] > 1).all()
    blind = glued[glued["rank"] > 1]
    assert set(blind["method"]) == {"permutation"}
    assert blind["share"].isna().all()


def test_the_options_on_reading_are_the_settings_on_reading() -> None:
    command = click.command()(lambda **_: None)
    for option in (*READING, TEST_FRACTION):
        command = option(command)
    names = [one.name for one in command.params]
    assert len(names) == len(config.READING)
    assert set(names) == set(config.READING)


def test_registration_raises_the_mean_auc_on_phantoms() -> None:
    table = pd.read_csv(ROOT / "docs" / "checks" / "criteria_phantoms.csv", keep_default_na=False)
    own = table[table["criterion"].isin(["blocks, changed", "test"])]
    means = own.pivot_table(
        index=["criterion", "augment", "views"], columns="preprocess", values="auc"
    )
    assert len(means) == 8
    assert (means["registration"] > means[""]).all()
    text = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert "the mean AUC by the criterion and on the test split (below)" in text
