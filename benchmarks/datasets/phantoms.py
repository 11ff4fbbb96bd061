"""Phantoms: seeded synthetic frontal chest radiographs of children, the embedded default data.

Simulated: a chest of soft tissue, ribs, clavicles, shoulder blades, spine, jaw, heart,
mediastinum, thymus, trachea, diaphragm, stomach gas, lungs and their vessels, as path lengths
summed along parallel rays; pose, breath and rotation; exponential attenuation of one energy, a
veil of scatter, blur, quantum and electronic noise, logarithmic tone curve with random window and
gamma, collimator borders. Normal variants that resemble disease: a large thymus, prominent
vessels, coarse texture, an uneven cover of soft tissue, a turned heart.

Not simulated: the spectrum and divergence of a beam, real anatomy and its correlations, other
findings than a single consolidation (BACTERIA) and a reticular pattern (VIRUS), effusion, tubes,
cables and burned-in letters, age, hospitals. **Phantoms prove nothing about radiographs**: they
show that the program runs and that its methods can tell what was put in.

How hard they are is set by ``CONSOLIDATION``, ``RETICULAR``, ``VESSELS``, ``TEXTURE`` and
``AERATION`` in ``phantom_lesions``, by ``THYMUS_RATE`` in ``phantom_anatomy``, by the exposure in
``phantom_exposure`` (with the shift of the test split), and by ``COVER`` here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.phantom.anatomy import Anatomy, build_chest, draw_anatomy
from benchmarks.datasets.phantom.canvas import FRAME, grain, resample
from benchmarks.datasets.phantom.disease import Lesion, draw_lesion, draw_vessels
from benchmarks.datasets.phantom.exposure import draw_borders, draw_pose, expose, place
from benchmarks.io.columns import MANIFEST_COLUMNS
from benchmarks.io.progress import track

IMAGE_SIZE = 128  # pixels, where a run sets none
N_IMAGES = 600
FEWEST = 16  # with this many both classes are in both splits
SMALLEST = 32  # pixels a side
IMAGES_A_PATIENT = (0.25, 0.30, 0.25, 0.20)  # shares of patients with 1, 2, 3, 4 images
SEVERITY_JITTER = 0.15  # of a lesion between images of a patient
BREATH = (-0.08, 0.05)  # of the diaphragm, in half image sides
TURN = 0.035  # largest sideways shift of heart and sternum, in half image sides
COVER = 0.12  # largest unevenness of soft tissue, in depths of the chest
MASK_LEVEL = 0.4  # of the lesion's peak

# Thirty patients are dealt at a time, hand by hand: N normal, B bacteria, V virus; capitals
# train, small letters test. The first four put both classes into both splits.
_HANDS = ("N", "B", "n", "v", "NBBbVV", "NNnBBBbVVv", "NNNnBBbbVV")
_KINDS = {"N": "normal", "B": "bacteria", "V": "virus"}
_DEAL, _COUNT, _ANATOMY, _VESSELS, _LESION, _IMAGE = range(6)  # what a stream of draws is for


class Patient(NamedTuple):
    """A patient and how many images are taken; the first key of all draws is ``number``."""

    number: int
    kind: str
    split: str
    n_images: int

    def image_name(self, shot: int) -> str:
        """Name image ``shot``, counted from 1.

        Examples
        --------
        >>> Patient(12, "bacteria", "train", 3).image_name(2)
        'train/PNEUMONIA/patient012_bacteria_2.png'
        """
        folder, kind = ("NORMAL", "") if self.kind == "normal" else ("PNEUMONIA", f"_{self.kind}")
        return f"{self.split}/{folder}/patient{self.number:03d}{kind}_{shot}.png"


class Shot(NamedTuple):
    """One radiograph; all of shape (size, size)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    """The lesion."""
    fields: NDArray[np.bool_]
    """The lung fields; the lesion is inside."""


def load(config: RunConfig, size: int) -> Dataset:
    """Generate the default phantoms: the same for every seed of a run."""
    return generate(N_IMAGES, size, quiet=config.quiet)


def generate(
    n_images: int = N_IMAGES, size: int = IMAGE_SIZE, seed: int = 0, quiet: bool = True
) -> Dataset:
    """Generate phantoms with their lesion masks.

    Two thirds of the patients have a pneumonia, three of bacteria to two of virus; 70 % of the
    patients are in train, the others in test, with a mild shift of exposure, scale and noise.
    A patient's images share anatomy and lesion, and don't depend on how many others there are.

    Parameters
    ----------
    n_images : int
        At least 16.
    size : int
        Pixels a side, at least 32; changes the resolution, not what is shown.
    seed : int
        Not negative.
    quiet : bool
        Without a progress bar.

    Returns
    -------
    Dataset
        ``synthetic``, with ``masks``; splits train and test only.

    Raises
    ------
    DataError
        If an argument is out of its range.

    Examples
    --------
    >>> dataset = generate(n_images=16, size=32)
    >>> dataset.images.shape, dataset.masks.any(axis=(1, 2)).tolist() == [
    ...     label == 1 for label in dataset.manifest["label"]]
    ((16, 32, 32), True)
    """
    _check(n_images, size, seed)
    patients = enrol(n_images, seed)
    names = sorted(p.image_name(shot + 1) for p in patients for shot in range(p.n_images))
    slot = {name: row for row, name in enumerate(names)}
    images = np.empty((n_images, size, size), np.uint8)
    masks = np.empty((n_images, size, size), np.bool_)
    rows = []
    for patient in track(patients, "phantoms", len(patients), "patients", quiet):
        for number, shot in enumerate(radiograph(patient, size, seed), start=1):
            row = slot[patient.image_name(number)]
            images[row], masks[row] = shot.image, shot.mask
            rows.append(_describe(patient, number, shot))
    return Dataset(
        name="phantoms",
        images=images,
        manifest=pd.DataFrame(rows)[MANIFEST_COLUMNS].sort_values("image", ignore_index=True),
        licence="CC0 1.0 (generated by this program)",
        citation=f"Synthetic radiographs generated by this program: {n_images} phantoms of "
        f"{size} × {size} pixels, seed {seed}.",
        synthetic=True,
        masks=masks,
        notes=(
            "SYNTHETIC: drawn by a program. They show that the benchmark works; they say nothing "
            "about radiographs, patients or disease.",
            "Test phantoms are slightly smaller, brighter and noisier than train ones, on purpose.",
        ),
    )


def enrol(n_images: int, seed: int) -> list[Patient]:
    """List the patients of a data set; the last has fewer images where the number is reached.

    Parameters
    ----------
    n_images : int
    seed : int

    Returns
    -------
    list of Patient
    """
    patients: list[Patient] = []
    while n_images > 0:
        block = len(patients) // 30
        for card in _deal(block, seed):
            number = len(patients)
            wanted = 1 + _rng(seed, _COUNT, number).choice(
                len(IMAGES_A_PATIENT), p=IMAGES_A_PATIENT
            )
            count = min(int(wanted), n_images)
            if count:
                split = "train" if card.isupper() else "test"
                patients.append(Patient(number, _KINDS[card.upper()], split, count))
            n_images -= count
    return patients


def radiograph(patient: Patient, size: int, seed: int) -> Iterator[Shot]:
    """Take the radiographs of one patient.

    Parameters
    ----------
    patient : Patient
    size : int
        Pixels a side.
    seed : int

    Yields
    ------
    Shot
    """
    number = patient.number
    anatomy = draw_anatomy(_rng(seed, _ANATOMY, number))
    healthy = 1 - draw_vessels(anatomy, _rng(seed, _VESSELS, number))
    lesion = draw_lesion(patient.kind, anatomy, _rng(seed, _LESION, number))
    for shot in range(1, patient.n_images + 1):
        rng = _rng(seed, _IMAGE, number, shot)
        yield _shoot(anatomy, healthy, lesion, rng, patient.split == "test", size)


def _shoot(
    anatomy: Anatomy,
    healthy: NDArray[np.float32],
    lesion: Lesion,
    rng: np.random.Generator,
    shifted: bool,
    size: int,
) -> Shot:
    n = round(size * FRAME)
    severity = rng.uniform(1 - SEVERITY_JITTER, 1 + SEVERITY_JITTER)
    filled = 1 - healthy * np.clip(1 - severity * lesion.effect, 0, None)
    breath, turn = rng.uniform(*BREATH), rng.uniform(-TURN, TURN)
    chest = build_chest(anatomy, filled, breath, turn, n)
    cover = COVER * anatomy.cover * resample(grain(rng, 0.25), n)
    pose = draw_pose(rng, shifted)
    path = place(np.clip(chest.solid - chest.lungs + cover, 0, None), pose, size)
    fields = place(chest.fields, pose, size) > 0.5
    extent = place(resample(lesion.extent, n), pose, size) * fields
    image = expose(path, rng, shifted)
    hidden = draw_borders(rng, size)
    image[hidden] = 0
    extent[hidden] = 0
    return Shot(image, extent > MASK_LEVEL * extent.max(), fields)


def _describe(patient: Patient, number: int, shot: Shot) -> dict[str, object]:
    sick = patient.kind != "normal"
    height, width = shot.image.shape
    return {
        "image": patient.image_name(number),
        "label": int(sick),
        "class": "PNEUMONIA" if sick else "NORMAL",
        "subtype": patient.kind if sick else "",
        "group": f"{patient.kind}/{patient.number:03d}",
        "split": patient.split,
        "sha256": hashlib.sha256(shot.image.tobytes()).hexdigest(),
        "width": width,
        "height": height,
        "frames": 1,
        "bytes": 0,
    }


def _deal(block: int, seed: int) -> str:
    rng = _rng(seed, _DEAL, block)
    return "".join("".join(rng.permutation(list(hand))) for hand in _HANDS)


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _check(n_images: int, size: int, seed: int) -> None:
    lowest = {"n_images": FEWEST, "size": SMALLEST, "seed": 0}
    for name, value in {"n_images": n_images, "size": size, "seed": seed}.items():
        if value < lowest[name]:
            raise DataError(
                f"Phantoms: got {name}={value}, but expected at least {lowest[name]}. Raise it."
            )
