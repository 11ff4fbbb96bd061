from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.extraction import store_keys
from benchmarks.extraction.store import StoreError
from benchmarks.extraction.store_keys import (
    SOURCES,
    FamilyKey,
    family_key,
    hash_images,
    libraries,
    modules_used,
)
from features import FEATURES, Hog, ImageDescriptor, Intensity, Lbp
from features.embedding import FrozenEmbedding
from tests.helpers import grey_images, textured

ROOT = Path(__file__).parents[2]
IMAGES = textured(2, 64)[0]


def key(descriptor: ImageDescriptor) -> bytes:
    return family_key(descriptor.fit(IMAGES)).key


def network(source: str = "file a.safetensors (sha256 0123456789abcdef)", **given: Any) -> bytes:
    """Key of an embedding without loading its network."""
    descriptor = FrozenEmbedding(**given)
    descriptor.image_shape_, descriptor.weights_source_ = (64, 64), source
    return family_key(descriptor).key


@given(grey_images(1, 12), st.data())
def test_hash_of_an_image_depends_on_its_pixels(image: Any, data: st.DataObject) -> None:
    [before] = hash_images(image[None])
    assert len(before) == 16
    assert hash_images(np.asfortranarray(image)[None]) == [before]
    row, column = (data.draw(st.integers(0, side - 1)) for side in image.shape)
    image[row, column] ^= 1
    assert hash_images(image[None]) != [before]


def test_hash_of_an_image_depends_on_its_shape() -> None:
    image = np.arange(36, dtype=np.uint8)
    shapes = [(1, height, 36 // height) for height in (1, 2, 3, 4, 6, 9, 12, 18, 36)]
    assert len({hash_images(image.reshape(shape))[0] for shape in shapes}) == len(shapes)


def test_hash_of_an_image_ignores_the_other_images() -> None:
    assert hash_images(IMAGES[1:]) == hash_images(IMAGES)[1:]
    assert hash_images(IMAGES[::-1]) == hash_images(IMAGES)[::-1]


@pytest.mark.parametrize("images", [np.zeros((2, 2), np.uint8), np.zeros((1, 2, 2))])
def test_other_arrays_are_rejected(images: Any) -> None:
    with pytest.raises(ValueError, match=r"but expected \(n, height, width\) uint8"):
        hash_images(images)


def test_key_is_the_same_for_the_same_family() -> None:
    assert family_key(Hog().fit(IMAGES)) == family_key(Hog(n_jobs=2).fit(IMAGES[:1]))
    assert isinstance(family_key(Hog().fit(IMAGES)), FamilyKey)
    assert family_key(Hog().fit(IMAGES)).name == "HOG 64×64"
    assert Lbp(radii=[1, 2]).radii != (1, 2)  # type: ignore[arg-type]
    assert key(Lbp(radii=[1, 2])) == key(Lbp(radii=(1, 2)))  # type: ignore[arg-type]


def test_key_depends_on_class_parameters_and_image_size() -> None:
    keys = [key(Hog()), key(Lbp()), key(Lbp(grid=4)), key(Lbp(radii=(1, 2))), key(Intensity())]
    keys.append(family_key(Hog().fit(textured(2, 80)[0])).key)
    assert len(set(keys)) == len(keys)


def test_key_depends_only_on_the_hash_of_the_weights() -> None:
    here, there = "file a.pth (sha256 0123456789abcdef)", "timm hub b (sha256 0123456789abcdef)"
    other = "file a.pth (sha256 1123456789abcdef)"
    assert network(here) == network(there) == network(here, weights=Path("/a.pth"), n_jobs=3)
    keys = [
        network(here),
        network(other),
        network(f"a: {here}; b: {other}"),
        network(f"a: {here}; b: {here}"),
        network(here, backbone="resnet18"),
        network(here, batch_size=8),
        network(here, pooling="gem"),
        network(here, layers=(1, -1)),
        network(here, layers=(1,)),
        network("random (seed 0)", pretrained=False),
        network("random (seed 1)", pretrained=False),
        network("random (seed 0)", pretrained=False, seed=1),
    ]
    assert len(set(keys)) == len(keys)


def test_an_option_that_is_not_used_adds_nothing_to_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = FrozenEmbedding.get_params
    before = network()
    assert network(layers=None) == before != network(layers=(0,))
    monkeypatch.setattr(
        FrozenEmbedding,
        "get_params",
        lambda self, deep: {k: v for k, v in own(self, deep).items() if k != "layers"},
    )
    assert network() == before


@pytest.mark.parametrize("library", ["numba", "numpy", "scikit-image", "timm", "torch"])
def test_key_depends_on_the_versions(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    before = key(Hog()), network()
    true = store_keys._version
    monkeypatch.setattr(store_keys, "_version", lambda name: true(name) + "1" * (name == library))
    after = key(Hog()), network()
    assert (after[0] != before[0]) == (library in libraries(Hog, SOURCES))
    assert (after[1] != before[1]) == (library in libraries(FrozenEmbedding, SOURCES))


def test_modules_are_followed_through_every_form_of_import() -> None:
    sources = {
        "p": "import p.all",
        "p.all": "",
        "p.a": "def f():\n    from p.b import x\nif True:\n    import p.c as y",
        "p.b": "from p import d\nimport numpy",
        "p.c": "import p.a",
        "p.d": "",
        "p.e": "import p.a",
    }
    assert modules_used("p.a", sources) == ("p", "p.a", "p.all", "p.b", "p.c", "p.d")
    assert modules_used("p.c", sources) == modules_used("p.a", sources) != ()
    assert modules_used("elsewhere", sources) == ()


def test_modules_of_a_family_are_those_that_compute_it() -> None:
    assert modules_used("features.lbp", SOURCES) == (
        "features.base", "features.compiled", "features.geometry", "features.lbp",
    )  # fmt: skip
    assert "features.weights" in modules_used("features.embedding", SOURCES)
    assert libraries(FrozenEmbedding, SOURCES) == ("numpy", "timm", "torch")
    assert libraries(Lbp, SOURCES) == ("numba", "numpy", "scikit-image")


class Declaring(Intensity):
    """A family of another package that computes with scikit-learn."""

    libraries = ("scikit-learn",)


def test_imported_and_declared_libraries_are_in_the_key() -> None:
    sources = {**SOURCES, __name__: "import features.intensity\nfrom scipy.stats import skew"}
    assert libraries(Declaring, sources) == ("numba", "numpy", "scikit-learn", "scipy")


@pytest.mark.slow
def test_key_depends_on_the_source_of_every_module(tmp_path: Path) -> None:
    for package in ("benchmarks", "features"):
        shutil.copytree(ROOT / package, tmp_path / package)
    before = [key(Lbp()).hex(), key(Hog()).hex()]
    for name, changed in [("lbp", [True, False]), ("base", [True, True])]:
        with (tmp_path / "features" / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write("# edited\n")
        after = keys_in(tmp_path)
        assert [a != b for a, b in zip(after, before, strict=True)] == changed
        before = after


def keys_in(folder: Path) -> list[str]:
    code = (
        "import numpy as np; from benchmarks.extraction.store_keys import family_key;"
        "from features import Hog, Lbp; images = np.zeros((1, 64, 64), np.uint8);"
        "print(*[family_key(kind().fit(images)).key.hex() for kind in (Lbp, Hog)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_nothing_is_stored_after_an_edit_while_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "features", tmp_path / "features")
    monkeypatch.setattr(store_keys, "PACKAGE", tmp_path / "features")
    before = key(Lbp())
    with (tmp_path / "features" / "lbp.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    with pytest.raises(StoreError, match=r"features\.lbp was edited .* Restart it"):
        key(Lbp())
    assert key(Hog())
    shutil.copy(ROOT / "features" / "lbp.py", tmp_path / "features")
    assert key(Lbp()) == before


class Elsewhere(Intensity):
    """A family of another package."""


def test_source_of_another_package_is_in_the_key() -> None:
    sources = store_keys._sources_of(__name__)
    used = modules_used(__name__, sources)
    assert {__name__, "tests.helpers", "features.intensity"} <= set(used)
    assert key(Elsewhere()) != key(Intensity())


def outside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a made-up package whose family uses a module beside it."""
    package = folder / "made_up"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text("import features.intensity\n", encoding="utf-8")
    code = "from features import Intensity\nfrom . import kernels\n"
    code += "class MadeUp(Intensity):\n    pass\n"
    (package / "family.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    for name in ("made_up", "made_up.kernels", "made_up.family"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    store_keys._read_elsewhere.cache_clear()
    return importlib.import_module("made_up.family")


def test_key_follows_relative_imports_and_rejects_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = outside(tmp_path, monkeypatch)
    with pytest.raises(StoreError, match=r"made_up\.family was edited .* Restart it"):
        key(family.MadeUp())  # written after the program started
    monkeypatch.setattr(store_keys, "STARTED", time.time() + 60)
    assert key(family.MadeUp())
    assert "made_up.kernels" in store_keys._sources_of("made_up.family")
    (tmp_path / "made_up" / "kernels.py").write_text("# edited", encoding="utf-8")
    with pytest.raises(StoreError, match=r"made_up\.kernels was edited"):
        key(family.MadeUp())


def test_a_class_without_a_file_is_rejected() -> None:
    kind = type("Typed", (Intensity,), {"__module__": "typed_in_a_shell"})
    with pytest.raises(StoreError, match="Put the class into a file"):
        key(kind())


def test_a_parameter_that_is_not_a_plain_value_is_rejected() -> None:
    descriptor = Intensity().fit(IMAGES)
    descriptor.grid = {1, 2}  # type: ignore[assignment]
    with pytest.raises(StoreError, match="a parameter can't be part of a key"):
        family_key(descriptor)


@pytest.mark.parametrize("family", [name for name in FEATURES if "embedding" not in name])
def test_every_family_has_a_key(family: str) -> None:
    found = family_key(FEATURES[family]().fit(IMAGES))
    assert len(found.key) == 16
    assert found.name.startswith(FEATURES[family].title)
