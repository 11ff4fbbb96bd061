"""Small copies of published layouts: the files, folders, columns and values that are published.

Each has ten patients a class with two images where patients are published, and images that a recipe
must leave out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.datasets.recipes.chexpert import FINDINGS

NUMBER = 20  # images a class
_rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Replica:
    """What must be read from a replica by default."""

    classes: tuple[str, str]
    patients: int | None  # None: unknown
    splits: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by column, on all rows
    positives: int = NUMBER
    negatives: int = NUMBER


def write_image(path: Path, mode: str = "L") -> None:
    """Noise that no other image has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    high, kind = (2**16, np.uint16) if mode == "I;16" else (256, np.uint8)
    pixels = _rng.integers(0, high, (32, 40)).astype(kind)
    if path.suffix in (".dcm", ".dicom"):
        path.write_bytes(_dicom(pixels, path.stem))
    else:
        Image.fromarray(pixels).save(path)


def _dicom(pixels: Any, name: str) -> bytes:
    """As the RSNA's files: the ID of the patient is the name of the image."""
    import io

    from pydicom import DataElement, config, dcmwrite
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID, one.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    one.Modality, one.PatientID, one.PatientName = "CR", name, name
    one.ViewPosition, one.PatientSex = "PA", "F"
    age = DataElement(0x00101010, "AS", "51", validation_mode=config.IGNORE)  # no unit, as there
    one.add(age)
    one.PhotometricInterpretation, one.SamplesPerPixel = "MONOCHROME2", 1
    one.Rows, one.Columns = pixels.shape
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.PixelRepresentation = 7, 0
    one.PixelData = pixels.tobytes()
    one["PixelData"].VR = "OB"
    file = io.BytesIO()
    dcmwrite(file, one, enforce_file_format=True)
    return file.getvalue()


def write_table(path: Path, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
    """A CSV file, compressed if it is named so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)


def nih(root: Path) -> Replica:
    columns = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age",
               "Patient Gender", "View Position", "OriginalImage[Width", "Height]",
               "OriginalImagePixelSpacing[x", "y]")  # fmt: skip
    findings = ["Pneumonia|Infiltration"] * 10 + ["No Finding"] * 10 + ["Mass"] * 2
    rows = [
        (f"{patient:08d}_{k:03d}.png", found, k, patient, 57, "M", "PA", 2682, 2749, 0.143, 0.143)
        for patient, found in enumerate(findings, 1)
        for k in range(2)
    ]
    write_table(root / "Data_Entry_2017_v2020.csv", rows, columns)
    for number, row in enumerate(rows):
        write_image(root / f"images_{1 + number // 20:03d}" / "images" / row[0])
    is_test = [row[3] % 5 == 0 for row in rows]
    for name, wanted in (("train_val_list.txt", False), ("test_list.txt", True)):
        names = [row[0] for row, test in zip(rows, is_test, strict=True) if test is wanted]
        (root / name).write_text("\n".join(names), encoding="utf-8")
    return Replica(
        ("No Finding", "Pneumonia"), 20, ("test", "train"),
        {"view": ("PA",), "sex": ("M",), "age": ("57",)},
    )  # fmt: skip


def _stated(finding: str | None, value: str = "1.0") -> list[str]:
    """Values of the 14 columns; every image shows devices, too."""
    stated = [value if name == finding else "" for name in FINDINGS]
    return [*stated[:-1], "1.0"]


def chexpert(root: Path) -> Replica:
    columns = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS]
    findings = [_stated("Pneumonia")] * 10 + [_stated("No Finding")] * 10
    findings += [_stated("Pneumonia", "-1.0"), _stated("Pneumonia", "0.0"), _stated(None)]
    tables: dict[str, list[list[Any]]] = {"train": [], "valid": []}
    for patient, found in enumerate(findings, 1):
        split = "valid" if patient % 5 == 0 else "train"
        for view in ("view1_frontal", "view2_frontal", "view3_lateral"):
            name = f"{split}/patient{patient:05d}/study1/{view}.jpg"
            write_image(root / "CheXpert-v1.0-small" / name)
            place = ["Lateral", ""] if "lateral" in view else ["Frontal", "AP"]
            row = [f"CheXpert-v1.0-small/{name}", "Female", 0 if patient == 1 else 68, *place]
            tables[split].append([*row, *found])
    for split, rows in tables.items():
        write_table(root / "CheXpert-v1.0-small" / f"{split}.csv", rows, columns)
    return Replica(
        ("No Finding", "Pneumonia"), 20, ("train", "validation"),
        {"view": ("AP", "L"), "sex": ("Female",), "age": ("", "68")},
    )  # fmt: skip


def mimic_cxr(root: Path) -> Replica:
    findings = [_stated("Pneumonia")] * 10 + [_stated("No Finding")] * 10
    findings += [_stated("Pneumonia", "-1.0"), _stated(None)]
    metadata, labels, split = [], [], []
    for number, found in enumerate(findings):
        patient, study = f"{10000032 + number}", f"{50000000 + number}"
        labels.append([patient, study, *found])
        for k, view in enumerate(("PA", "AP", "LATERAL")):
            image = f"{number:08x}-{k:08x}-00000000-00000000-00000000"
            metadata.append([image, patient, study, "CHEST (PA AND LAT)", view, 3056, 2544])
            split.append([image, study, patient, ("train", "validate", "test")[number % 3]])
            write_image(root / f"files/p10/p{patient}/s{study}/{image}.jpg")
    name = "mimic-cxr-2.0.0-{}.csv.gz"
    write_table(root / name.format("metadata"), metadata,
                ("dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription",
                 "ViewPosition", "Rows", "Columns"))  # fmt: skip
    labels = labels[:-1]  # some studies have no report
    write_table(root / name.format("chexpert"), labels, ["subject_id", "study_id", *FINDINGS])
    columns = ("dicom_id", "study_id", "subject_id", "split")
    write_table(root / name.format("split"), split, columns)
    return Replica(
        ("No Finding", "Pneumonia"), 20, ("test", "train", "validation"),
        {"view": ("AP", "LATERAL", "PA")},
    )  # fmt: skip


def rsna(root: Path) -> Replica:
    classes = ["Lung Opacity", "Normal", "No Lung Opacity / Not Normal"]
    targets, details, mapping = [], [], []
    for number in range(3 * NUMBER):
        name, found = f"{number:08x}-3906-4c2f-b5b4-8aa1280f6181", classes[number // NUMBER]
        boxes = 2 if found == "Lung Opacity" else 1  # a row a box
        box = [264.0, 152.0, 213.0, 379.0] if found == "Lung Opacity" else [""] * 4
        targets += [[name, *box, int(boxes == 2)]] * boxes
        details += [[name, found]] * boxes
        mapping.append({"subset_img_id": name, "img_id": f"{number // 2:08d}_{number % 2:03d}.png"})
        write_image(root / "stage_2_train_images" / f"{name}.dcm")
    columns = ("patientId", "x", "y", "width", "height", "Target")
    write_table(root / "stage_2_train_labels.csv", targets, columns)
    write_table(root / "stage_2_detailed_class_info.csv", details, ("patientId", "class"))
    name = "pneumonia-challenge-dataset-mappings_2018.json"
    (root / name).write_text(json.dumps(mapping), encoding="utf-8")
    return Replica(("Normal", "Lung Opacity"), 20)


def padchest(root: Path) -> Replica:
    columns = ("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth",
               "PatientSex_DICOM", "ViewPosition_DICOM", "Projection", "Pediatric", "MethodLabel",
               "Labels")  # fmt: skip
    labels = ["['pneumonia', ' pleural effusion', '']"] * 10 + ["['normal']"] * 10
    labels += ["['normal', 'nodule']", "", "nan", "['exclude']"]
    rows = []
    for number, found in enumerate(labels):
        for k, view in enumerate(("PA", "AP_horizontal", "L")):
            name = f"{number:030d}_{k:02d}-094-102.png"
            patient = (number, 839860 + number, "1930.0", "F")
            rows.append(("", name, number % 4, 20140915, *patient, view, view, "No", "Physician",
                         found))  # fmt: skip
            write_image(root / f"{number % 4}" / name, "I;16")
    write_table(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", rows, columns)
    return Replica(
        ("normal", "pneumonia"), 20,
        values={"view": ("AP_horizontal", "L", "PA"), "sex": ("F",), "age": ("84",)},
    )  # fmt: skip


def vindr_cxr(root: Path) -> Replica:
    names = ["Aortic enlargement", "Nodule/Mass", "Pneumonia", "Tuberculosis", "Other diseases",
             "No finding"]  # fmt: skip

    def flags(found: str) -> list[int]:
        return [int(name == found) for name in names]

    votes = [["Pneumonia", "Pneumonia", "No finding"]] * 16
    votes += [["No finding", "No finding", "Nodule/Mass"]] * 16
    votes += [["Pneumonia", "No finding", "Nodule/Mass"]] * 4  # no majority
    rows = [[f"{k:032x}", f"R{r}", *flags(v)] for k, vote in enumerate(votes)
            for r, v in enumerate(vote)]  # fmt: skip
    write_table(root / "annotations/image_labels_train.csv", rows, ["image_id", "rad_id", *names])
    tests = [f"{k:032x}" for k in range(100, 108)]
    names[4] = "Other disease"  # as it is called there
    rows = [[name, *flags("Pneumonia" if k < 4 else "No finding")] for k, name in enumerate(tests)]
    write_table(root / "annotations/image_labels_test.csv", rows, ["image_id", *names])
    for k in range(len(votes)):
        write_image(root / "train" / f"{k:032x}.dicom")
    for name in tests:
        write_image(root / "test" / f"{name}.dicom")
    return Replica(("No finding", "Pneumonia"), None, ("test", "train"))


def covid_radiography(root: Path) -> Replica:
    folder = root / "COVID-19_Radiography_Dataset"
    for name in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for number in range(NUMBER):
            for kind in ("images", "masks"):
                write_image(folder / name / kind / f"{name}-{number + 1}.png")
        (folder / f"{name}.metadata.xlsx").write_bytes(b"PK")
    return Replica(("Normal", "COVID"), None)


def covid_qu_ex(root: Path) -> Replica:
    for part in ("Lung", "Infection"):
        folder = root / f"{part} Segmentation Data" / f"{part} Segmentation Data"
        for split, count in (("Train", 12), ("Val", 4), ("Test", 4)):
            for name in ("COVID-19", "Non-COVID", "Normal"):
                for number in range(count):
                    for kind in ("images", "lung masks"):
                        file = f"{split}_{name}_{number}.png"
                        write_image(folder / split / name / kind / file)
    return Replica(("Normal", "COVID-19"), None, ("test", "train", "validation"))


def _screening(folder: Path, prefix: str, normal: str, ill: str) -> None:
    for number in range(2 * NUMBER):
        label, text = (0, normal) if number < NUMBER else (1, ill)
        name = f"{prefix}_{number + 1:04d}_{label}"
        write_image(folder / "CXR_png" / f"{name}.png")
        for side in ("leftMask", "rightMask"):
            write_image(folder / "ManualMask" / side / f"{name}.png")
        reading = folder / "ClinicalReadings" / f"{name}.txt"
        reading.parent.mkdir(parents=True, exist_ok=True)
        reading.write_text(text, encoding="utf-8")
    (folder / "CXR_png" / "Thumbs.db").write_bytes(b"")


def shenzhen(root: Path) -> Replica:
    _screening(root / "ChinaSet_AllFiles", "CHNCXR", "male 45yrs\nnormal", "femal 18month\nSTB")
    return Replica(
        ("normal", "tuberculosis"), None, values={"sex": ("F", "M"), "age": ("1.5", "45")}
    )


def montgomery(root: Path) -> Replica:
    text = "Patient's Sex: F\nPatient's Age: 027Y\n"
    _screening(root / "MontgomerySet", "MCUCXR", f"{text}normal", f"{text}left apical infiltrate")
    return Replica(("normal", "tuberculosis"), None, values={"sex": ("F",), "age": ("27",)})


REPLICAS: dict[str, Callable[[Path], Replica]] = {
    "nih": nih, "chexpert": chexpert, "mimic-cxr": mimic_cxr, "rsna": rsna, "padchest": padchest,
    "vindr-cxr": vindr_cxr, "covid-radiography": covid_radiography, "covid-qu-ex": covid_qu_ex,
    "shenzhen": shenzhen, "montgomery": montgomery,
}  # fmt: skip
DICOM = ("rsna", "vindr-cxr")
