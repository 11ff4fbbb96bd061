"""One family's rows of a run: read from the store or computed, and gathered in a file."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.store import FeatureStore, StoreError
from benchmarks.extraction.store_keys import FamilyKey, family_key
from benchmarks.io.matrix_file import MatrixFile, StoredMatrix
from benchmarks.io.progress import say
from features import ImageDescriptor
from features.backbone import MissingExtra, WeightsUnavailable
from features.compiled import warm_up


class FamilyRows:
    """Rows of one family, in the order of the images.

    Parameters
    ----------
    name : str
        Key of ``FEATURES``.
    make : callable
        Gives the unfitted descriptor; what it raises becomes the family's reason.
    n_images : int
    scratch : Path
        Folder for the matrix's file.
    store : FeatureStore or None
    quiet : bool
        Say nothing of compilation.

    Attributes
    ----------
    matrix : StoredMatrix of shape (n_images, d) or None
        After :meth:`finish`.
    status, reason : str
        ``ok``, ``not_run`` or ``failed``, and why.
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
        """Describe the next images, unless the family has failed before."""
        if self.status != "ok":
            return
        try:
            if self._descriptor is None:
                self._descriptor = self._make().fit(images[:1])
                self._find_key(self._descriptor)
            rows = self._rows(self._descriptor, images, hashes)
        except (WeightsUnavailable, MissingExtra) as error:
            self.status, self.reason = "not_run", str(error)
        except Exception as error:  # the others go on; this one is a row with its reason
            self.status, self.reason = "failed", f"{type(error).__name__}: {error}"
        else:
            self._file.append(rows)

    def finish(self) -> None:
        """Close the file and open the matrix for reading."""
        self._file.close()
        if self.status == "ok":
            self.matrix = self._file.open()

    def row(self) -> dict[str, Any]:
        """Row of ``features.csv``."""
        row: dict[str, Any] = {"family": self.name, "status": self.status, "reason": self.reason}
        if self.matrix is not None:
            row["dimension"] = self.matrix.shape[1]
            row["from_store"] = self.found
            row["weights"] = getattr(self._descriptor, "weights_source_", "")
            if self.computed:
                row["milliseconds_per_image"] = 1000 * self.seconds / self.computed
        return row

    def summary(self) -> str:
        """One line for the user."""
        row = self.row()
        if self.matrix is None:
            return f"{self.name}: {self.status}: {self.reason}"
        parts = [f"{self.name}: {row['dimension']} features"]
        if self.computed:
            parts.append(f"{row['milliseconds_per_image']:.1f} ms an image")
        if self.found:
            parts.append(f"{self.found} images from the store")
        return ", ".join(parts)

    def settings(self) -> dict[str, Any]:
        """Parameters that change a number, ready for JSON; the weights are told by their hash."""
        aside = ("n_jobs", "batch_size", "weights")
        params = self._descriptor.get_params() if self._descriptor else {}
        values = {k: v for k, v in params.items() if k not in aside}
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
            self._give_up(error)
            return self._compute(descriptor, images)
        self.found += int(found.sum())
        if found.all():
            return rows
        missing = np.flatnonzero(~found).tolist()
        computed = self._compute(descriptor, images[missing])
        try:
            self._store.write(self._key, [hashes[row] for row in missing], computed)
        except StoreError as error:
            self._give_up(error)
        if found.any():
            rows[missing] = computed
            return rows
        return computed

    def _compute(
        self, descriptor: ImageDescriptor, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        if self.computed == 0:
            warm_up([descriptor], images.shape[1:], self._say_compiling)
        start = time.perf_counter()
        rows = descriptor.transform(images)
        self.seconds += time.perf_counter() - start
        self.computed += len(images)
        return rows

    def _say_compiling(self) -> None:
        say(f"  {self.name}: compiling, once on this machine …", self._quiet)

    def _find_key(self, descriptor: ImageDescriptor) -> None:
        try:
            self._key = family_key(descriptor) if self._store else None
        except StoreError as error:
            self._give_up(error)

    def _give_up(self, error: StoreError) -> None:
        self._store = None
        warnings.warn(f"{error} {self.name} is computed without the store.", stacklevel=2)
