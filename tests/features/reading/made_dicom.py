"""DICOM files made of arrays, in every transfer syntax that can be encoded here."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pydicom = pytest.importorskip("pydicom", reason="needs the extra dicom")
gdcm = pytest.importorskip("gdcm", reason="needs the extra dicom")

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
NATIVE = {
    "implicit little endian": IMPLICIT, "explicit little endian": EXPLICIT,
    "explicit big endian": BIG_ENDIAN, "deflated": DEFLATED,
}  # fmt: skip
LOSSLESS = {
    "RLE": RLE, "JPEG lossless": "1.2.840.10008.1.2.4.57",
    "JPEG lossless, first order": "1.2.840.10008.1.2.4.70", "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}  # fmt: skip
JPEG = "1.2.840.10008.1.2.4.50"


def dicom(
    pixels: NDArray[Any], bits: int | None = None, syntax: str = EXPLICIT, **elements: Any
) -> bytes:
    """A radiograph of shape (H, W), (frames, H, W) or, if it is RGB, (H, W, 3)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, generate_uid

    colour = elements.get("PhotometricInterpretation", "MONOCHROME2") == "RGB"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"  # DX, for presentation
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientName, dataset.PatientID = "DX", "Doe^Jane", "MRN-0042"
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    if colour:
        dataset.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in elements.items():
        setattr(dataset, name, value)
    order = ">" if syntax == BIG_ENDIAN else "<"
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 and syntax != IMPLICIT else "OW"
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def compressed(data: bytes, syntax: str, folder: Path) -> bytes:
    """The same file in a compressed transfer syntax."""
    source, target = folder / "native.dcm", folder / "compressed.dcm"
    source.write_bytes(data)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target.read_bytes()


def look_up_table(table: list[int], first: int = 0, bits: int = 16, **elements: Any) -> Any:
    """An item of a sequence of look-up tables."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.LUTDescriptor = [len(table) % 2**16, first, bits]
    item.LUTData = np.array(table, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    for name, value in elements.items():
        setattr(item, name, value)
    return item
