"""Where the splits and classes of a folder are, as published archives unpack."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.image_files import ARCHIVE_FOLDER, list_below
from benchmarks.datasets.names.class_names import normalised
from benchmarks.datasets.names.split_names import SPLIT_NAMES
from benchmarks.datasets.splits import ALL
from features.reading.images import IGNORED_NAMES

NO_SPLIT = ""
_COMMON = ("train", "val", "test")  # names that need no note
_LEVELS = 2  # how far below the given folder the data may be
_IMAGES = "images"  # the folder of images below a class that has other folders, too
_MASKS = re.compile(r"(.*[\s_-])?masks?", re.IGNORECASE)


@dataclass(frozen=True)
class ClassFolder:
    """The folder with the images of one class in one split.

    Attributes
    ----------
    path : Path
    name : str
        Of the class; of several spellings, that of the first split.
    split : {"train", "validation", "test", ""}
        Empty if the data have no splits.
    """

    path: Path
    name: str
    split: str


@dataclass(frozen=True)
class Layout:
    """The folders of a data set.

    Attributes
    ----------
    root : Path
        The folder that holds the splits, or the classes if there are no splits.
    places : mapping of str to Path
        Folder of each split; of ``""`` if there are none.
    folders : tuple of ClassFolder
        Of all classes that were found.
    ignored : int
        Number of files beside the folders.
    notes : tuple of str
        What was assumed or passed over, for the report.
    """

    root: Path
    places: Mapping[str, Path]
    folders: tuple[ClassFolder, ...]
    ignored: int
    notes: tuple[str, ...]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        return sorted({one.name for one in self.folders})

    def require(self, classes: Collection[str], fraction: float | None = None) -> None:
        """Check that every split has a folder of each class, and that train and test are there.

        Parameters
        ----------
        classes : collection of str
            Those that are used.
        fraction : float, optional
            Of the images that are drawn from train as test split, so that it may be missing; with
            ``ALL``, train may be missing, too.

        Raises
        ------
        DataError
            Naming the folders that were found.
        """
        listed = _listed(subfolders(self.root))
        if fraction is None and self.places == {NO_SPLIT: self.root}:
            raise DataError(
                f"{self.root}: found the classes {listed} without splits, but expected train and "
                "test. Draw a test split by patient with --test-fraction 0.2, or give the folder "
                "with {train,test} as --data."
            )
        expected = f"Give the folder with {{train,test}}/{{{','.join(classes)}}} as --data."
        needed = {"train", "test"} if fraction is None else {"train"} if fraction < ALL else set()
        if NO_SPLIT not in self.places and not needed <= set(self.places):
            raise DataError(
                f"{self.root}: found the folders {listed}, but expected train and test (and "
                f"optionally val). {expected} --test-fraction 0.2 draws a test split from train."
            )
        for split, place in self.places.items():
            found = [one.name for one in self.folders if one.split == split]
            if not set(classes) <= set(found):
                raise DataError(
                    f"{place}: found the folders {_listed(found)}, but expected "
                    f"{' and '.join(classes)}. {expected}"
                )


def find_layout(folder: Path) -> Layout:
    """Find the splits and classes in a folder.

    Splits are found by their names in any case, as ``Val`` or ``validation``. Classes are all
    other folders; directly in the folder, they have no splits. Below a class, only the folder
    ``images`` is read where there is one, and folders of masks never are. A folder above the data
    is opened if it holds only one such set. A copy of the splits beside them is passed over.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Layout

    Raises
    ------
    DataError
        If there is no such set or several, or a split is there twice.
    OSError
        If a folder can't be listed.
    """
    root = _open(folder)
    splits = _split_folders(root)
    notes = [] if root == folder else [f"The data were found in {_below(root, folder)}."]
    notes += [*_copies(root, splits), *_unusual(splits)]
    places = splits or {NO_SPLIT: root}
    spellings: dict[str, list[str]] = {}
    folders, ignored, passed = [], _files(root), 0
    for split, place in places.items():
        ignored += _files(place) if splits else 0
        for child in _class_folders(place) if splits else _with_files(place):
            names = spellings.setdefault(normalised(child.name), [])
            names += [child.name] * (child.name not in names)
            images, beside, masks = _images_of(child)
            folders.append(ClassFolder(images, names[0], split))
            ignored, passed = ignored + beside, passed + masks
    notes += [f"Folders of one class: {', '.join(n)}." for n in spellings.values() if len(n) > 1]
    notes += [f"{passed} folders of masks were not read."] * bool(passed)
    return Layout(root, places, tuple(folders), ignored, tuple(notes))


def subfolders(parent: Path) -> list[str]:
    """List the names of the folders in a folder, sorted, without those of archive programs.

    Parameters
    ----------
    parent : Path

    Returns
    -------
    list of str
    """
    return sorted(
        path.name
        for path in parent.iterdir()
        if not path.name.startswith(".") and path.name != ARCHIVE_FOLDER and path.is_dir()
    )


def _open(folder: Path) -> Path:
    """Find the one folder with data: the given one, or one below it."""
    if _split_folders(folder) or _is_layout(folder):
        return folder
    found = _layouts_below(folder, _LEVELS)
    if len(found) == 1:
        return found[0]
    several = f" {_listed([_below(one, folder) for one in found])} hold data; give one of them as"
    raise DataError(
        f"{folder}: found the folders {_listed(subfolders(folder))}, but expected train and test "
        "(and optionally val), or folders of images that are named after their classes."
        + (several if found else " Give the folder with {train,test}/{NORMAL,PNEUMONIA} as")
        + f" --data{'' if found else ', or a table that names images and labels'}."
    )


def _layouts_below(folder: Path, levels: int) -> list[Path]:
    found = []
    for name in subfolders(folder) if levels else ():
        child = folder / name
        found += [child] if _is_layout(child) else _layouts_below(child, levels - 1)
    return found


def _is_layout(folder: Path) -> bool:
    """Whether a folder holds train and test, or at least two folders of images."""
    splits = _split_folders(folder)
    return {"train", "test"} <= set(splits) if splits else len(_with_files(folder)) > 1


def _split_folders(folder: Path) -> dict[str, Path]:
    """Find the folders of splits, in the order train, validation, test."""
    found: dict[str, list[str]] = {}
    for name in subfolders(folder):
        if name.lower() in SPLIT_NAMES:
            found.setdefault(SPLIT_NAMES[name.lower()], []).append(name)
    for split, names in found.items():
        if len(names) > 1:
            raise DataError(
                f"{folder}: found the folders {_listed(names)}, but expected one {split} split. "
                "Move their images into one of them."
            )
    return {split: folder / found[split][0] for split in SPLIT_NAMES.values() if split in found}


def _class_folders(parent: Path) -> list[Path]:
    """List the folders in a folder that may be classes: all but those of images and masks."""
    return [
        parent / name
        for name in subfolders(parent)
        if name.lower() != _IMAGES and not _MASKS.fullmatch(name)
    ]


def _with_files(parent: Path) -> list[Path]:
    """List the folders that may be classes and hold files."""
    return [child for child in _class_folders(parent) if _holds_files(_images_of(child)[0])]


def _holds_files(folder: Path) -> bool:
    shown = (path for path in folder.iterdir() if not path.name.startswith("."))
    return any(path.name.lower() not in IGNORED_NAMES and not path.is_dir() for path in shown)


def _images_of(folder: Path) -> tuple[Path, int, int]:
    """Find the folder with the images of a class; count files beside it, and folders of masks."""
    inside = subfolders(folder)
    masks = sum(bool(_MASKS.fullmatch(name)) for name in inside)
    named = [name for name in inside if name.lower() == _IMAGES]
    return (folder / named[0], _files(folder), masks) if named else (folder, 0, masks)


def is_mask_folder(path: Path) -> bool:
    """Whether a path is a folder of masks.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return bool(_MASKS.fullmatch(path.name)) and path.is_dir()


def _files(folder: Path) -> int:
    """Count files where folders are expected."""
    return sum(not path.is_dir() for path in folder.iterdir())


def _copies(root: Path, splits: Mapping[str, Path]) -> list[str]:
    """Pass over folders beside the splits that repeat them, as in Kaggle's archive."""
    notes = []
    for name in subfolders(root) if splits else ():
        if root / name in splits.values() or _MASKS.fullmatch(name):
            continue
        inner = root / name
        if not _split_folders(inner):
            raise DataError(
                f"{root}: found the folders {_listed(subfolders(root))}, but expected only train, "
                f"val and test. Move {name} elsewhere."
            )
        own, ours = _sizes(inner), _sizes(root)
        other = sorted(path for path, size in own.items() if ours.get(path) != size)
        if other:
            raise DataError(
                f"{inner}: found {len(other)} files that are not in the same place in {root}, such "
                f"as {other[0]}, but expected a copy of it. Move {name} elsewhere, or give one of "
                "the two folders as --data."
            )
        notes.append(
            f"The folder {name} repeats {len(own):,} files of the splits; it was not read."
        )
    return notes


def _sizes(root: Path) -> dict[str, int]:
    return {path: (root / path).stat().st_size for path in list_below(root)[0]}


def _unusual(splits: Mapping[str, Path]) -> list[str]:
    """Say which folders were taken as which split, where they have other names than usual."""
    words = [f"{place.name} as {split}" for split, place in splits.items()
             if place.name not in _COMMON]  # fmt: skip
    return [f"Folders taken as splits: {', '.join(words)}."] if words else []


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:12]) or "none"
