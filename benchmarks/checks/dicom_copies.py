"""Copy a folder of images as PNG and as DICOM files of the same pixels, to compare their scores."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.image_files import list_below
from features.reading.images import ImageError, read_image

DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage, for presentation


def write_copies(source: Path, out: Path) -> int:
    """Copy all images below a folder; files keep their names, so that their order is the same.

    Parameters
    ----------
    source : Path
    out : Path
        The copies are in ``out/png`` and ``out/dicom``.

    Returns
    -------
    int
        Number of images. Files that can't be read are left out.
    """
    count = 0
    for path in list_below(source)[0]:
        try:
            pixels = read_image(source / path, root=source).pixels
        except ImageError as error:
            click.echo(str(error), err=True)
            continue
        for kind in ("png", "dicom"):
            (out / kind / path).parent.mkdir(parents=True, exist_ok=True)
        (out / "png" / path).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        write_dicom(out / "dicom" / path, pixels)
        count += 1
    return count


def write_dicom(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write grey pixels as an uncompressed DICOM file without a patient and without a window.

    Parameters
    ----------
    path : Path
    pixels : ndarray of shape (H, W), uint8
    """
    from pydicom import dcmwrite
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = DX_IMAGE, generate_uid()
    dataset.Modality, dataset.SamplesPerPixel = "DX", 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    data = pixels.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dcmwrite(path, dataset, enforce_file_format=True)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of images.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="For the copies.")
def _main(data: Path, out: Path) -> None:
    """Copy images as PNG and as DICOM; runs on OUT/png and OUT/dicom must have the same scores."""
    click.echo(f"{write_copies(data, out)} images in {out / 'png'} and in {out / 'dicom'}")


if __name__ == "__main__":
    _main()
