"""The arrays of a report: ``signals.npz``, everything that a figure needs without the raw data.

One level's arrays stand under its key (``L4-L5/data``). FIDs are complex64, so they carry 1e-7 of
the signal; the model's FIDs end where they stay below a thousandth of the noise. Decision: an own
writer with fixed time stamps, so that equal reports give equal bytes (`numpy.savez` stamps the
clock); the reader loads no pickles and refuses archives that unpack to more than they should.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import read_bytes
from mrs_disc.record.brief import brief
from mrs_disc.record.sampling import Sampling
from mrs_disc.typing import ComplexArray, FloatArray

SIGNALS_NAME = "signals.npz"
MAX_BYTES = 512_000_000
MAX_MEMBERS = 2_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error),
    *(ValueError, SyntaxError, TokenError, TypeError, KeyError, OverflowError, MemoryError),
)
"""What the libraries raise for a damaged archive, and NumPy for a damaged header of an array."""
_INVISIBLE = 1e-3  # of the noise of one point


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelSignals:
    """What the figures of one measured level need.

    Parameters
    ----------
    sampling : Sampling
        Of all FIDs.
    data, baseline, residue : complex arrays, shape (point,)
        FID that was fitted (zero-order phase removed), the model's baseline, and the FID before
        residual-water removal.
    components : complex array, shape (component, point)
        The model's components, in the order of `fit.metabolites`.
    water : complex array or None, shape (point,)
        The water reference.
    frequency_hz, phase_rad : float arrays, shape (transient,)
        What was corrected in each transient.
    outline : float array or None, shape (corner, 2)
        The voxel in the anatomy slice: column, row.
    voxel_affine : float array or None, shape (4, 4)
        Voxel indices to patient coordinates, mm.
    planes : uint8 array or None, shape (3, row, column)
        Sagittal, coronal and axial image through the voxel's centre: `mrs_disc.report.anatomy`.
    transients : uint8 array or None, shape (2, row, column)
        Transients before and after alignment, the highest frequency at the left.
    transients_ppm : float
        Shift in the middle of that picture, which reaches `PICTURE_PPM` to both sides.
    """

    sampling: Sampling
    data: ComplexArray
    baseline: ComplexArray
    components: ComplexArray
    residue: ComplexArray
    water: ComplexArray | None
    frequency_hz: FloatArray
    phase_rad: FloatArray
    outline: FloatArray | None
    voxel_affine: FloatArray | None
    planes: NDArray[np.uint8] | None = None
    transients: NDArray[np.uint8] | None = None
    transients_ppm: float = WATER_PPM

    __repr__ = brief

    @property
    def fit(self) -> ComplexArray:
        """The whole model, a FID like `data`."""
        total: ComplexArray = self.baseline + self.components.sum(axis=0)
        return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnatomySlice:
    """A grey image, first row at the head and first column at the front of the body.

    Parameters
    ----------
    image : uint8 array, shape (row, column)
        Window from the 1st to the 99.5th percentile.
    pixel_mm : tuple of float
        Height and width of a pixel.
    to_pixel : float array or None, shape (2, 4)
        Patient coordinates (mm, RAS, and 1) to column and row; known only where the slice is cut.
    slices : uint8 array or None, shape (slice, row, column)
        The slice with its neighbours, to scroll through; earlier versions kept none.
    at : int
        Which of them is `image`.
    to_slice : float array or None, shape (4,)
        Patient coordinates to the number of a slice.
    """

    image: NDArray[np.uint8]
    pixel_mm: tuple[float, float]
    to_pixel: FloatArray | None = None
    slices: NDArray[np.uint8] | None = None
    at: int = 0
    to_slice: FloatArray | None = None

    __repr__ = brief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """The arrays of a report: levels by key, and the anatomy slice where there is one."""

    levels: Mapping[str, LevelSignals]
    anatomy: AnatomySlice | None = None

    __repr__ = brief


# --------------------------------------------------------------------------- writing


def arrays_of(signals: Signals, noise_sd: Mapping[str, float]) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``signals.npz`` by name, in the order of the file.

    Parameters
    ----------
    signals : Signals
        The arrays of a report.
    noise_sd : mapping of str to float
        Noise of one point of the FID, by the level's key: the model's FIDs end where they stay
        far below it.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for key, level in signals.levels.items():
        for name, array in _level_arrays(level, _INVISIBLE * noise_sd[key]):
            arrays[f"{key}/{name}"] = array
    if signals.anatomy is not None:
        arrays["anatomy/image"] = signals.anatomy.image
        arrays["anatomy/pixel_mm"] = np.array(signals.anatomy.pixel_mm)
        if signals.anatomy.slices is not None and signals.anatomy.to_slice is not None:
            arrays["anatomy/slices"] = signals.anatomy.slices
            arrays["anatomy/at"] = np.array([signals.anatomy.at])
            arrays["anatomy/to_slice"] = signals.anatomy.to_slice
    return arrays


def _level_arrays(level: LevelSignals, limit: float) -> Iterator[tuple[str, NDArray[Any]]]:
    s = level.sampling
    yield (
        "sampling",
        np.array([s.dwell_time_s, s.spectrometer_mhz, s.reference_ppm, s.start_time_s]),
    )
    yield "data", _complex64(level.data)
    yield "baseline", _complex64(_shortened(level.baseline, limit))
    yield "components", _complex64(_shortened(level.components, limit))
    yield "residue", _complex64(level.residue)
    if level.water is not None:
        yield "water", _complex64(level.water)
    yield "frequency_hz", level.frequency_hz.astype(np.float32)
    yield "phase_rad", level.phase_rad.astype(np.float32)
    if level.voxel_affine is not None:
        yield "voxel_affine", level.voxel_affine.astype(np.float64)
    if level.outline is not None:
        yield "outline", level.outline
    if level.planes is not None:
        yield "planes", level.planes
    if level.transients is not None:
        yield "transients", level.transients
        yield "transients_ppm", np.array([level.transients_ppm])


def _complex64(array: ComplexArray) -> NDArray[np.complex64]:
    """Return single precision, with what is not finite or beyond its range made zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = array.astype(np.complex64)
    return np.where(np.isfinite(single), single, np.complex64(0))


def _shortened(fids: ComplexArray, limit: float) -> ComplexArray:
    """Return model FIDs up to the last point that anyone could see beside the noise."""
    strong = np.flatnonzero(np.atleast_2d(np.abs(fids)).max(axis=0) > limit)
    return fids[..., : int(strong[-1]) + 1 if strong.size else 0]


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the arrays as an ``.npz`` file whose bytes depend on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            member.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    return buffer.getvalue()


# --------------------------------------------------------------------------- reading


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def read_signals(path: Path, expected_sha256: str | None) -> Signals:
    """Read ``signals.npz``.

    Parameters
    ----------
    path : Path
        The file.
    expected_sha256 : str or None
        Its digest as ``results.json`` states it; `None` skips the comparison.

    Raises
    ------
    ReadError
        If it is absent, was changed, or holds anything but the arrays of a report.
    """
    content = read_bytes(path, SIGNALS_NAME)
    if expected_sha256 is not None and sha256(content) != expected_sha256:
        raise ReadError(
            path, "does not belong to this results.json (other SHA-256); analyse the study again"
        )
    return signals_of(_members(path, content), path)


def _members(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what NumPy says of headers of Python 2
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(m.file_size for m in members) > MAX_BYTES:
                raise ReadError(path, "unpacks to more than a report's signals can be")
            for member in members:
                with archive.open(member) as stream:
                    array = np.lib.format.read_array(stream, allow_pickle=False)
                arrays[member.filename.removesuffix(".npy")] = array
    except ReadError:  # said already, and a ValueError too
        raise
    except _DAMAGED as error:
        kind = type(error).__name__
        words = f"is damaged ({kind}); analyse the study again"
        raise ReadError(path, words) from None
    return arrays


def signals_of(arrays: Mapping[str, NDArray[Any]], path: Path) -> Signals:
    """Return checked signals from the arrays of a file.

    Raises
    ------
    ReadError
        If an array is missing or has the wrong shape or kind.
    """
    keys = dict.fromkeys(name.rpartition("/")[0] for name in arrays)
    levels = {key: _level_of(arrays, key, path) for key in keys if key not in ("anatomy", "")}
    return Signals(levels=levels, anatomy=_anatomy_of(arrays, path))


def _level_of(arrays: Mapping[str, NDArray[Any]], key: str, path: Path) -> LevelSignals:
    def get(name: str, kind: str, n_axes: int) -> NDArray[Any]:
        array = arrays.get(f"{key}/{name}")
        if array is None:
            raise ReadError(path, f"lacks the array {key}/{name}")
        if array.dtype.kind != kind or array.ndim != n_axes or not np.all(np.isfinite(array)):
            raise ReadError(path, f"array {key}/{name} is not what a report writes")
        return array

    def maybe(name: str, kind: str, n_axes: int) -> NDArray[Any] | None:
        return get(name, kind, n_axes) if f"{key}/{name}" in arrays else None

    numbers = get("sampling", "f", 1)
    if numbers.shape != (4,):
        raise ReadError(path, f"array {key}/sampling is not what a report writes")
    dwell, mhz, reference, start = (float(v) for v in numbers)
    try:
        sampling = Sampling(
            dwell_time_s=dwell, spectrometer_mhz=mhz, reference_ppm=reference, start_time_s=start
        )
    except InputError as error:
        raise ReadError(path, f"array {key}/sampling: {error}") from None
    data = get("data", "c", 1)
    middle = maybe("transients_ppm", "f", 1)
    n = data.size
    return LevelSignals(
        sampling=sampling,
        data=data,
        baseline=_padded(get("baseline", "c", 1), n),
        components=_padded(get("components", "c", 2), n),
        residue=_padded(get("residue", "c", 1), n),
        water=maybe("water", "c", 1),
        frequency_hz=get("frequency_hz", "f", 1).astype(np.float64),
        phase_rad=get("phase_rad", "f", 1).astype(np.float64),
        outline=maybe("outline", "f", 2),
        voxel_affine=maybe("voxel_affine", "f", 2),
        planes=_pictures_of(arrays, f"{key}/planes", 3, path),
        transients=_pictures_of(arrays, f"{key}/transients", 2, path),
        transients_ppm=WATER_PPM if middle is None or middle.size != 1 else float(middle[0]),
    )


def _pictures_of(
    arrays: Mapping[str, NDArray[Any]], name: str, count: int, path: Path
) -> NDArray[np.uint8] | None:
    """Return grey pictures; `None` where an earlier version wrote none."""
    found = arrays.get(name)
    if found is not None and (found.dtype != np.uint8 or found.ndim != 3 or len(found) != count):
        raise ReadError(path, f"array {name} is not what a report writes")
    return found


def _padded(fids: NDArray[Any], n: int) -> NDArray[Any]:
    fids = fids[..., :n]
    return np.pad(fids, [(0, 0)] * (fids.ndim - 1) + [(0, n - fids.shape[-1])])


def _anatomy_of(arrays: Mapping[str, NDArray[Any]], path: Path) -> AnatomySlice | None:
    image, pixel = arrays.get("anatomy/image"), arrays.get("anatomy/pixel_mm")
    if image is None or pixel is None:
        return None
    if image.dtype != np.uint8 or image.ndim != 2 or pixel.shape != (2,):
        raise ReadError(path, "array anatomy/image is not what a report writes")
    tall, wide = float(pixel[0]), float(pixel[1])
    slices, at, across = (arrays.get(f"anatomy/{n}") for n in ("slices", "at", "to_slice"))
    if slices is None or at is None or across is None:
        return AnatomySlice(image=image, pixel_mm=(tall, wide))
    if (
        slices.dtype != np.uint8
        or slices.ndim != 3
        or slices.shape[1:] != image.shape
        or at.dtype.kind != "i"
        or at.shape != (1,)
        or not 0 <= at[0] < len(slices)
        or across.dtype.kind != "f"
        or across.shape != (4,)
    ):
        raise ReadError(path, "array anatomy/slices is not what a report writes")
    return AnatomySlice(
        image=image, pixel_mm=(tall, wide), slices=slices, at=int(at[0]), to_slice=across
    )
