"""Affine registration of frontal chest radiographs to the mean of the training images.

Registered images show the part of the template that lies, on each side, within the reach of 95 % of
the training images. No pixel comes from outside the original: how many did would depend on how the
image was framed, and that goes with the class where, as in many data sets, classes come from
different departments.

Coordinates are relative: x to the right and y downwards, in half image sides from the centre, so
that the image is the square from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from features.preprocessing.step import GreyImages, PreprocessingStep
from features.reading.preprocess import grey_percentiles

Floats = NDArray[np.float64]
Thumbnail = NDArray[np.float32]

GRID = 56  # pixels, side of the template; the coarse level has half of it
BLUR = 1.5  # pixels of the grid, standard deviation; finer details are removed
TREND = 10.0  # pixels of the grid, standard deviation; coarser changes of grey are removed
SCALES = (0.8, 1.0, 1.25)  # tried for the start
REACH = 0.18  # of the grid's side, largest shift tried for the start
STEPS = (10, 6)  # most iterations on the coarse and on the fine level
CHANGE = 1e-3  # of the correlation, below which iterations end
ROUNDS = 3  # of alignment in fit
WHOLE = np.array([-1.0, -1.0, 1.0, 1.0])  # the frame that is the whole image
REACHED = 0.95  # of the training images cover the frame on each side
NEAREST = 0.5  # half image sides, the least distance of the frame's edges from the centre
REASONS = (
    "no contrast", "no convergence", "reflection", "rotation", "shear", "scale", "shift", "overlap",
    "correlation",
)  # fmt: skip

_IDENTITY = np.eye(2, 3)


@dataclass(frozen=True)
class Limits:
    """Limits of a plausible registration; beyond any of them it has failed.

    Attributes
    ----------
    rotation : float
        Largest angle, in degrees.
    shear : float
        Largest shear, as the off-diagonal of the symmetric part relative to the mean scale.
    smallest, largest : float
        Scale in any direction.
    shift : float
        Largest shift of the centre along each axis, in image sides.
    overlap : float
        Least fraction of the template that the image covers.
    correlation : float
        Least correlation with the template after registration.
    """

    rotation: float = 15.0
    shear: float = 0.15
    smallest: float = 0.6
    largest: float = 1.6
    shift: float = 0.25
    overlap: float = 0.6
    correlation: float = 0.6


@dataclass(frozen=True)
class Alignment:
    """Registrations of images to the template.

    Attributes
    ----------
    matrices : ndarray of shape (n, 2, 3), float64
        Affine maps from the template to the image, in relative coordinates; the identity where
        registration failed.
    before, after : ndarray of shape (n,), float64
        Correlation of the thumbnail with the template, unregistered, and with the best map found
        even if it was rejected; 0 for an image without contrast.
    reason : ndarray of shape (n,), str
        Why registration failed, from ``REASONS``; empty where it did not.
    """

    matrices: Floats
    before: Floats
    after: Floats
    reason: NDArray[np.str_]

    @property
    def registered(self) -> NDArray[np.bool_]:
        """Which images were registered.

        Returns
        -------
        ndarray of shape (n,), bool
        """
        return np.asarray(self.reason == "")


class Registration(PreprocessingStep):
    """Register every image to a template learnt on training images.

    The affine map with the greatest correlation of grey values (ECC) is found from coarse to fine,
    on thumbnails without their finest details and their broad trend of grey. It starts from the
    identity and, if the result is not plausible, from the best of some scales and shifts. Pixels of
    the template that the image does not cover do not count.

    The registered image is cut to the frame. Where the original does not cover the frame, the frame
    is moved and, if that is not enough, shrunk until it does.

    Parameters
    ----------
    limits : Limits
        Registrations beyond these have failed; such an image is cut to the same frame as it is.

    Attributes
    ----------
    frame_ : ndarray of shape (4,), float64
        Left, upper, right and lower edge of the frame, in relative coordinates of the template:
        where 95 % of the registered training images reach on each side, but no nearer to the centre
        than a quarter of the image's side.
    template_ : ndarray of shape (GRID, GRID), float32
        Mean of the registered training thumbnails, placed so that the mean map of the training
        images is close to the identity.
    """

    description = (
        "registered to the mean training image by the affine map of the greatest correlation of "
        "grey values (ECC, {evangelidis2008}) and cut to where 95 % of the training images reach "
        "on each side"
    )
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "evangelidis2008": {
            "kind": "article", "authors": "Evangelidis, G. D. and Psarakis, E. Z.",
            "title": "Parametric image alignment using enhanced correlation coefficient "
            "maximization",
            "year": 2008, "venue": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "volume": "30", "pages": "1858-1865", "doi": "10.1109/TPAMI.2008.113",
            "what": "Registration",
        },
    }  # fmt: skip

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.template_: Thumbnail | None = None
        self.frame_: Floats = WHOLE.copy()

    def fit(self, images: GreyImages) -> Self:
        """Learn the template: the mean of the images, then of the registered images, three times.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8
            Training images.

        Returns
        -------
        Registration
            Itself.

        Raises
        ------
        ValueError
            If no image has contrast.
        """
        found = [one for image in images if (one := _thumbnail(image)) is not None]
        if not found:
            raise ValueError(
                f"Got {len(images)} training images without contrast, but registration expected at "
                "least one with contrast. Check the images."
            )
        thumbnails = np.stack(found)
        template, self.frame_ = thumbnails.mean(axis=0), WHOLE.copy()
        for _ in range(ROUNDS):
            results = [_register(one, template, self.limits) for one in thumbnails]
            kept = [row for row, result in enumerate(results) if not result[3]]
            if kept:
                matrices = _recentred(np.stack([results[row][0] for row in kept]))
                template = _mean(thumbnails[kept], matrices)
                self.frame_ = _frame(matrices)
        self.template_ = template
        return self

    def align(self, images: GreyImages) -> Alignment:
        """Register images without changing them.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        Alignment
            The result of an image does not depend on the others.

        Raises
        ------
        ValueError
            If the step is not fitted.
        """
        if self.template_ is None:
            raise ValueError("Got an unfitted registration, but expected a template. Call fit.")
        results = []
        for image in images:
            thumbnail = _thumbnail(image)
            results.append(
                (_IDENTITY, 0.0, 0.0, "no contrast") if thumbnail is None
                else _register(thumbnail, self.template_, self.limits)
            )  # fmt: skip
        return Alignment(
            np.array([r[0] for r in results]).reshape(-1, 2, 3),
            np.array([r[1] for r in results], float),
            np.array([r[2] for r in results], float),
            np.array([r[3] for r in results], f"<U{max(map(len, REASONS))}"),
        )

    def framed(self, alignment: Alignment) -> tuple[Floats, NDArray[np.bool_]]:
        """Compute which part of each image is shown.

        Parameters
        ----------
        alignment : Alignment

        Returns
        -------
        matrices : ndarray of shape (n, 2, 3)
            Affine maps from the result to the original image, in relative coordinates.
        moved : ndarray of shape (n,), bool
            Whether the frame was moved or shrunk, because the original does not cover it.
        """
        near, far = self.frame_[:2], self.frame_[2:]
        frame = _square(np.column_stack([np.diag(far - near), far + near]) / 2)
        wanted = alignment.matrices @ frame
        reach = np.abs(wanted[:, :, :2]).sum(axis=2)  # half sides of the bounding box
        shrunk = np.minimum(1, 1 / reach.max(axis=1))[:, None]
        linear, room = wanted[:, :, :2] * shrunk[:, :, None], 1 - reach * shrunk
        shift = np.clip(wanted[:, :, 2], -room, room)
        moved = (shrunk[:, 0] < 1) | (shift != wanted[:, :, 2]).any(axis=1)
        return np.concatenate([linear, shift[:, :, None]], axis=2), moved

    def transform(self, images: GreyImages) -> GreyImages:
        """Register images and cut them to the frame, with linear interpolation.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
        """
        matrices, _ = self.framed(self.align(images))
        result = np.empty_like(images)
        for image, matrix, out in zip(images, matrices, result, strict=True):
            out[:] = _warp(image, matrix, image.shape)
        return result

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the template and the limits.

        Returns
        -------
        dict of ndarray
            ``template`` of shape (GRID, GRID), ``frame`` and ``limits`` in the order of
            :class:`Limits`; empty if the step is not fitted.
        """
        if self.template_ is None:
            return {}
        limits = np.array(astuple(self.limits))
        return {"template": self.template_.copy(), "frame": self.frame_.copy(), "limits": limits}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Make a fitted step.

        Parameters
        ----------
        state : dict of ndarray
            From :meth:`state`.

        Returns
        -------
        Registration

        Raises
        ------
        ValueError
            If the arrays are not those of a fitted registration.
        """
        shapes = {"template": (GRID, GRID), "frame": (4,), "limits": (len(fields(Limits)),)}
        if set(state) != set(shapes):
            raise ValueError(
                f"Got the arrays {', '.join(sorted(state)) or 'none'}, but registration expected "
                f"{', '.join(shapes)}. Fit it again."
            )
        for name, shape in shapes.items():
            value = np.asarray(state[name])
            if (
                value.shape != shape
                or value.dtype.kind not in "iuf"
                or not np.isfinite(value).all()
            ):
                raise ValueError(
                    f"Got {name} of shape {value.shape} and type {value.dtype}, but registration "
                    f"expected finite numbers of shape {shape}. Fit it again."
                )
        frame = np.abs(state["frame"])
        if not ((frame >= NEAREST) & (frame <= 1)).all():
            raise ValueError(
                f"Got the frame {state['frame'].tolist()}, but registration expected edges at a "
                f"distance of {NEAREST} to 1 from the centre. Fit it again."
            )
        step = cls(Limits(*(float(limit) for limit in state["limits"])))
        step.template_ = np.asarray(state["template"], dtype=np.float32)
        step.frame_ = np.asarray(state["frame"], dtype=np.float64)
        return step


def _thumbnail(image: GreyImages) -> Thumbnail | None:
    """Shrink and keep details of middle size; None for an image without contrast."""
    low, high = grey_percentiles(image, 1, 99)
    if not high > low:
        return None
    table = np.clip((np.arange(256, dtype=np.float32) - low) / (high - low), 0, 1)
    values = cv2.LUT(np.ascontiguousarray(image), table.astype(np.float32))
    method = cv2.INTER_AREA if min(image.shape) > GRID else cv2.INTER_LINEAR
    small = cv2.resize(values, (GRID, GRID), interpolation=method)
    fine = cv2.GaussianBlur(small, (0, 0), BLUR)
    trend = cv2.GaussianBlur(fine, (0, 0), TREND, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(fine - trend, dtype=np.float32)


def _register(
    thumbnail: Thumbnail, template: Thumbnail, limits: Limits
) -> tuple[Floats, float, float, str]:
    """Return the map, the correlation before and after, and the reason of failure."""
    before = _correlation(thumbnail, template, _IDENTITY)
    small, small_template = _halve(thumbnail), _halve(template)
    after, reason = before, "no convergence"
    for start in (_centred, _search):
        matrix = _maximise(small, small_template, start(small, small_template), STEPS[0])
        matrix = None if matrix is None else _maximise(thumbnail, template, matrix, STEPS[1])
        if matrix is None:
            continue
        found = _correlation(thumbnail, template, matrix)
        failure = _failure(matrix, found, limits)
        if not failure:
            return matrix, before, found, ""
        if reason == "no convergence" or found > after:
            after, reason = found, failure
    return _IDENTITY, before, after, reason


def _centred(thumbnail: Thumbnail, template: Thumbnail) -> Floats:
    return _IDENTITY


def _maximise(
    thumbnail: Thumbnail, template: Thumbnail, start: Floats, steps: int
) -> Floats | None:
    """Maximise the correlation; None if the iterations diverge."""
    pixels = _in_pixels(start, template.shape, thumbnail.shape).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, CHANGE)
    try:
        _, pixels = cv2.findTransformECC(
            template, thumbnail, pixels, cv2.MOTION_AFFINE, criteria, None, 1
        )
    except cv2.error:
        return None
    if not np.isfinite(pixels).all():
        return None
    return _from_pixels(np.asarray(pixels, dtype=np.float64), template.shape, thumbnail.shape)


def _search(thumbnail: Thumbnail, template: Thumbnail) -> Floats:
    """Find the scale and shift with which the template's centre fits best."""
    margin = round(REACH * len(template))
    centre = np.ascontiguousarray(template[margin:-margin, margin:-margin])
    best, highest = _IDENTITY, -np.inf
    for scale in SCALES:
        scaled = _warp(thumbnail, scale * _IDENTITY, template.shape)
        scores = cv2.matchTemplate(scaled, centre, cv2.TM_CCOEFF_NORMED)
        down, right = np.unravel_index(np.argmax(scores), scores.shape)
        if scores[down, right] > highest:
            highest = float(scores[down, right])
            shift = (np.array([right, down]) - margin) * 2 / len(template)
            best = scale * np.column_stack([np.eye(2), shift])
    return best


def _correlation(thumbnail: Thumbnail, template: Thumbnail, matrix: Floats) -> float:
    """Correlate the template with the warped thumbnail where it is covered."""
    covered = _covered(matrix, template.shape)
    one = _warp(thumbnail, matrix, template.shape)[covered].astype(np.float64)
    other = template[covered].astype(np.float64)
    if len(one) < 2:
        return 0.0
    one, other = one - one.mean(), other - other.mean()
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / norm) if norm > 0 else 0.0


def _covered(matrix: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels of the template lie inside the image."""
    y, x = ((np.arange(side) + 0.5) / side * 2 - 1 for side in shape)
    inside = np.ones(shape, dtype=bool)
    for across, down, shift in matrix:
        inside &= np.abs(across * x[None, :] + down * y[:, None] + shift) <= 1
    return inside


def _failure(matrix: Floats, correlation: float, limits: Limits) -> str:
    """Name the first limit that a registration exceeds; empty if none."""
    (a, b, right), (c, d, down) = matrix
    if not a * d - b * c > 0:
        return "reflection"
    angle = np.arctan2(c - b, a + d)
    cos, sin = np.cos(angle), np.sin(angle)
    pure = np.array([[cos, sin], [-sin, cos]]) @ matrix[:, :2]  # symmetric: polar decomposition
    scales = np.linalg.eigvalsh((pure + pure.T) / 2)
    exceeded = {
        "rotation": abs(np.degrees(angle)) > limits.rotation,
        "shear": abs(pure[0, 1]) > limits.shear * np.sqrt(a * d - b * c),
        "scale": scales[0] < limits.smallest or scales[1] > limits.largest,
        "shift": max(abs(right), abs(down)) / 2 > limits.shift,
        "overlap": _covered(matrix, (GRID, GRID)).mean() < limits.overlap,
        "correlation": correlation < limits.correlation,
    }
    return next((reason for reason, beyond in exceeded.items() if beyond), "")


def _recentred(matrices: Floats) -> Floats:
    """Change the coordinates of the template so that the mean map is the identity."""
    mean = _square(matrices.mean(axis=0))
    return np.stack([(_square(one) @ np.linalg.inv(mean))[:2] for one in matrices])


def _frame(matrices: Floats) -> Floats:
    """Find where most images reach on each side: left, upper, right, lower."""
    inverse = np.linalg.inv(np.stack([_square(one) for one in matrices]))
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])  # clockwise
    x, y = np.moveaxis(corners @ inverse.transpose(0, 2, 1), 2, 0)[:2]
    near = np.quantile([x[:, [0, 3]].max(1), y[:, [0, 1]].max(1)], REACHED, axis=1)
    far = np.quantile([x[:, [1, 2]].min(1), y[:, [2, 3]].min(1)], 1 - REACHED, axis=1)
    return np.concatenate([np.clip(near, -1, -NEAREST), np.clip(far, NEAREST, 1)])


def _mean(thumbnails: NDArray[np.float32], matrices: Floats) -> Thumbnail:
    """Average warped thumbnails, each where it covers the template."""
    total, count = np.zeros((2, GRID, GRID))
    for thumbnail, matrix in zip(thumbnails, matrices, strict=True):
        weight = np.where(_covered(matrix, (GRID, GRID)), 1.0, 1e-3)
        total += weight * _warp(thumbnail, matrix, (GRID, GRID))
        count += weight
    return np.asarray(total / count, dtype=np.float32)


def _warp(image: NDArray[Any], matrix: Floats, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(image), _in_pixels(matrix, shape, image.shape), shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=image.dtype,
    )  # fmt: skip


def _in_pixels(matrix: Floats, template: tuple[int, ...], image: tuple[int, ...]) -> Floats:
    """Change a map of relative coordinates to one of pixels, whose centres are whole numbers."""
    return (np.linalg.inv(_relative(image)) @ _square(matrix) @ _relative(template))[:2]


def _from_pixels(matrix: Floats, template: tuple[int, ...], image: tuple[int, ...]) -> Floats:
    return (_relative(image) @ _square(matrix) @ np.linalg.inv(_relative(template)))[:2]


def _relative(shape: tuple[int, ...]) -> Floats:
    """Map pixels of an image to relative coordinates."""
    height, width = shape
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])


def _square(matrix: Floats) -> Floats:
    return np.vstack([matrix, [0, 0, 1]])


def _halve(values: Thumbnail) -> Thumbnail:
    half = (values.shape[1] // 2, values.shape[0] // 2)
    return np.asarray(cv2.resize(values, half, interpolation=cv2.INTER_AREA))
