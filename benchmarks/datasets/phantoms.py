"""Phantoms: seeded synthetic frontal chest radiographs of children, the default data.

Simulated: a chest of soft tissue, ribs, clavicles, scapulae, spine, jaw, heart, mediastinum,
thymus, trachea, diaphragm, stomach gas, lungs and their vessels, as path lengths along parallel
rays; pose, breathing and rotation; exponential attenuation of one energy, scatter, blur, quantum
and electronic noise, a logarithmic tone curve with random window and gamma, collimator borders.
Normal variants that resemble disease: a large thymus, prominent vessels, coarse texture, uneven
soft tissue, a rotated heart.

Not simulated: spectrum and divergence of the beam, real anatomy and its correlations, findings
other than a single consolidation (bacteria) and a reticular pattern (virus), effusion, tubes,
cables and burned-in letters, age, hospitals. **Phantoms prove nothing about radiographs**: they
show that the program runs and that its methods detect what was drawn.

Their difficulty is set by ``CONSOLIDATION``, ``RETICULAR``, ``VESSELS``, ``TEXTURE`` and
``AERATION`` in ``phantom/disease.py``, by ``THYMUS_RATE`` in ``phantom/anatomy.py``, by the
exposure in ``phantom/exposure.py`` (with the shifts of the test split and of the other hospital),
and by ``COVER`` here.
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
from benchmarks.datasets.phantom.anatomy import Anatomy, build_chest, draw_anatomy, landmarks
from benchmarks.datasets.phantom.canvas import FRAME, grain, resample
from benchmarks.datasets.phantom.disease import Lesion, draw_lesion, draw_vessels
from benchmarks.datasets.phantom.exposure import (
    OTHER,
    TEST,
    TRAIN,
    Equipment,
    draw_borders,
    draw_mark,
    draw_pose,
    expose,
    place,
)
from benchmarks.io.columns import MANIFEST_COLUMNS
from benchmarks.io.progress import track

IMAGE_SIZE = 128  # pixels, where a run sets none
N_IMAGES = 600
FEWEST = 16  # with this many both classes are in both splits
SMALLEST = 32  # pixels, side of an image
IMAGES_PER_PATIENT = (0.25, 0.30, 0.25, 0.20)  # fractions of patients with 1, 2, 3, 4 images
SEVERITY_JITTER = 0.15  # relative variation of a lesion between images of a patient
BREATH = (-0.08, 0.05)  # range of the shift of the diaphragm, in half image sides
TURN = 0.035  # largest lateral shift of heart and sternum, in half image sides
COVER = 0.12  # largest variation of the soft tissue, in depths of the chest
MASK_LEVEL = 0.4  # of the lesion's peak

# Thirty patients are drawn at a time, each group in random order: N normal, B bacteria, V virus;
# capitals train, lower case test. The first four put both classes into both splits.
_GROUPS = ("N", "B", "n", "v", "NBBbVV", "NNnBBBbVVv", "NNNnBBbbVV")
_OTHER_GROUPS = ("N", "B", "n", "v", "NNNbNN", "NNNBNnVnnN", "NNnNBnnNbV")
_KINDS = {"N": "normal", "B": "bacteria", "V": "virus"}


class Hospital(NamedTuple):
    """Patients and equipment of one hospital.

    ``stream`` begins the keys of all its random draws, so that two hospitals share none.
    """

    groups: tuple[str, ...]
    stream: tuple[int, ...]
    train: Equipment
    test: Equipment
    note: str


FIRST = "phantoms"
HOSPITALS = {
    FIRST: Hospital(
        _GROUPS,
        (),
        TRAIN,
        TEST,
        "By design, test phantoms are slightly smaller, brighter and noisier than train ones.",
    ),
    "other": Hospital(
        _OTHER_GROUPS,
        (6,),
        OTHER,
        OTHER,
        "Another hospital by design: other patients, fewer of them ill, chests smaller in the "
        "image, brighter, noisier and less sharp images, more black borders, and a letter in the "
        "corner of every image.",
    ),
}
_ORDER, _COUNT, _ANATOMY, _VESSELS, _LESION, _IMAGE = range(6)  # the purposes of the random streams


class Patient(NamedTuple):
    """A patient; ``number`` is the first key of all its random draws."""

    number: int
    kind: str
    split: str
    n_images: int
    hospital: str = FIRST

    @property
    def identifier(self) -> str:
        """Name of the patient, different in each hospital."""
        start = "" if self.hospital == FIRST else f"{self.hospital}/"
        return f"{start}{self.kind}/{self.number:03d}"

    def image_name(self, shot: int) -> str:
        """Return the name of an image.

        Parameters
        ----------
        shot : int
            Number of the image, from 1.

        Returns
        -------
        str

        Examples
        --------
        >>> Patient(12, "bacteria", "train", 3).image_name(2)
        'train/PNEUMONIA/patient012_bacteria_2.png'
        """
        folder, kind = ("NORMAL", "") if self.kind == "normal" else ("PNEUMONIA", f"_{self.kind}")
        top = self.split if self.hospital == FIRST else self.hospital
        return f"{top}/{folder}/patient{self.number:03d}{kind}_{shot}.png"


class Shot(NamedTuple):
    """One radiograph; images and masks have shape (size, size)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    """The lesion."""
    fields: NDArray[np.bool_]
    """The lung fields; the lesion is inside."""
    landmarks: NDArray[np.float64]
    """Positions of ``LANDMARKS`` in the image, (10, 2), in half image sides from the centre."""


def load(config: RunConfig, size: int) -> Dataset:
    """Generate the default phantoms, which are the same for every seed of a run.

    Parameters
    ----------
    config : RunConfig
        ``quiet`` applies.
    size : int
        Side in pixels.

    Returns
    -------
    Dataset
    """
    return generate(N_IMAGES, size, quiet=config.quiet)


def generate(
    n_images: int = N_IMAGES,
    size: int = IMAGE_SIZE,
    seed: int = 0,
    quiet: bool = True,
    hospital: str = FIRST,
) -> Dataset:
    """Generate phantoms with their lesion masks.

    Two thirds of the patients have pneumonia, bacterial to viral as three to two; 70 % of the
    patients are in train, the others in test, with a mild shift of exposure, scale and noise.
    The images of a patient share anatomy and lesion, and do not depend on ``n_images``. In the
    other hospital, about a quarter of the patients have pneumonia.

    Parameters
    ----------
    n_images : int
        At least 16.
    size : int
        Side in pixels, at least 32; changes the resolution only.
    seed : int
        At least 0.
    quiet : bool
        Whether to hide the progress bar.
    hospital : str
        Key of ``HOSPITALS``.

    Returns
    -------
    Dataset
        ``synthetic``, with ``masks``; splits train and test only.

    Raises
    ------
    DataError
        If an argument is out of range.

    Examples
    --------
    >>> dataset = generate(n_images=16, size=32)
    >>> dataset.images.shape, dataset.masks.any(axis=(1, 2)).tolist() == [
    ...     label == 1 for label in dataset.manifest["label"]]
    ((16, 32, 32), True)
    """
    _check(n_images, size, seed)
    patients = enrol(n_images, seed, hospital)
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
    name = FIRST if hospital == FIRST else f"{FIRST}:{hospital}"
    return Dataset(
        name=name,
        images=images,
        manifest=pd.DataFrame(rows)[MANIFEST_COLUMNS].sort_values("image", ignore_index=True),
        licence="CC0 1.0 (generated by this program)",
        citation=f"Synthetic radiographs generated by this program: {n_images} phantoms of "
        f"{size} × {size} pixels, seed {seed}.",
        synthetic=True,
        masks=masks,
        notes=(
            "SYNTHETIC: generated by a program. They show that the benchmark works; they say "
            "nothing about radiographs, patients or disease.",
            HOSPITALS[hospital].note,
        ),
    )


def enrol(n_images: int, seed: int, hospital: str = FIRST) -> list[Patient]:
    """List the patients of a data set.

    Parameters
    ----------
    n_images : int
        Of all patients; the last may have fewer images than drawn.
    seed : int
    hospital : str
        Key of ``HOSPITALS``.

    Returns
    -------
    list of Patient
    """
    patients: list[Patient] = []
    stream = HOSPITALS[hospital].stream
    while n_images > 0:
        block = len(patients) // 30
        for kind in _kinds(block, seed, HOSPITALS[hospital]):
            number = len(patients)
            wanted = 1 + _rng(seed, *stream, _COUNT, number).choice(
                len(IMAGES_PER_PATIENT), p=IMAGES_PER_PATIENT
            )
            count = min(int(wanted), n_images)
            if count:
                split = "train" if kind.isupper() else "test"
                patients.append(Patient(number, _KINDS[kind.upper()], split, count, hospital))
            n_images -= count
    return patients


def radiograph(patient: Patient, size: int, seed: int) -> Iterator[Shot]:
    """Generate the radiographs of one patient.

    Parameters
    ----------
    patient : Patient
    size : int
        Side in pixels.
    seed : int

    Yields
    ------
    Shot
    """
    number, hospital = patient.number, HOSPITALS[patient.hospital]
    stream = hospital.stream
    anatomy = draw_anatomy(_rng(seed, *stream, _ANATOMY, number))
    healthy = 1 - draw_vessels(anatomy, _rng(seed, *stream, _VESSELS, number))
    lesion = draw_lesion(patient.kind, anatomy, _rng(seed, *stream, _LESION, number))
    equipment = hospital.test if patient.split == "test" else hospital.train
    for shot in range(1, patient.n_images + 1):
        rng = _rng(seed, *stream, _IMAGE, number, shot)
        yield _shoot(anatomy, healthy, lesion, rng, equipment, size)


def _shoot(
    anatomy: Anatomy,
    healthy: NDArray[np.float32],
    lesion: Lesion,
    rng: np.random.Generator,
    equipment: Equipment,
    size: int,
) -> Shot:
    n = round(size * FRAME)
    severity = rng.uniform(1 - SEVERITY_JITTER, 1 + SEVERITY_JITTER)
    filled = 1 - healthy * np.clip(1 - severity * lesion.effect, 0, None)
    breath, turn = rng.uniform(*BREATH), rng.uniform(-TURN, TURN)
    chest = build_chest(anatomy, filled, breath, turn, n)
    cover = COVER * anatomy.cover * resample(grain(rng, 0.25), n)
    pose = draw_pose(rng, equipment)
    path = place(np.clip(chest.solid - chest.lungs + cover, 0, None), pose, size)
    fields = place(chest.fields, pose, size) > 0.5
    extent = place(resample(lesion.extent, n), pose, size) * fields
    image = expose(path, rng, equipment)
    hidden = draw_borders(rng, size, equipment)
    image[hidden] = 0
    image = np.clip(image + draw_mark(rng, size, equipment), 0, 255).astype(np.uint8)
    extent[hidden] = 0
    on_frame = landmarks(anatomy, breath, turn) - pose[:, 2]
    known = np.asarray(np.linalg.solve(pose[:, :2], on_frame.T).T, dtype=np.float64)
    return Shot(image, extent > MASK_LEVEL * extent.max(), fields, known)


def _describe(patient: Patient, number: int, shot: Shot) -> dict[str, object]:
    positive = patient.kind != "normal"
    height, width = shot.image.shape
    return {
        "image": patient.image_name(number),
        "label": int(positive),
        "class": "PNEUMONIA" if positive else "NORMAL",
        "subtype": patient.kind if positive else "",
        "group": patient.identifier,
        "split": patient.split,
        "sha256": hashlib.sha256(shot.image.tobytes()).hexdigest(),
        "width": width,
        "height": height,
        "frames": 1,
        "bytes": 0,
    }


def _kinds(block: int, seed: int, hospital: Hospital) -> str:
    rng = _rng(seed, *hospital.stream, _ORDER, block)
    return "".join("".join(rng.permutation(list(group))) for group in hospital.groups)


def _rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _check(n_images: int, size: int, seed: int) -> None:
    lowest = {"n_images": FEWEST, "size": SMALLEST, "seed": 0}
    for name, value in {"n_images": n_images, "size": size, "seed": seed}.items():
        if value < lowest[name]:
            raise DataError(
                f"Phantoms: got {name}={value}, but expected at least {lowest[name]}. Increase it."
            )
