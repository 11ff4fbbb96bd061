"""A feature matrix written batch by batch to a file, to save memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class StoredMatrix:
    """Matrix of shape (n, d), float32, that reads rows from a ``.npy`` file on access.

    The file is memory-mapped only during an access, so its pages take no memory afterwards.

    Attributes
    ----------
    path : Path
        The ``.npy`` file.
    """

    path: Path

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        n, d = self._map().shape
        return n, d

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> Matrix:
        """Read some rows."""
        return np.array(self._map()[rows])

    def _map(self) -> Matrix:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)


class MatrixFile:
    """Writer of a float32 matrix whose number of rows is known from the start.

    Parameters
    ----------
    path : Path
        The ``.npy`` file to write.
    n_rows : int
        Number of rows that will be written.
    """

    def __init__(self, path: Path, n_rows: int) -> None:
        self.path, self.n_rows = path, n_rows
        self._file = path.open("wb")
        self._written = 0

    def append(self, rows: Matrix) -> None:
        """Write the next rows.

        Parameters
        ----------
        rows : ndarray of shape (k, d), float32
            With the same d in all calls.
        """
        if self._written == 0:
            shape = (self.n_rows, rows.shape[1])
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
        self._file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())
        self._written += len(rows)

    def close(self) -> None:
        """Close the file after the last row."""
        self._file.close()

    def open(self) -> StoredMatrix:
        """Open the whole matrix for reading.

        Returns
        -------
        StoredMatrix

        Raises
        ------
        ValueError
            If not all rows were written.
        """
        if self._written != self.n_rows:
            raise ValueError(f"Got {self._written} rows, but expected {self.n_rows} in total.")
        return StoredMatrix(self.path)
