"""The feature rows of one family in a run: read from the store or computed, written to a file."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.store import FeatureStore, StoreError, StoreWarning
from benchmarks.extraction.store_keys import FamilyKey, family_key
from benchmarks.io.matrix_file import MatrixFile, StoredMatrix
from benchmarks.io.progress import say
from features import ImageDescriptor
from features.backbone import MissingExtra, WeightsUnavailable
from features.compiled import warm_up


class FamilyRows:
    """Feature rows of one family, in the order of the images.

    Parameters
    ----------
    name : str
        Key of ``FEATURES``.
    make : callable
        Returns the unfitted descriptor; an exception becomes the reason of the family.
    n_images : int
    scratch : Path
        Folder for the file of the matrix.
    store : FeatureStore or None
        Where rows are read and written; None: all rows are computed.
    quiet : bool
        Whether to suppress the message about compilation.

    Attributes
    ----------
    matrix : StoredMatrix of shape (n_images, d) or None
        After :meth:`finish`.
    status, reason : str
        ``ok``, ``not_run`` (weights or an extra are missing) or ``failed``, and why.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], ImageDescriptor],
        n_images: int,
        scratch: Path,
        store: FeatureStore | None,
        quiet: bool,
    ) -> None:
        self.name, self.status, self.reason = name, "ok", ""
        self.matrix: StoredMatrix | None = None
        self.computed, self.found, self.seconds = 0, 0, 0.0
        self._make, self._store, self._quiet = make, store, quiet
        self._file = MatrixFile(scratch / f"{name}.npy", n_images)
        self._descriptor: ImageDescriptor | None = None
        self._key: FamilyKey | None = None

    def add(self, images: NDArray[np.uint8], hashes: Sequence[bytes]) -> None:
        """Add the rows of the next images, unless the family has failed before.

        Parameters
        ----------
        images : ndarray of shape (k, H, W), uint8
            Prepared images.
        hashes : sequence of k bytes
            From :func:`~benchmarks.extraction.store_keys.hash_images`; empty without a store.
        """
        if self.status != "ok":
            return
        try:
            if self._descriptor is None:
                self._descriptor = self._make().fit(images[:1])
                self._set_key(self._descriptor)
            rows = self._rows(self._descriptor, images, hashes)
        except (WeightsUnavailable, MissingExtra) as error:
            self.status, self.reason = "not_run", str(error)
        except Exception as error:  # recorded with its reason; the other families are computed
            self.status, self.reason = "failed", f"{type(error).__name__}: {error}"
        else:
            self._file.append(rows)

    def finish(self) -> None:
        """Close the file and open the matrix for reading."""
        self._file.close()
        if self.status == "ok":
            self.matrix = self._file.open()

    def row(self) -> dict[str, Any]:
        """Return the family's row of ``features.csv``."""
        row: dict[str, Any] = {"family": self.name, "status": self.status, "reason": self.reason}
        if self.matrix is not None:
            row["dimension"] = self.matrix.shape[1]
            row["from_store"] = self.found
            row["weights"] = getattr(self._descriptor, "weights_source_", "")
            if self.computed:
                row["milliseconds_per_image"] = 1000 * self.seconds / self.computed
        return row

    def summary(self) -> str:
        """Return one line for the user."""
        row = self.row()
        if self.matrix is None:
            return f"{self.name}: {self.status}: {self.reason}"
        parts = [f"{self.name}: {row['dimension']} features"]
        if self.computed:
            parts.append(f"{row['milliseconds_per_image']:.1f} ms per image")
        if self.found:
            parts.append(f"{self.found} images from the store")
        return ", ".join(parts)

    def settings(self) -> dict[str, Any]:
        """Return the parameters that change a number, ready for JSON, without those that are None.

        The weights are left out: :meth:`row` identifies them by their hash.
        """
        aside = ("n_jobs", "batch_size", "weights")
        params = self._descriptor.get_params() if self._descriptor else {}
        values = {k: v for k, v in params.items() if k not in aside and v is not None}
        if "engine" in values and self.computed:
            values["engine"] = getattr(self._descriptor, "engine_", values["engine"])
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def _rows(
        self, descriptor: ImageDescriptor, images: NDArray[np.uint8], hashes: Sequence[bytes]
    ) -> NDArray[np.float32]:
        if self._store is None or self._key is None:
            return self._compute(descriptor, images)
        try:
            rows, found = self._store.read(self._key, hashes)
        except StoreError as error:
            self._drop_store(error)
            return self._compute(descriptor, images)
        self.found += int(found.sum())
        if found.all():
            return rows
        missing = np.flatnonzero(~found).tolist()
        computed = self._compute(descriptor, images[missing])
        try:
            self._store.write(self._key, [hashes[row] for row in missing], computed)
        except StoreError as error:
            self._drop_store(error)
        if found.any():
            rows[missing] = computed
            return rows
        return computed

    def _compute(
        self, descriptor: ImageDescriptor, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        if self.computed == 0:
            warm_up([descriptor], images.shape[1:], self._report_compilation)
        start = time.perf_counter()
        rows = descriptor.transform(images)
        self.seconds += time.perf_counter() - start
        self.computed += len(images)
        return rows

    def _report_compilation(self) -> None:
        say(f"  {self.name}: compiling, once per machine …", self._quiet)

    def _set_key(self, descriptor: ImageDescriptor) -> None:
        try:
            self._key = family_key(descriptor) if self._store else None
        except StoreError as error:
            self._drop_store(error)

    def _drop_store(self, error: StoreError) -> None:
        self._store = None
        note = f"{error} {self.name} is computed without the feature store."
        warnings.warn(note, StoreWarning, stacklevel=2)
