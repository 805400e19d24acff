"""The adapter to spec2nii: its functions in process, its errors as one sentence each.

spec2nii's command class parses `sys.argv` and leaves the interpreter; the functions underneath
return NIfTI-MRS objects in milliseconds, and raise bare built-ins of any kind on broken files.
Heavy libraries are imported inside the functions: a NIfTI file is described without them. Their
interface is no promise, hence the pin in pyproject.toml and one contract test per format.
"""

from __future__ import annotations

import contextlib
import io
import re
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.files import check_file
from mrs_disc.io.formats.philips import inverted as inversion_of_spar
from mrs_disc.io.formats.scan import Scan, known_software, read_only, sibling
from mrs_disc.io.formats.twix_header import columns_before_echo, inverted, mend
from mrs_disc.record.findings import finding, unread
from mrs_disc.typing import ComplexArray

_WATER_NAMES = (
    "_ref",
    "_wref",
    "_quant",
    "_rf_grads_ovs_off",
    "_rf_off",
    "rfoff",
    "_ecc",
    "std_1",
    "water",
)
"""Words in the names that spec2nii gives a scan's references, the better for amounts first."""
_IGNORED_STARTS = ("_empty", "noi", "nav_", "rej_", "phc_", "frc_")
_OWN_INVERSION = ("siemens-twix", "philips-data-list")
"""Formats whose inversion time is read here: spec2nii 0.8.15 hands it on in the file's unit."""


@contextlib.contextmanager
def _quiet(path: Path, what: str) -> Iterator[None]:
    """Keep spec2nii silent, and turn what it raises into one sentence that names the file."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        except (ReadError, MemoryError):
            raise
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # closes the file they left open
            raise ReadError(
                path,
                f"cannot be read as {what}: cut off, or of an unknown release "
                f"({type(error).__name__}). If it is whole, export it in another format.",
            ) from error


def twix(path: Path) -> Scan:
    """Read a Siemens twix file (VB, VD, VE, XA); reference scans in it become the water."""
    check_file(path, "signal")
    with _quiet(path, "Siemens twix"):
        from mapvbvd import mapVBVD
        from spec2nii.Siemens.twixfunctions import process_twix

        found = mapVBVD(str(path), quiet=True)
        measured = found[-1] if isinstance(found, list) else found
        if not measured or "image" not in measured.keys():  # noqa: SIM118 - not a dictionary
            raise ReadError(path, "holds no measured samples: cut off, or a noise scan alone")

        release = mend(path, measured["hdr"])
        image = measured["image"]
        _count_references(measured["hdr"], image)
        overrides = {"dims": (None,) * 3, "tags": _loop_tags(image)}
        try:
            made = process_twix(
                measured, None, path.name, "image", overrides, quiet=True, remove_os=False
            )
        except ValueError as error:
            if "dimension tag" in str(error):
                raise ReadError(
                    path, "is a twix file of an imaging sequence, not of spectroscopy"
                ) from error
            raise
        scan = _choose(path, "siemens-twix", _pairs(made))
        early = columns_before_echo(measured["hdr"], image)
        start = -early * (scan.dwell_time_s or 0.0)
        pulse = inverted(measured["hdr"])
        water = scan.water
        if water is not None:
            water = replace(water, start_time_s=start).noted(*pulse)
        scan = replace(scan, software=known_software(release), start_time_s=start, water=water)
        scan = scan.noted(*pulse)
        if scan.water is not None:
            return scan
        for key in measured.keys():  # noqa: SIM118 - not a dictionary
            other = measured[key]
            if key in ("image", "noise", "hdr") or getattr(other, "NCol", None) != image.NCol:
                continue
            if (found := _readouts(other)).shape[0] == scan.n_coils and found.size:
                water = replace(scan, signal=read_only(found), water_suppressed=False)
                return replace(scan, water=water)
        return scan


def _count_references(header: Any, image: Any) -> None:
    """Give spec2nii the counts that it splits the readouts of ``svs_slaser_dkd`` by, where absent.

    References stand before and behind the metabolites, as many of each kind before as behind.
    """
    yaps = header["MeasYaps"]
    kinds = {2.0: 2, 8.0: 4}.get(yaps["sSpecPara", "lAutoRefScanMode"], 0)
    references = yaps.setdefault(("sSpecPara", "lAutoRefScanNo"), 1.0) * kinds
    yaps.setdefault(("lAverages",), max(1.0, int(image.NAcq) - references))


def _loop_tags(measured: Any) -> tuple[str | None, ...]:
    """Return tags for spec2nii, which knows the loop over averages in releases after VB only."""
    measured.squeeze = True
    loops = measured.sqzDims[1:4]
    tags = ["DIM_DYN" if loop == "Ave" else None for loop in loops]
    return (*tags, *[None] * (3 - len(tags)))


def _readouts(measured: Any) -> ComplexArray:
    """Return the readouts of a kind of record, shape (coil, readout, point)."""
    measured.flagRemoveOS, measured.squeeze = False, True
    samples: ComplexArray = measured[""]
    points = samples.shape[0]
    if "Cha" not in measured.sqzDims:
        return samples.reshape(1, points, -1).transpose(0, 2, 1)
    coils = np.moveaxis(samples, measured.sqzDims.index("Cha"), 0)
    return coils.reshape(len(coils), points, -1).transpose(0, 2, 1)


def philips_classic(path: Path) -> Scan:
    """Read Philips' private DICOM spectroscopy class of older releases."""
    check_file(path, "signal")
    with _quiet(path, "Philips DICOM"):
        from spec2nii.Philips.philips_dcm import multi_file_dicom

        return _choose(path, "philips-dicom", _pairs(multi_file_dicom([path], None, None, False)))


def data_list(path: Path) -> Scan:
    """Read a Philips data/list pair; parameters come from the SPAR or DICOM file beside it."""
    data, listed = sibling(path, ".data"), sibling(path, ".list")
    extra = sibling(path, ".SPAR", ".dcm")
    if data is None or listed is None:
        other = Path(path.name).with_suffix(".list" if data else ".data")
        raise unread(path, finding("partner_absent", file=other))
    if extra is None:
        beside = [p for p in path.parent.iterdir() if p.suffix.lower() == ".spar"]
        extra = beside[0] if len(beside) == 1 else None
    if extra is None:
        raise ReadError(
            path,
            "needs a SPAR or DICOM file of the same scan beside it, of the same name: data/list "
            "holds neither frequency nor spectral width",
        )
    check_file(data, "signal")
    with _quiet(path, "Philips data/list"):
        from spec2nii.Philips.philips_data_list import read_data_list_pair

        made = read_data_list_pair(data, listed, extra)
        scan = _choose(path, "philips-data-list", _pairs(made))
    pulse = inversion_of_spar(extra) if extra.suffix.lower() == ".spar" else ()
    water = scan.water.noted(*pulse) if scan.water is not None else None
    return replace(scan, water=water).noted(*pulse)


def ge_pfile(path: Path) -> Scan:
    """Read a GE P-file of header revision 11 and above."""
    check_file(path, "signal")
    with _quiet(path, "GE P-file"):
        from spec2nii.GE.ge_pfile import read_pfile

        return _choose(path, "ge-pfile", _pairs(read_pfile(path, None)))


def _pairs(made: tuple[Any, Any]) -> list[tuple[Any, str]]:
    objects, names = made
    return [(o, str(n)) for o, n in zip(objects, names, strict=True)]


def _choose(path: Path, form: str, outputs: list[tuple[Any, str]]) -> Scan:
    """Return the metabolite scan of several outputs, with the water reference beside it."""
    stem = path.stem.lower()
    metabolite: list[Any] = []
    water: list[tuple[int, Any]] = []
    for made, name in outputs:
        tail = name.lower().removeprefix(stem)
        rank = [i for i, word in enumerate(_WATER_NAMES) if word in tail]
        if tail.startswith(_IGNORED_STARTS):
            continue
        if rank:
            water.append((rank[0], made))
        else:
            metabolite.append(made)
    if not metabolite and water:
        metabolite, water = [water[0][1]], []
    if not metabolite:
        raise ReadError(path, "holds no single-voxel spectrum that is read")
    scan = _to_scan(form, max(metabolite, key=lambda m: int(np.prod(m.shape))))
    if len(metabolite) > 1:
        scan = scan.noted(finding("largest_scan", n=len(metabolite)))
    if not water:
        return scan
    reference = _to_scan(form, min(water, key=lambda w: w[0])[1])
    return replace(scan, water=replace(reference, water_suppressed=False))


def _to_scan(form: str, made: Any) -> Scan:
    """Return a NIfTI-MRS object in memory as a scan."""
    from spec2nii import __version__

    from mrs_disc.io.formats.nifti_mrs import scan_from_parts

    facts = {k: v for k, v in made.hdr_ext.to_dict().items() if v is not None}
    if form in _OWN_INVERSION:
        facts.pop("InversionTime", None)
    samples = np.conj(np.asarray(made.image.data, dtype=np.complex64))
    release = re.match(r"[\d.]+", __version__)
    return scan_from_parts(
        samples,
        facts,
        form=form,
        reader=f"spec2nii {release.group(0) if release else ''}".strip(),
        dwell_time_s=float(made.dwelltime),
        affine=np.asarray(made.getAffine("voxel", "world"), dtype=float),
    )
