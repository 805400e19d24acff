"""A morphologic image to draw the voxels on: NIfTI, or a folder with a DICOM series."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.data import Anatomy
from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import check_file, is_folder, is_regular
from mrs_disc.io.formats.dicom_file import read_dicom
from mrs_disc.io.formats.scan import digest, head, lps_affine, number
from mrs_disc.io.names import format_suffix
from mrs_disc.typing import FloatArray

MAX_IMAGE_BYTES = 300_000_000
_MAX_FILES, _MAX_SLICES = 20_000, 2_000


_UNEVEN = 0.2
"""Difference of the slices' distances over their median beyond which slices are missing."""


def load_image(path: Path) -> Anatomy:
    """Read an image.

    Parameters
    ----------
    path : Path
        A NIfTI file, a folder with a DICOM series (the longest, where there are several), or one
        DICOM file, which stands for its series in the same folder.

    Raises
    ------
    ReadError
        If it is absent, broken, too large or not a three-dimensional image.
    """
    if is_folder(path):
        return _dicom_series(path, image_files(path))
    if not os.path.lexists(path):
        raise ReadError(path, "there is no such image")
    check_file(path, "image")
    if head(path, 132)[128:] == b"DICM":
        return _dicom_series(path, image_files(path))
    return _nifti(path)


def labelled_image(path: Path) -> Anatomy:
    """Read an image; an error calls it by its label, as its name may carry a person's.

    Raises
    ------
    ReadError
        As of `load_image`.
    """
    try:
        return load_image(path)
    except NoSuchPathError as error:  # a link to nothing; its words name a folder
        raise ReadError(Path(image_label(path)), "there is no such image") from error
    except ReadError as error:
        raise ReadError(Path(image_label(path)), error.problem) from error


def image_label(path: Path) -> str:
    """Return how a report names the anatomy image."""
    return f"anatomy{format_suffix(path)}"


def image_files(path: Path) -> list[Path]:
    """Return the files that `load_image` reads; none of what is not there."""
    if is_folder(path):
        return sorted(p for p in path.iterdir() if p.is_file())
    if not is_regular(path):
        return []
    return image_files(path.parent) if head(path, 132)[128:] == b"DICM" else [path]


def _nifti(path: Path) -> Anatomy:
    import nibabel
    import nibabel.imageglobals

    try:
        with nibabel.imageglobals.LoggingOutputSuppressor():  # it mends headers aloud
            image: Any = nibabel.load(path, mmap=False)  # a file that is cut meanwhile kills a map
        shape = tuple(int(n) for n in image.shape)
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        size = float(np.prod([float(n) for n in shape])) * image.get_data_dtype().itemsize
        if len(shape) != 3 or min(shape) < 1 or image.get_data_dtype().kind not in "iuf":
            raise ReadError(path, f"has the shape {image.shape}; one grey-scale volume expected")
        _check_size(path, size)
        stored = image.dataobj
        array = np.asanyarray(stored.get_unscaled()).reshape(shape, order="F")
        affine = np.asarray(image.affine, dtype=float)
        scaling = float(stored.slope), float(stored.inter)
    except ReadError:
        raise
    except Exception as error:  # nibabel and zlib raise many kinds on broken files
        raise ReadError(path, f"is no NIfTI image that can be read ({_kind(error)})") from error
    return _anatomy(path, array, affine, scaling)


def _dicom_series(path: Path, files: list[Path]) -> Anatomy:
    headers = {file: header for file in files[:_MAX_FILES] if (header := _header(file)) is not None}
    if not headers:
        raise ReadError(path, "holds no DICOM image with a position in the patient")
    uid = headers.get(path) or Counter(headers.values()).most_common(1)[0][0]
    chosen = [file for file, other in headers.items() if other == uid]
    chosen = chosen[:_MAX_SLICES]
    _check_size(path, float(sum(check_file(file, "image") for file in chosen)))
    slices = [d for file in chosen if "PixelData" in (d := _whole(path, file))]
    if not slices:
        raise ReadError(path, "its DICOM images hold no pixels: cut off?")
    slices = _of_most(slices, lambda d: (d.Rows, d.Columns))
    slices = _of_most(slices, lambda d: str(d.get("ImageOrientationPatient")))
    try:
        _check_size(path, sum(_declared(d) for d in slices))  # packed pixels may become any number
        row, column = np.reshape([float(v) for v in slices[0].ImageOrientationPatient], (2, 3))
        normal = np.cross(row, column)
        places = [float(np.dot([float(v) for v in d.ImagePositionPatient], normal)) for d in slices]
        # echoes and repeats lie at one place: the first stands for them
        _, first = np.unique(np.round(places, 2), return_index=True)
        order, steps = [int(i) for i in first], np.diff(np.array(places)[first])
        _check_steps(path, steps)
        thickness = float(np.median(steps)) if len(steps) and np.median(steps) > 0 else None
        thickness = thickness or number(slices[0].get("SliceThickness")) or 1.0
        spacing = [float(v) for v in slices[0].PixelSpacing]
        array = np.stack([slices[i].pixel_array.T for i in order], axis=-1)
        corner = [float(v) for v in slices[order[0]].ImagePositionPatient]
    except ReadError:
        raise
    except Exception as error:  # pydicom raises many kinds on broken pixel data
        raise ReadError(path, f"its DICOM images cannot be read ({_kind(error)})") from error
    affine = lps_affine(row, column, corner, (spacing[1], spacing[0], thickness))
    if affine is None:
        raise ReadError(path, "its DICOM images have no valid orientation")
    named = {digest(slices[0].get(tag)) for tag in ("PatientID", "PatientName")}
    found = _anatomy(path, array, affine)
    return replace(found, subjects=tuple(sorted(one for one in named if one is not None)))


def _of_most(slices: list[Any], kind: Callable[[Any], object]) -> list[Any]:
    """Return the slices that are of the most frequent kind."""
    most = Counter(kind(one) for one in slices).most_common(1)[0][0]
    return [one for one in slices if kind(one) == most]


def _check_steps(path: Path, steps: FloatArray) -> None:
    """Refuse slices at unequal distances: all beyond the gap would be drawn at a wrong place."""
    if len(steps) > 1 and np.ptp(steps) > _UNEVEN * np.median(steps):
        raise ReadError(
            path,
            f"its slices lie {steps.min():.3g} to {steps.max():.3g} mm apart: some are missing; "
            "export the whole series",
        )


def _check_size(path: Path, size: float) -> None:
    if size > MAX_IMAGE_BYTES:
        raise ReadError(path, f"declares {size / 1e6:.0f} MB; give an image below 300 MB")


def _declared(dataset: Any) -> float:
    """Return how many bytes the pixels of a DICOM image are when they are unpacked."""
    frames = float(dataset.get("NumberOfFrames") or 1)
    samples = float(dataset.get("SamplesPerPixel") or 1)
    pixels = float(dataset.Rows) * float(dataset.Columns) * float(dataset.BitsAllocated) / 8
    return frames * samples * pixels


def dicom_header(path: Path, *tags: str) -> Any | None:
    """Return the named entries of a DICOM file; `None` for others, which may be many and large."""
    if head(path, 132)[128:] != b"DICM":
        return None
    try:
        return read_dicom(path, "any", tags=tags, pixels=False)
    except Exception:  # pydicom raises many kinds on a broken file, which then says nothing
        return None


def _header(path: Path) -> str | None:
    """Return the series of a DICOM image that lies somewhere in the patient."""
    found = dicom_header(path, "SeriesInstanceUID", "ImagePositionPatient", "Rows")
    if found is None or not ("ImagePositionPatient" in found and "Rows" in found):
        return None
    return str(found.get("SeriesInstanceUID"))


def _whole(path: Path, file: Path) -> Any:
    try:
        return read_dicom(file)
    except Exception as error:  # as above
        raise ReadError(path, f"its DICOM images cannot be read ({_kind(error)})") from error


def _anatomy(
    path: Path,
    array: np.ndarray[Any, Any],
    affine: np.ndarray[Any, Any],
    scaling: tuple[float, float] = (1.0, 0.0),
) -> Anatomy:
    """Return the image in the type of the file: in floating point it may be eight times as large.

    The one slice that is shown is scaled, and what is no number in it taken for black, when shown.
    """
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ReadError(path, "its header does not say where the image lies in the patient")
    if not np.all(np.isfinite(scaling)):
        raise ReadError(path, "its header scales the grey values by what is no number")
    array.flags.writeable = False
    affine = affine.copy()
    affine.flags.writeable = False
    return Anatomy(image=array, affine=affine, slope=scaling[0], intercept=scaling[1])


def _kind(error: Exception) -> str:
    return type(error).__name__
