"""The table of readers, and the way from files to one scan.

A new format is one module with `FORMAT`, `sniff(path)` and `read(path)`, and one line in `READERS`.
`sniff` looks at content (first bytes); readers are never tried in turn with their errors
swallowed: the first that knows the content reads it, and its error is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Protocol as TypingProtocol

import numpy as np

from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import reading
from mrs_disc.io import gate
from mrs_disc.io.consistent import consistent
from mrs_disc.io.formats import (
    bruker,
    data_list,
    dicom,
    ge,
    jmrui,
    lcmodel,
    nifti_mrs,
    philips,
    rda,
    text,
    twix,
)
from mrs_disc.io.formats.scan import Scan, head, other_voxel, read_only
from mrs_disc.record.findings import Finding, finding, once, stop


class Reader(TypingProtocol):
    """What a module of `READERS` offers."""

    FORMAT: str

    def sniff(self, path: Path) -> bool:
        """Say whether this reader knows the content."""

    def read(self, path: Path) -> Scan:
        """Read it, or raise `ReadError`."""


READERS: tuple[Reader, ...] = (
    nifti_mrs,
    dicom,
    rda,
    ge,
    bruker,
    philips,
    data_list,
    lcmodel,
    jmrui,
    twix,
    text,
)
"""In the order of asking: formats with a signature first."""


def find_reader(path: Path) -> Reader:
    """Return the reader that knows the content of a file.

    Raises
    ------
    ReadError
        If the file is absent, empty, or of a kind that no reader knows.
    """
    if path.is_dir():
        raise ReadError(path, not_read(path) or "is a folder, not a file")
    start = head(path)
    if not start:
        raise ReadError(path, "is empty")
    for reader in READERS:
        if reader.sniff(path):
            return reader
    raise ReadError(path, _what_it_is(path, start))


_NOT_READ = {
    "procpar": "Varian/Agilent (VnmrJ): 'spec2nii varian' converts it to NIfTI-MRS, which is read; "
    "give te of procpar as acquisition.echo_time_s in study.toml, as spec2nii 0.8.15 writes the "
    "length of a pulse as EchoTime",
    "acqus": "Bruker TopSpin, not of ParaVision: export jMRUI text or NIfTI-MRS from it, which are "
    "read",
}
"""File of parameters that lies beside the samples, and what its folder is of."""


def not_read(path: Path) -> str | None:
    """Return a sentence where a file or folder is of a kind known by name only; else `None`."""
    folder = path if path.is_dir() else path.parent
    for name, what in _NOT_READ.items():
        if (folder / name).is_file() and (path == folder or path.name in ("fid", "ser", name)):
            return f"is {'a folder' if path == folder else 'of a folder'} of {what}"
    return None


def _what_it_is(path: Path, start: bytes) -> str:
    """Return a sentence on a file that no reader knows."""
    if (known := not_read(path)) is not None:
        return known
    if start[:1] in b"{[" and path.suffix.lower() == ".json":
        return "is a JSON sidecar; name the data file beside it"
    if not start.strip(b"\x00"):
        return "holds only zero bytes"
    if start[128:132] == b"DICM":
        return (
            f"is a DICOM object of another kind than spectroscopy ({_kind_of_dicom(path)}); "
            "export the spectroscopy series"
        )
    if (
        start[:1] == b"\x08"
        and start[1:2] == b"\x00"
        and path.suffix.lower() in (".dcm", ".ima", "")
    ):
        return "looks like DICOM without its file header; export it again as a DICOM file"
    names = ", ".join(r.FORMAT for r in READERS)
    return f"is of no format that is read. Formats: {names}."


def _kind_of_dicom(path: Path) -> str:
    uid = dicom.sop_class(path) or "class not stated"
    return dicom.IMAGE_CLASSES.get(uid, uid)


def is_spectroscopy(path: Path) -> bool:
    """Say whether some reader knows the file; unreadable files are not."""
    try:
        find_reader(path)
    except ReadError:
        return False
    return True


def read_scan(path: Path, sidecar: Mapping[str, Any] | None = None) -> Scan:
    """Read one file, and refuse samples that are no signal; a NIfTI file with its sidecar.

    Raises
    ------
    ReadError
        If it cannot be read; the message names the file.
    """
    try:
        with reading(path):
            reader = find_reader(path)
            if sidecar is not None and reader is nifti_mrs:
                scan = nifti_mrs.read_with_sidecar(path, sidecar)
            else:
                scan = reader.read(path)
    except MemoryError as error:
        raise ReadError(path, "declares more data than fits into memory") from error
    if (early := scan.n_early) > 0:
        scan = scan.noted(finding("early_samples", n=early))
    gate.check_samples(path, scan.signal)
    if scan.water is not None:
        gate.check_samples(path, scan.water.signal, "samples of its water reference")
    return consistent(scan)


def read_series(paths: Sequence[Path]) -> Scan:
    """Read the files of one acquisition: one file, or one per transient.

    Raises
    ------
    InputError
        If they do not belong together: other coils, points, dwell time, frequency or echo time.
    """
    if not paths:
        raise InputError("no file is named")
    paths = bruker.one_per_scan(paths)
    scans = [read_scan(path) for path in paths]
    if len(scans) == 1:
        return scans[0]
    order = sorted(range(len(scans)), key=lambda i: (scans[i].order, paths[i].name))
    first = scans[order[0]]
    for i in order:
        if (differs := _differs(first, scans[i])) is not None:
            raise stop(
                finding(
                    "not_one_acquisition",
                    file=Path(paths[i].name),
                    first=Path(paths[order[0]].name),
                    why=differs,
                )
            )
    lost = _missing_instances([scans[i] for i in order])
    signal = np.concatenate([scans[i].signal for i in order], axis=1)
    water = [w for i in order if (w := scans[i].water) is not None]
    noticed = once([*(note for i in order for note in scans[i].findings), *lost])
    varying = {key: values for i in order for key, values in scans[i].varying.items()}
    merged = replace(first, signal=read_only(signal), varying=varying, findings=noticed)
    if not water:
        return merged
    stacked = read_only(np.concatenate([w.signal for w in water], axis=1))
    return replace(merged, water=replace(water[0], signal=stacked))


def _missing_instances(scans: Sequence[Scan]) -> list[Finding]:
    """Find gaps in the numbers of the objects of one series; without numbers there are none."""
    if any(scan.series is None or len(scan.order) != 2 for scan in scans):
        return []
    numbers = sorted({scan.order[1] for scan in scans})
    steps = np.diff(numbers)
    if len(numbers) < 2 or 0 in numbers or (steps == steps[0]).all():
        return []
    step = int(np.gcd.reduce(steps))
    n_missing = (numbers[-1] - numbers[0]) // step + 1 - len(numbers)
    return [finding("instances_missing", first=numbers[0], last=numbers[-1], n=n_missing)]


def _differs(a: Scan, b: Scan) -> Finding | None:
    """Return what forbids two files to be transients of one acquisition."""
    if a.format != b.format:
        return finding("other_format", one=a.format, other=b.format)
    if a.signal.shape[::2] != b.signal.shape[::2]:
        one, other = ([scan.n_coils, scan.n_points] for scan in (a, b))
        return finding("other_shape", one=one, other=other)
    for what, x, y, tolerance in (
        ("dwell time", a.dwell_time_s, b.dwell_time_s, 1e-4),
        ("frequency", a.spectrometer_mhz, b.spectrometer_mhz, 1e-5),
        ("echo time", a.echo_time_s, b.echo_time_s, 1e-3),
        ("repetition time", a.repetition_time_s, b.repetition_time_s, 1e-2),
    ):
        if x is not None and y is not None and abs(x - y) > tolerance * abs(x):
            return finding("other_value", what=what, one=x, other=y)
    if abs(a.start_time_s - b.start_time_s) > 0.5 * (a.dwell_time_s or 0.0):
        return finding("other_start", one=a.start_time_s, other=b.start_time_s)
    if a.identity.subject and b.identity.subject and a.identity.subject != b.identity.subject:
        return finding("other_subjects")
    if a.series and b.series and a.series != b.series:
        return finding("other_series")
    return other_voxel(a, b)
