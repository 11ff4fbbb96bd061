"""One image explained end to end, from the run folder of a small run on phantoms."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.commands.explain import explain
from benchmarks.commands.predict import predict
from benchmarks.datasets import phantoms
from benchmarks.datasets.dataset import Dataset
from benchmarks.explain.contributions import decide, default_cells
from benchmarks.io import results
from run_benchmark import main
from tests.conftest import report_left_empty

pytest.importorskip("torch")
pytest.importorskip("captum")
pytest.importorskip("shap")

pytestmark = pytest.mark.slow

SIZE = 64
SMALL = "test_resnet"
SETTINGS = ["--features", "hog,intensity,hybrid", "--models", "svm,logistic,xgboost,cnn",
            "--backbone", SMALL, "--image-size", SIZE, "--limit", 100, "--epochs", 1, "--folds", 0,
            "--study", "none", "--jobs", 1, "--quiet"]  # fmt: skip
CELLS = ["hog/svm", "intensity/xgboost", "hybrid/logistic", "pixels/cnn"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def dataset() -> Iterator[Dataset]:
    """Fewer phantoms than usual: drawing them takes longer than what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantoms, "N_IMAGES", 160)
        yield phantoms.generate(phantoms.N_IMAGES, SIZE, quiet=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    from features.backbone import create_backbone

    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    state = create_backbone(SMALL, pretrained=False, num_classes=2).model.state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, weights: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    with report_left_empty():
        done = invoke(*SETTINGS, "--weights", weights, "--out", out)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, finished: Path) -> Path:
    """Two of the run's images as files: one of test, one of train."""
    folder = tmp_path_factory.mktemp("images")
    manifest = results.read_tables(finished, ("manifest",))["manifest"]
    rows = {name: row for row, name in enumerate(dataset.manifest["image"])}
    for split in ("test", "train"):
        name = manifest[(manifest["split"] == split) & (manifest["label"] == 1)]["image"].iloc[0]
        Image.fromarray(dataset.images[rows[name]]).save(folder / f"{split}.png")
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, finished: Path, images: Path) -> Path:
    """An image of test explained with and by one cell of each kind."""
    out = tmp_path_factory.mktemp("pages") / "page"
    done = invoke("explain", finished, images / "test.png", "--cells", ",".join(CELLS),
                  "--out", out, "--quiet")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out / 'explain.html'}\n"
    return out


def numbers(page: Path) -> pd.DataFrame:
    return pd.read_csv(page / "explain.csv", dtype={"name": str}, keep_default_na=False)


def value(table: pd.DataFrame, cell: str, what: str, name: str = "") -> float:
    [found] = table[(table["cell"] == cell) & (table["what"] == what) & (table["name"] == name)][
        "value"
    ]
    return float(found)


def test_scores_and_decisions_are_those_of_predict(
    page: Path, finished: Path, images: Path
) -> None:
    scores, _ = predict(finished, [images / "test.png"], cells=CELLS, quiet=True)
    table = numbers(page)
    for one in scores.to_dict("records"):
        assert value(table, one["cell"], "score") == one["score"]
        assert value(table, one["cell"], "threshold", "recall95") == one["threshold_recall95"]
        [decision] = table[(table["cell"] == one["cell"]) & (table["what"] == "decision")
                           & (table["name"] == "recall95")]["words"]  # fmt: skip
        assert decision == one["decision_recall95"]


def test_contributions_add_up_and_are_on_the_maps(page: Path) -> None:
    table = numbers(page)
    for cell in ("intensity/xgboost/seed0", "hybrid/logistic/seed0"):
        own = table[table["cell"] == cell]
        difference = value(table, cell, "output") - value(table, cell, "expected")
        for what in ("feature", "family"):
            parts = pd.to_numeric(own[own["what"] == what]["value"])
            assert parts.sum() == pytest.approx(difference, abs=1e-4)
    regions = table[(table["cell"] == "hog/svm/seed0") & (table["what"] == "region")]
    assert regions["words"].str.startswith("HOG (edges) in the region at row").all()
    assert len(regions) == 16


def test_page_is_self_contained_and_complete(page: Path) -> None:
    html = (page / "explain.html").read_text(encoding="utf-8")
    for words in (
        "For research only", "not where disease is", "SYNTHETIC DATA", "split test, class",
        "No model was fitted or selected on it", "outside the chest", "contains no network",
        "CNN, end to end", "Most similar training images", "distance",
        "the left of the image",
    ):  # fmt: skip
        assert words in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html
    assert 'src="data:image/png;base64' in html
    assert html.count("<svg") == 1 + len(CELLS)
    kinds = {path.stem.rpartition("-")[2] for path in page.glob("*.png")}
    families = {"hog", "lbp", "glcm", "gabor", "intensity"}
    assert kinds == families | {"occlusion", "grad_cam"}
    assert len(list(page.glob("*-occlusion.png"))) == len(CELLS)
    made = {path.name for path in page.glob("*-grad_cam.png")}
    assert made == {"hybrid-logistic-seed0-grad_cam.png", "pixels-cnn-seed0-grad_cam.png"}
    with Image.open(page / "pixels-cnn-seed0-grad_cam.png") as picture:
        assert picture.size > (300, 300)


def test_neighbours_are_training_images(page: Path, finished: Path) -> None:
    table = numbers(page)
    near = table[table["what"] == "neighbour"]
    manifest = results.read_tables(finished, ("manifest",))["manifest"].set_index("image")
    assert (manifest.loc[near["name"], "split"] == "train").all()
    assert near.groupby("cell").size().to_dict() == {"hog": 6, "hybrid": 6, "intensity": 6}
    for _, part in near.groupby("cell"):
        distances = pd.to_numeric(part["value"])
        assert distances.is_monotonic_increasing
        assert distances.iloc[0] > 0


def test_an_image_of_train_is_no_neighbour_of_itself(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    path = explain(finished, images / "train.png", tmp_path / "out", cells=["intensity/logistic"],
                   quiet=True)  # fmt: skip
    html = path.read_text(encoding="utf-8")
    assert "The models were fitted on it" in html
    assert "The image itself is among them and is excluded." in html
    near = numbers(tmp_path / "out")
    assert (pd.to_numeric(near[near["what"] == "neighbour"]["value"]) > 0).all()


def test_without_data_the_page_lacks_neighbours_only(
    finished: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    change_config(run, data="/nowhere/chest")
    cells = ["intensity/svm", "intensity/xgboost", "intensity/logistic"]
    path = explain(run, images / "test.png", tmp_path / "out", cells=cells, quiet=True)
    assert "--data /nowhere/chest: found nothing there" in capsys.readouterr().err
    html = path.read_text(encoding="utf-8")
    assert "The run&#39;s data can&#39;t be read here" in html
    assert "the mean training image" in html
    table = numbers(tmp_path / "out")
    assert not (table["what"] == "neighbour").any()
    assert set(table["what"]) > {"feature", "region", "family", "map_largest"}
    again = explain(run, images / "test.png", tmp_path / "again", cells=["intensity/svm"],
                    moved={"data": "phantoms"}, quiet=True)  # fmt: skip
    assert "Most similar" in again.read_text(encoding="utf-8")
    assert (numbers(tmp_path / "again")["what"] == "neighbour").any()


def test_other_data_given_by_hand_are_refused(
    finished: Path, images: Path, tmp_path: Path, radiograph_folder: Path
) -> None:
    for data, found in (
        (radiograph_folder, "images, of which 0 belong to the run"),
        ("/none", "nothing"),
    ):
        done = invoke("explain", finished, images / "test.png", "--cells", "intensity/logistic",
                      "--data", data, "--out", tmp_path / "out")  # fmt: skip
        assert done.exit_code == 2
        assert found in done.output
        assert not (tmp_path / "out").exists()


def change_config(run: Path, **values: Any) -> None:
    record = json.loads((run / "run.json").read_text())
    record["config"].update(values)
    (run / "run.json").write_text(json.dumps(record))


def test_unusable_arguments_are_refused(finished: Path, images: Path, tmp_path: Path) -> None:
    image, out = images / "test.png", tmp_path / "out"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "broken.png").write_bytes(b"no image")
    for arguments, found in (
        ((finished, tmp_path / "none.png"), "none.png: expected an image, found nothing"),
        ((finished, images), "expected an image, found a folder"),
        ((finished, tmp_path / "broken.png"), "broken.png: found"),
        ((finished, image, "--cells", "lbp"), "--cells: got 'lbp', expected some of: hog/logistic"),
        ((finished, image, "--cells", ""), "--cells: got ''"),
        (
            (finished, image, "--out", tmp_path / "full"),
            "expected a new or empty folder, found fil",
        ),
        ((finished, image, "--out", image), "expected a new or empty folder, found a file"),
        ((finished, image, "--cells", "hybrid", "--weights", image), "test.png"),
        ((tmp_path, image), "manifest.csv"),
    ):
        given = arguments if "--out" in arguments else (*arguments, "--out", out)
        done = invoke("explain", *given)
        assert done.exit_code == 2, done.output
        assert found in done.output
        assert not out.exists()


def test_a_run_without_models_or_of_several_classes_is_refused(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    shutil.rmtree(run / "models")
    done = invoke("explain", run, images / "test.png", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "expected fitted models in its folder models" in done.output
    change_config(run, task="subtype")
    done = invoke("explain", run, images / "test.png", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "more than two classes (--task subtype), but explain works with runs of two" in (
        done.output
    )


def test_default_cells_are_the_best_on_validation(finished: Path) -> None:
    run = results.read_results(finished)
    every = run.scores["cell"].unique().tolist()
    chosen = default_cells(run, every)
    assert [name.split("/")[0] for name in chosen] == ["hog", "intensity", "hybrid", "pixels"]
    precision = run.scores[
        (run.scores["split"] == "validation") & (run.scores["operating_point"] == "0.5")
    ].set_index("cell")["average_precision"]
    for name in chosen[:3]:
        features = name.split("/")[0]
        rivals = precision[[cell for cell in every if cell.startswith(f"{features}/")]]
        assert precision[name] == rivals.max()
    left = [name for name in every if name != chosen[0]]
    assert chosen[0] not in default_cells(run, left)


def test_nearness_counts_validation_images_in_between(finished: Path) -> None:
    run = results.read_results(finished)
    cell: Any = SimpleNamespace(name="hog/svm/seed0", threshold=0.7)
    table = decide(run, cell, 0.4)
    own = run.predictions[run.predictions["cell"] == cell.name]
    scores = own[own["split"] == "validation"]["score"]
    np.testing.assert_allclose(table["distance"], [-0.1, -0.3])
    assert table["between"].tolist() == [
        scores.between(0.4, 0.5).mean(), scores.between(0.4, 0.7).mean(),
    ]  # fmt: skip
    assert table["decision"].tolist() == ["NORMAL", "NORMAL"]


def test_importance_outside_the_chest_is_reported() -> None:
    from benchmarks.explain.cell_section import _read_maps
    from benchmarks.explain.explanation import Explained

    corner = np.zeros((100, 100))
    corner[:10, :10] = 1
    for sign, decision in ((1, "Mass"), (-1, "No Finding")):
        decisions = pd.DataFrame(
            {"decision": ["No Finding", decision], "distance": [-0.1, 0.1 * sign]}
        )
        cell: Any = SimpleNamespace(families=())
        one = Explained(
            cell, 0.9, decisions, maps={"occlusion": sign * corner, "hog": -sign * corner}
        )
        assert one.outside(sign * corner) == 1
        covered, outside = (block.parts[0] for block in _read_maps(one))
        assert f"evidence for {decision} outside the chest" in outside
        assert "Occlusion: 100 %, more than a uniform map" in outside
        assert "HOG (edges): no evidence for it" in outside
        assert ("by at most 1 and increases" if sign > 0 else "increases by at most 1") in covered


def test_grad_cam_of_opposite_sign_is_reported() -> None:
    from benchmarks.explain.cell_section import _slope
    from benchmarks.explain.explanation import Explained

    cell: Any = SimpleNamespace(families=("hog", "embedding"))
    for along, warnings in ((0.01, 0), (-0.01, 1)):
        one = Explained(cell, 0.9, pd.DataFrame(), families={"hog": -9, "embedding": 2.0},
                        maps={"grad_cam": np.full((10, 10), along)})  # fmt: skip
        assert len(_slope(one)) == warnings


def test_grad_cam_and_columns_of_a_linear_classifier_agree(finished: Path, images: Path) -> None:
    """The map adds up to what the network's columns add, both against the mean training image."""
    from benchmarks.explain.contributions import contribute
    from benchmarks.explain.explanation import Explained
    from benchmarks.explain.grad_cam import add_grad_cam
    from benchmarks.extraction.prepare import load_preparation
    from benchmarks.saved.fitted_cells import descriptors_of, load_cells
    from benchmarks.saved.stored_config import scoring_config
    from features.reading.images import read_image

    run = results.read_results(finished)
    config = scoring_config(run, None, quiet=True)
    [cell] = load_cells(run, ["hybrid/logistic"])
    descriptors = descriptors_of(run, config, [cell])
    prepare = load_preparation(finished, config)
    image = prepare(read_image(images / "test.png").pixels[None])
    row = np.concatenate([descriptors[f].transform(image)[0] for f in cell.families])
    one = Explained(cell, 0.5, pd.DataFrame())
    contribute(one, row, None, descriptors, (SIZE, SIZE))
    add_grad_cam(one, image[0], row, descriptors)
    assert one.maps["grad_cam"].sum() == pytest.approx(one.families["embedding"], rel=1e-3)
    assert sum(one.families.values()) == pytest.approx(one.output - one.expected, abs=1e-6)
