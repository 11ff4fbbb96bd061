from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from benchmarks.config import ConfigError, RunConfig, load_config


def test_command_line_wins_over_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('image-size = 96\nfeatures = ["hog", "lbp"]\nmax_unreadable = 0.5\n')
    config = load_config({"image_size": "64", "seeds": "0,2"}, file)
    assert config.image_size == 64
    assert config.features == ("hog", "lbp")
    assert config.max_unreadable == 0.5
    assert config.seeds == (0, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"features": "hog,lpb"},
            r"--features: got .*unknown 'lpb' \(did you mean lbp\?\).*texture",
        ),
        ({"features": "hog+lpb"}, r"unknown 'lpb' \(did you mean lbp\?\).*texture"),
        ({"features": "hog+"}, r"--features: got hog\+: expected names joined by \+ .*none empty"),
        ({"features": "+hog"}, "none empty"),
        ({"features": "hog+lbp+hog"}, "none twice"),
        ({"features": "texture+glcm"}, "texture has all columns of glcm; expected it without glcm"),
        ({"features": "hog+lbp,hog + lbp"}, "no feature set twice"),
        ({"features": "hog+lbp,lbp+hog"}, "no feature set twice"),
        ({"features": "hog+pixels"}, "unknown 'pixels'"),
        ({"features": "hog", "features_from": "net=net.npz"}, "names net; expected it among"),
        ({"models": "svn"}, r"unknown 'svn' \(did you mean svm\?\); choices: svm, forest, xgboost"),
        ({"balance": "smot"}, "choices: smote, borderline, svmsmote, adasyn, oversample, under"),
        ({"seeds": "0,x"}, "--seeds: got x: expected integers from 0 to 4294967295"),
        ({"seeds": "1,1"}, "none twice"),
        ({"layers": "1,1"}, "--layers: got 1,1: expected numbers of layers, .* none twice"),
        ({"layers": ""}, "--layers: got : expected numbers of layers"),
        ({"layers": [1, 2.5]}, "expected numbers of layers"),
        ({"layers": True}, "--layers: got True: expected numbers of layers"),
        ({"preprocess": "clahe,clahe"}, "each step once"),
        ({"preprocess": "none,clahe"}, "none alone"),
        ({"combine": "none,mean"}, "none alone"),
        ({"seeds": "-1"}, "from 0 to"),
        ({"features": ""}, "at least one"),
        ({"image_size": "8"}, "--image-size: got 8: expected an integer from 28 to 2048"),
        ({"crop": "1.5"}, "--crop: got 1.5: expected a number from 0.5 to 1.0"),
        ({"crop": "x"}, "--crop: got x: expected a number from 0.5 to 1.0"),
        ({"jobs": "9" * 20}, "--jobs: got 9+: expected an integer from 1 to 1024"),
        ({"jobs": "0"}, "--jobs: got 0: expected an integer from 1 to 1024"),
        ({"jobs": "two"}, "--jobs: got two: expected an integer from 1 to 1024"),
        ({"jobs": 1.5}, "--jobs: got 1.5: expected an integer from 1 to 1024"),
        ({"folds": "9" * 5000}, "--folds: got 9+: expected an integer from 0 to 20"),
        ({"limit": "9" * 20}, "--limit: got 9+: expected an integer from 50 to 1000000000"),
        ({"epochs": "9" * 20}, "--epochs: got 9+: expected an integer from 1 to 100000"),
        ({"batch_size": "1"}, "--batch-size: got 1: expected an integer from 2 to 65536"),
        ({"external": "a b=x.csv"}, "got the name 'a b', but expected letters, digits"),
        ({"external": [["a/b", "x.csv"]]}, "got the name 'a/b', but expected letters, digits"),
        ({"external": {"<a>": "x.csv"}}, "got the name '<a>', but expected letters, digits"),
        ({"external": "=x.csv"}, "got the name '', but expected"),
        ({"limit": "3"}, "--limit"),
        ({"seeds": True}, "--seeds: got True: expected a number"),
        ({"epochs": True}, "--epochs: got True: expected a number"),
        ({"data": ""}, "--data: got "),
        ({"image-size": 64, "image_size": 96}, "given with - and with _"),
        ({"weights": "/no/such"}, "--weights: got /no/such: expected an existing"),
        ({"weights": "test_vit=a.pth"}, "--weights: got files for test_vit, but expected at most"),
        ({"weights": "a.pth", "backbone": "test_vit,test_resnet"}, "--weights: got one file for"),
        ({"backbone": "test_vit,test_vit"}, "--backbone: got test_vit,test_vit: expected names"),
    ],
)
def test_impossible_values_are_refused_with_choices(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(options)


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("imagesize = 96\n")
    with pytest.raises(
        ConfigError, match=r"run.toml: unknown key imagesize \(did you mean image-s"
    ):
        load_config({}, file)


@pytest.mark.parametrize("text", ["features = [", None])
def test_unreadable_file_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "run.toml"
    if text:
        file.write_text(text)
    with pytest.raises(ConfigError, match="run.toml: expected a TOML file"):
        load_config({}, file)


def test_config_is_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        RunConfig().seeds = (1,)  # type: ignore[misc]


def test_weights_are_one_file_or_one_per_network(tmp_path: Path) -> None:
    odd = tmp_path / "lr=0.1,b.pth"
    odd.touch()
    assert load_config({"weights": str(odd)}).weights == odd
    given = {"backbone": "test_vit, test_resnet", "weights": f"test_resnet={odd.parent}/c.pth"}
    (tmp_path / "c.pth").touch()
    config = load_config(given)
    assert config.backbones == ("test_vit", "test_resnet")
    assert config.weights == (("test_resnet", tmp_path / "c.pth"),)
    stored = config.model_dump(mode="json")
    assert load_config({}, stored=stored) == config


def test_layers_are_numbers_or_none() -> None:
    assert load_config({}).layers is None
    assert load_config({"layers": -1}).layers == (-1,)
    config = load_config({"layers": "3, -1"})
    assert config.layers == (3, -1)
    assert load_config({}, stored=config.model_dump(mode="json")) == config


def test_columns_and_values_may_contain_commas() -> None:
    config = load_config(
        {
            "columns": 'image=Path, patient="Patient ID","label=Finding, first"',
            "positive": 'A,"B, viral"',
            "negative": ["No Finding, at all"],
        }
    )
    assert config.columns == (
        ("image", "Path"), ("patient", "Patient ID"), ("label", "Finding, first"),
    )  # fmt: skip
    assert config.positive == ("A", "B, viral")
    assert config.negative == ("No Finding, at all",)
    assert load_config({"positive": 1}).positive == ("1",)
    assert load_config({"columns": {"image": "Path"}}).columns == (("image", "Path"),)
    again = load_config({}, stored=config.model_dump(mode="json", exclude_none=True))
    assert again == config


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("columns", "Path", "expected image|label"),
        ("columns", "imag=Path", "did you mean image"),
        ("columns", "image=a,image=b", "every key once"),
        ("patient_pattern", "(", "expected a regular expression"),
        ("test_fraction", "0", "a number from 0.01 to 0.9"),
        ("uncertain", "maybe", "drop"),
        ("images", "nowhere", "expected an existing folder"),
        ("split", "nowhere", "expected an existing list"),
        ("label", ["a", "a"], "every label once"),
    ],
)
def test_what_says_how_to_read_data_is_checked(option: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"--{option.replace('_', '-')}: got .*{message}"):
        load_config({option: value})
