"""A feature matrix written batch by batch to a file, so that memory doesn't grow with its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


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

    def open(self) -> Matrix:
        """Map the whole matrix, of shape (n_rows, d), read-only; rows are read when asked for."""
        if self._written != self.n_rows:
            raise ValueError(f"Got {self._written} rows, but expected {self.n_rows} in all.")
        return np.load(self.path, mmap_mode="r", allow_pickle=False)
