"""A feature matrix written batch by batch to a file, so that memory doesn't grow with its rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class StoredMatrix:
    """Matrix of shape (n, d), float32, of which each access reads its rows from a ``.npy`` file.

    The file is mapped for the access alone, so that its pages take no memory afterwards.
    """

    path: Path

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n, d = self._map().shape
        return n, d

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> Matrix:
        """Read some rows."""
        return np.array(self._map()[rows])

    def _map(self) -> Matrix:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)


class MatrixFile:
    """``.npy`` file of a float32 matrix whose number of rows is known from the start.

    Parameters
    ----------
    path : Path
        To be written.
    n_rows : int
    """

    def __init__(self, path: Path, n_rows: int) -> None:
        self.path, self.n_rows = path, n_rows
        self._file = path.open("wb")
        self._written = 0

    def append(self, rows: Matrix) -> None:
        """Write the next rows, of shape (k, d); d is that of the first."""
        if self._written == 0:
            shape = (self.n_rows, rows.shape[1])
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
        self._file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())
        self._written += len(rows)

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def open(self) -> StoredMatrix:
        """Return the whole matrix for reading."""
        if self._written != self.n_rows:
            raise ValueError(f"Got {self._written} rows, but expected {self.n_rows} in all.")
        return StoredMatrix(self.path)
