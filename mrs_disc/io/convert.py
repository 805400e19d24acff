"""Scanner files of one acquisition to NIfTI-MRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path

from mrs_disc.errors import InputError, OutputError
from mrs_disc.files import spare
from mrs_disc.io import gate
from mrs_disc.io.acquire import Given, split_water, to_protocol, to_signal
from mrs_disc.io.formats.readers import read_series
from mrs_disc.io.formats.scan import Scan
from mrs_disc.io.studies.disc_files import resolve
from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
from mrs_disc.record.findings import finding, stop


def convert(
    files: Sequence[Path], output: Path, given: Given | None = None, *, overwrite: bool = False
) -> list[Path]:
    """Write one acquisition as NIfTI-MRS; water that the files hold becomes a second file.

    Parameters
    ----------
    files : sequence of Path
        One file, the files of a series, or a folder with one series.
    output : Path
        Ends in ``.nii.gz`` or ``.nii``. The water's name gets ``_mrsref`` for ``_svs``, or added.
    given : Given, optional
        What the files do not say.

    Raises
    ------
    InputError
        If the files cannot be read, hold more than coils and transients, or lack a frequency.
    OutputError
        If a file is there already and `overwrite` is not set, or is one of those that are read.
    """
    if not output.name.endswith((".nii.gz", ".nii")):
        raise InputError(f"{output.name}: the name of a NIfTI-MRS file ends in .nii.gz or .nii")
    given = given or Given()
    paths = [p for f in files for p in resolve(f.parent, [f.name])]
    name = files[0].name
    scan, by_user = given.fill(read_series(paths), name)
    _check(scan, name, by_user)
    if scan.water is None:
        scan, water = split_water(scan)
        scan = replace(scan, water=water)
    pairs = [(output, scan)]
    if scan.water is not None:
        missing = ("spectrometer_mhz", "dwell_time_s")
        filled = {k: getattr(scan, k) for k in missing if getattr(scan.water, k) is None}
        pairs.append((_water_name(output), replace(scan.water, **filled)))
    spare(_all_read(paths), [path for path, _ in pairs])
    for path, _ in pairs:
        if path.exists() and not overwrite:
            raise OutputError(f"{path} is there already; choose another name or --overwrite")
    return [
        write_nifti_mrs(p, to_signal(s), to_protocol(s, given, by_user), overwrite=overwrite)
        for p, s in pairs
    ]


def _all_read(paths: Sequence[Path]) -> list[Path]:
    """Return the files with those of the same stem, which their readers may open too."""
    return [one for path in paths for one in (path, *path.parent.glob(f"{escape(path.stem)}.*"))]


def _check(scan: Scan, name: str, by_user: Sequence[str]) -> None:
    if scan.echo_is_part and "echo_time_s" not in by_user:
        raise stop(next(one for one in scan.findings if one.subject == "echo_time_s"), name)
    if scan.varying:
        raise stop(finding("varies", keys=list(scan.varying)), name)
    if scan.n_voxels > 1 or scan.extra_axes:
        raise stop(gate.examine(scan).forbids[0], name)
    for what, value, option in (
        ("spectrometer frequency", scan.spectrometer_mhz, "--spectrometer-mhz"),
        ("dwell time", scan.dwell_time_s, "--dwell-time-s"),
    ):
        if value is None:
            raise InputError(f"{name}: no {what} in the file: give it with {option}")


def _water_name(output: Path) -> Path:
    suffix = ".nii.gz" if output.name.endswith(".gz") else ".nii"
    stem = output.name[: -len(suffix)]
    return output.with_name((stem.removesuffix("_svs")) + "_mrsref" + suffix)
