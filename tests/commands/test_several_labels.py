from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.config import RunConfig
from benchmarks.datasets import DataError, labels_of
from run_benchmark import main
from tests.conftest import MakeOnce, report_left_empty
from tests.datasets.recipes.replicas import chexpert
from tests.helpers import textured

pytestmark = pytest.mark.slow
QUICK = ["--features", "intensity", "--models", "logistic", "--folds", "0", "--study", "none",
         "--image-size", "32", "--jobs", "1", "--no-models", "--quiet"]  # fmt: skip
LABELS = "Coarse,Some values,Mass,Rare"


def write_table(folder: Path) -> Path:
    """120 images of 60 patients; Some values has blanks and −1, Rare one positive image."""
    images, coarse = textured(120, 32, seed=1)
    noise = np.random.default_rng(2).integers(0, 256, images.shape)
    images = (0.3 * images + 0.7 * noise).astype(np.uint8)
    (folder / "images").mkdir(parents=True)
    rows = []
    for k, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / "images" / f"{k:03d}.png")
        some = ["", "-1", "0", "1", "0", "1", "1"][k % 7]
        rows.append((f"{k:03d}.png", f"p{k // 2:02d}", coarse[k], some, int(k % 5 == 0), k == 7))
    names = ["image", "patient", "Coarse", "Some values", "Mass", "Rare"]
    pd.DataFrame(rows, columns=names).astype({"Rare": int}).to_csv(
        folder / "labels.csv", index=False
    )
    return folder / "labels.csv"


def run(*arguments: object) -> Result:
    with report_left_empty():
        return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(scope="module")
def finished(make_once: MakeOnce) -> Path:
    """Table and run of four labels, of which one can't run. Read only."""

    def make(folder: Path) -> None:
        table = write_table(folder)
        done = run("--data", table, "--label", LABELS, "--test-fraction", "0.3", *QUICK,
                   "--no-cache", "--out", folder / "out")  # fmt: skip
        assert done.exit_code == 1, done.output
        assert "Label Rare can't be run" in done.output

    return make_once("several_labels", make)


def manifest(folder: Path, label: str) -> pd.DataFrame:
    return pd.read_csv(folder / "out" / label / "manifest.csv")


def test_all_labels_have_the_same_test_patients(finished: Path) -> None:
    split = pd.read_csv(finished / "out" / "split.csv").set_index("image")
    assert len(split) == 120
    assert split.groupby("patient")["split"].nunique().max() == 1
    assert 0.2 < (split["split"] == "test").mean() < 0.4
    coarse, some = manifest(finished, "Coarse"), manifest(finished, "Some-values")
    for own in (coarse, some, manifest(finished, "Mass")):
        known = split.loc[own["image"], "split"].to_numpy() == "test"
        np.testing.assert_array_equal((own["split"] == "test").to_numpy(), known)
    assert len(coarse) == 120
    assert len(some) == sum(k % 7 > 1 for k in range(120))  # blank and −1 left out for it only
    assert set(coarse["class"]) == {"no Coarse", "Coarse"}
    notes = json.loads((finished / "out" / "Mass" / "run.json").read_text())["data"]["notes"]
    assert any(note.startswith("Test drawn once for all labels, by patient: ") for note in notes)


def test_features_are_computed_once_and_not_kept_without_a_cache(finished: Path) -> None:
    for label in ("Coarse", "Some-values", "Mass"):
        features = pd.read_csv(finished / "out" / label / "features.csv")
        stored = 0 if label == "Coarse" else len(manifest(finished, label))
        assert features["from_store"].tolist() == [stored], label
    config = json.loads((finished / "out" / "Mass" / "run.json").read_text())["config"]
    assert config["use_cache"] is False
    assert config["cache"] is None


def test_the_table_of_labels_is_that_of_their_scores(finished: Path) -> None:
    table = pd.read_csv(finished / "out" / "labels.csv").set_index("label_name")
    assert list(table.index) == LABELS.split(",")
    for label, folder in (("Coarse", "Coarse"), ("Some values", "Some-values")):
        scores = pd.read_csv(finished / "out" / folder / "scores.csv")
        one = scores[(scores["split"] == "test") & (scores["operating_point"] == "recall95")]
        for name in ("threshold", "precision", "recall", "auc", "auc_lo", "n_positive"):
            assert table.loc[label, name] == one[name].iloc[0]
        for name in ("recall_lo", "specificity_hi"):
            assert table.loc[label, name] == one[f"{name}_threshold"].iloc[0]
        own = manifest(finished, folder)
        assert table.loc[label, "images"] == len(own)
        assert table.loc[label, "positives"] == own["label"].sum()
    assert table.loc["Rare", "status"] == "not_run"
    assert "Rare" in table.loc["Rare", "reason"]
    assert np.isnan(table.loc["Rare", "auc"])


def test_the_report_has_a_table_and_a_link_per_label(finished: Path, tmp_path: Path) -> None:
    html = (finished / "out" / "report.html").read_text()
    assert 'href="Some-values/report.html"' in html
    assert html.count("<table") == 4  # of all labels, and of the three that ran
    text = (finished / "out" / "report.md").read_text()
    table = pd.read_csv(finished / "out" / "labels.csv").set_index("label_name")
    assert f"| intensity | logistic | {table.loc['Mass', 'precision']:.3f} (" in text
    assert re.search(r"## Rare\s+> Not run: .*Rare", text)
    for name in ("labels.csv", "labels.json"):
        shutil.copy(finished / "out" / name, tmp_path)
    assert run("report", tmp_path).exit_code == 0
    assert (tmp_path / "report.html").read_text() == html


def test_commands_ask_for_the_run_folder_of_one_label(finished: Path) -> None:
    out = finished / "out"
    image = finished / "images" / "000.png"
    for command in (("predict", out, image), ("explain", out, image), ("importance", out),
                    ("compare", out, out / "Mass")):  # fmt: skip
        done = run(*command)
        assert done.exit_code == 2, done.output
        assert "a run of several labels, but expected the run folder of one" in done.output
        assert str(out / "Some-values") in done.output


def test_resuming_runs_what_is_missing(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    before = (folder / "out" / "labels.csv").read_text()
    shutil.rmtree(folder / "out" / "Mass")
    record = json.loads((folder / "out" / "labels.json").read_text())
    assert [one["code"] for one in record["labels"]] == [0, 0, 0, 2]
    record["labels"][2]["code"] = None
    (folder / "out" / "labels.json").write_text(json.dumps(record))
    stamp = (folder / "out" / "Coarse" / "run.json").stat().st_mtime_ns
    done = run("--resume", folder / "out", "--data", folder / "labels.csv", "--quiet")
    assert done.exit_code == 1, done.output
    assert (folder / "out" / "labels.csv").read_text() == before
    assert (folder / "out" / "Coarse" / "run.json").stat().st_mtime_ns == stamp
    done = run("--resume", folder / "out", "--seeds", "3")
    assert "a resumed run keeps its settings" in done.output


def test_a_limit_draws_the_same_images_for_all_labels(finished: Path, tmp_path: Path) -> None:
    done = run("--data", finished / "labels.csv", "--label", "Mass,Coarse", "--limit", "80",
               "--test-fraction", "0.3", *QUICK, "--cache", tmp_path / "cache",
               "--out", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    mass, coarse = (manifest(tmp_path, name) for name in ("Mass", "Coarse"))
    assert 60 < len(mass) < 100
    assert mass["image"].tolist() == coarse["image"].tolist()
    pd.testing.assert_series_equal(mass["split"] == "test", coarse["split"] == "test")


def test_the_split_does_not_depend_on_the_order_of_labels_and_rows(
    finished: Path, tmp_path: Path
) -> None:
    from benchmarks.run.common_split import common_split

    shuffled = tmp_path / "labels.csv"
    pd.read_csv(finished / "labels.csv", dtype=str).sample(frac=1, random_state=1).to_csv(
        shuffled, index=False
    )
    tables = []
    for path, labels in ((finished / "labels.csv", ("Mass", "Coarse")),
                         (shuffled, ("Coarse", "Mass"))):  # fmt: skip
        config = RunConfig(data=str(path), images=finished / "images", test_fraction=0.3,
                           image_size=32, quiet=True, jobs=1)  # fmt: skip
        tables.append(common_split(config, labels)[0])
    pd.testing.assert_frame_equal(*tables)


def test_names_of_labels(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text('image,"Mass, left",Edema\na.png,1,0\n')

    def of(label: object) -> tuple[str, ...]:
        return labels_of(RunConfig(data=str(table), label=label))

    assert of("Mass, left") == ("Mass, left",)
    assert of('"Mass, left",Edema') == ("Mass, left", "Edema")
    assert of(["Mass, left", "Edema"]) == ("Mass, left", "Edema")
    with pytest.raises(DataError, match=r"got 'Oedema', but expected columns among .*'Edema'"):
        of("Edema,Oedema")
    with pytest.raises(DataError, match="every label once"):
        of("Edema,Edema")


def test_columns_of_a_published_data_set(tmp_path: Path) -> None:
    from benchmarks.datasets.recipe_folder import list_only

    chexpert(tmp_path)
    config = RunConfig(data=f"chexpert:{tmp_path}", label="Edema,Pneumonia", test_fraction=0.2)
    assert labels_of(config) == ("Edema", "Pneumonia")
    listed = list_only(config.model_copy(update={"label": ("Pneumonia",)}))
    assert listed.classes == ("no Pneumonia", "Pneumonia")
    assert listed.draw_test


def test_labels_of_an_npz_file_by_number_and_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {}
    for name, n in (("train", 60), ("test", 20)):
        parts[f"{name}_images"] = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
        parts[f"{name}_labels"] = rng.integers(0, 2, (n, 3))
    np.savez(tmp_path / "many.npz", **parts)
    common = ["--data", tmp_path / "many.npz", *QUICK, "--cache", tmp_path / "cache"]
    done = run(*common, "--class-names", "mass,edema,hernia", "--label", "hernia,0", "--out",
               tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.output
    hernia, mass = manifest(tmp_path, "hernia"), manifest(tmp_path, "0")
    assert set(hernia["class"]) == {"no hernia", "hernia"}
    assert set(mass["class"]) == {"no mass", "mass"}
    flags = {f"train/{i:05d}": row for i, row in enumerate(parts["train_labels"])}
    flags |= {f"test/{i:05d}": row for i, row in enumerate(parts["test_labels"])}
    assert [flags[image][2] for image in hernia["image"]] == hernia["label"].tolist()
    assert [flags[image][0] for image in mass["image"]] == mass["label"].tolist()
    done = run(*common, "--label", "0,1", "--limit", "60", "--out", tmp_path / "limited")
    assert done.exit_code == 2
    assert "each would draw other images" in done.output


def test_options_that_belong_to_one_label_are_refused(finished: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.touch()
    for more in (["--external", f"net={scores}"], ["--task", "subtype"]):
        done = run("--data", finished / "labels.csv", "--label", "Mass,Coarse", *more, "--out",
                   tmp_path / "out")  # fmt: skip
        assert done.exit_code == 2
        assert "got the labels Mass, Coarse with --" in done.output
    done = run("audit", "--data", finished / "labels.csv", "--label", "Mass,Coarse", "--out",
               tmp_path / "audit")  # fmt: skip
    assert done.exit_code == 2
    assert "Mass,Coarse" in done.output
