"""Bruker ParaVision: fid, rawdata.job0 and fid_proc.64 with the parameter files around them.

Five lines of ``method`` and ``acqp``, text in the form of JCAMP-DX::

    ##$PVM_EchoTime=3
    ##$PVM_SpecMatrix=( 1 )
    4096
    ##$ACQ_RxFilterInfo=( 2 )
    (76.125, 0, 8, 19.7753733926916, 31) (0, 15.125, 25.5, 19.5180868062767, 31)

Own reader: spec2nii 0.8.15 through brukerapi stops at ParaVision 360 with a single job and at every
``fid`` of it (there ``ACQ_size`` is not the number of points), leaves averages without a tag, and
cuts the samples before the echo. ``2dseq`` is what ParaVision reconstructed, and is refused.

Layout, read off files of ParaVision 6.0.1 and 360 V3.5: transient after transient, in each coil
after coil, in each point after point, real and imaginary part of integers (``fid_proc.64``: of
doubles, coils combined). The samples have this package's sign as they are stored. The first
samples are the group delay of the digital filter, 60 to 80 of them; `start_time_s` says how many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import (
    MAX_SIGNAL_BYTES,
    Identity,
    Scan,
    digest,
    head,
    known_software,
    megahertz,
    named_sequence,
    number,
    positive,
    read_only,
    seconds,
    whole,
)
from mrs_disc.io.names import level_in
from mrs_disc.record.findings import Finding, finding, unread
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "bruker"
_NAMES = ("rawdata.job0", "fid", "fid_proc.64", "2dseq")
"""In the order of preference where a scan has several: single transients first."""
_REFERENCE = "fid.refscan"
_PARAMETERS = ("../subject", "pdata/1/visu_pars", "visu_pars", "acqp", "method")
_TYPES = {
    "_16_BIT": "i2",
    "_32_BIT": "i4",
    "GO_16BIT_SGN_INT": "i2",
    "GO_32BIT_SGN_INT": "i4",
    "GO_32BIT_FLOAT": "f4",
    "STORE_32bit_signed": "i4",
    "STORE_64bit_float": "f8",
}
_BLOCK = 1024
_AXES = [1, 2, 0]
"""Order of the voxel's axes, as spec2nii takes it."""


def sniff(path: Path) -> bool:
    """Say whether a ParaVision parameter file lies where this data file has it."""
    if path.name not in (*_NAMES, _REFERENCE):
        return False
    for name in ("method", "acqp"):
        try:
            if head(_scan_folder(path) / name, 64).lstrip().startswith(b"##TITLE="):
                return True
        except ReadError:
            continue
    return False


def _scan_folder(path: Path) -> Path:
    """Return the folder of a scan, in which its parameter files lie."""
    processed = path.name in ("2dseq", "fid_proc.64")
    return path.parent.parent.parent if processed else path.parent


def one_per_scan(paths: Sequence[Path]) -> list[Path]:
    """Return the paths, of one scan's files of this format only the one with most transients."""
    best: dict[Path, Path] = {}
    for path in paths:
        if path.name in _NAMES and sniff(path):
            other = best.setdefault(_scan_folder(path), path)
            best[_scan_folder(path)] = min(path, other, key=lambda p: _NAMES.index(p.name))
    left = set(best.values())
    return [p for p in paths if p.name not in _NAMES or p in left or not sniff(p)]


def read(path: Path) -> Scan:
    """Read a ParaVision data file with the parameter files around it.

    Raises
    ------
    ReadError
        If it is no spectroscopy, the samples are not all there, or a required parameter is absent.
    """
    if path.name == "2dseq":
        raise unread(path, finding("reconstructed"))
    values = _Parameters(_scan_folder(path))
    if "spectroscopic" not in values.text("ACQ_dim_desc", "Spectroscopic").lower():
        raise ReadError(path, "is an image, not spectroscopy")
    points = values.count("PVM_SpecMatrix", "PVM_DigNp") or (values.count("ACQ_size") or 0) // 2
    width = values.positive("PVM_SpecSWH", "SW_h") or values.job(5)
    mhz, notes = megahertz(values.positive("PVM_FrqWork", "PVM_FrqRef", "SFO1", "BF1"))
    for what, value in (("PVM_SpecMatrix", points), ("PVM_SpecSWH", width), ("PVM_FrqWork", mhz)):
        if not value:
            raise ReadError(path, f"its parameter files hold no valid {what}, which is required")
    assert width is not None  # checked above
    fids, more = _fids(path, values, points)
    start = -_samples_before_echo(values, fids) / width
    scan = Scan(
        format=FORMAT,
        reader="bruker",
        signal=read_only(fids),
        coil_axis=len(fids) > 1,
        nucleus=values.word("PVM_Nucleus1", "NUCLEUS", "NUC1"),
        spectrometer_mhz=mhz,
        dwell_time_s=1.0 / width,
        reference_ppm=WATER_PPM + (values.number("PVM_FrqWorkOffsetPpm") or 0.0),
        start_time_s=start,
        echo_time_s=seconds(values.positive("PVM_EchoTime", "EchoTime"), 1e-3, 1.0),
        repetition_time_s=seconds(values.positive("PVM_RepetitionTime"), 1e-3, 60.0),
        sequence=named_sequence(values.word(k) for k in ("Method", "ACQ_method", "PULPROG")),
        manufacturer="Bruker",
        software=known_software(values.word("ACQ_sw_version")),
        n_averages=None if fids.shape[1] > 1 else values.count("PVM_NAverages"),
        voxel_affine=_affine(values),
        water_suppressed={"on": True, "off": False}.get(values.text("PVM_WsOnOff").lower()),
        processed=_processed(path, values),
        n_voxels=_n_voxels(values),
        order=(int(values.folder.name),) if values.folder.name.isdecimal() else (),
        identity=_identity(values),
        level_hint=level_in(values.word("ACQ_protocol_name"), values.word("ACQ_scan_name")),
        findings=(*notes, *more),
    )
    return scan if path.name == _REFERENCE else _with_reference(path, values, scan)


# --------------------------------------------------------------------------- parameters


class _Parameters:
    """The entries of the parameter files of a scan, as text; the later file of two counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, str] = {}
        for name in _PARAMETERS:
            if (path := folder / name).is_file():
                text = whole(path, "text of a spectrum").decode("latin-1")
                for entry in re.split(r"^(?=##|\$\$)", text, flags=re.MULTILINE):
                    if entry.startswith("##$"):
                        key, _, value = entry[3:].partition("=")
                        self._entries[key.strip()] = value

    def text(self, name: str, default: str = "") -> str:
        """Return an entry without its dimensions, line ends as blanks."""
        entry = re.sub(r"^\(\s*\d+(\s*,\s*\d+)*\s*\)\s*\n", "", self._entries.get(name, default))
        return " ".join(entry.split())

    def word(self, *names: str) -> str | None:
        """Return the first entry that holds a word, without the brackets of a text."""
        words = (self.text(name).strip("<> ") for name in names)
        return next((word for word in words if word), None)

    def numbers(self, name: str) -> list[float]:
        """Return the numbers of an entry, ``@3*(0)`` for three zeros; none where other text is."""
        found: list[float] = []
        for times, repeated, plain in re.findall(
            r"@(\d{1,7})\*\(([^)]*)\)|([^\s]+)", self.text(name)
        ):
            value = number(repeated if times else plain)
            if value is None or len(found) > MAX_SIGNAL_BYTES // 8:
                return []
            found += [value] * (int(times) if times else 1)
        return found

    def number(self, name: str) -> float | None:
        """Return the first number of an entry."""
        return next(iter(self.numbers(name)), None)

    def positive(self, *names: str) -> float | None:
        """Return the first number above zero that stands first in one of the entries."""
        return next((v for n in names if (v := positive(self.number(n))) is not None), None)

    def count(self, *names: str) -> int | None:
        """Return the first of the entries that is a whole number above zero."""
        found = self.positive(*names)
        return int(found) if found is not None and found == int(found) and found < 1e8 else None

    def job(self, place: int) -> float | None:
        """Return a value of the first job: 0 samples, 3 transients stored, 4 gain, 5 width."""
        return self.of_first("ACQ_jobs", place)

    def of_first(self, name: str, place: int) -> float | None:
        """Return a value of the first of an entry's groups in brackets, above zero."""
        group = re.search(r"\(([^()]*)", self.text(name))
        words = group[1].split(",") if group else []
        return positive(words[place]) if len(words) > place else None


# --------------------------------------------------------------------------- samples


def _fids(path: Path, values: _Parameters, points: int) -> tuple[ComplexArray, list[Finding]]:
    """Return the samples, shape (coil, transient, point), and what has to be said of them.

    Raises
    ------
    ReadError
        If they are no whole number of FIDs of all coils.
    """
    raw = whole(path)
    kind = np.dtype(_type(path, values))
    one = 2 * points * kind.itemsize
    coils = 1 if path.name == "fid_proc.64" else values.count("PVM_EncNReceivers") or 1
    block = one * coils
    if values.text("GO_block_size") == "Standard_KBlock_Format" and path.name == "fid":
        block += -block % _BLOCK
    if coils > 1 and path.name == "fid" and len(raw) == one * _repetitions(values):
        coils, block = 1, one  # a FID for each repetition: the coils are combined
    n, rest = divmod(len(raw), block)
    if rest or not n:
        raise ReadError(
            path,
            f"has {len(raw)} bytes, but one transient of {coils} coils x {points} points needs "
            f"{block}: cut off, or not whole; copy it again",
        )
    numbers = np.frombuffer(raw, kind).reshape(n, -1)[:, : one * coils // kind.itemsize]
    with np.errstate(over="ignore", invalid="ignore"):  # refused as not finite
        single = np.ascontiguousarray(numbers, dtype=np.float32)
    fids = single.view(np.complex64).reshape(n, coils, points).transpose(1, 0, 2)
    wanted = int(values.job(3) or 0) if path.name == "rawdata.job0" else 0
    if n < wanted:
        return fids, [finding("fewer_transients", n=n, wanted=wanted)]
    return fids, []


def _repetitions(values: _Parameters) -> int:
    return values.count("PVM_NRepetitions", "NR") or 1


def _type(path: Path, values: _Parameters) -> str:
    """Return the type of the numbers in a file, as NumPy writes it."""
    order = ">" if values.text("BYTORDA") == "big" else "<"
    if path.name == "fid_proc.64":
        return order + "f8"
    job = re.search(r"STORE_\d\dbit_\w+", values.text("ACQ_ScanPipeJobSettings"))
    stored = job[0] if job and path.name == "rawdata.job0" else ""
    words = (stored, values.text("GO_raw_data_format"), values.text("ACQ_word_size"))
    return order + next((_TYPES[w] for w in words if w in _TYPES), "i4")


def _samples_before_echo(values: _Parameters, fids: ComplexArray) -> float:
    """Return the group delay of the digital filter, samples; 0 where it was taken out already.

    ParaVision 360 keeps it with the filter's other facts, older releases in `GRPDLY` (exact) and
    `PVM_DigShift` (whole samples). A delay that is there shows: the first samples are next to none.
    """
    delay = (
        values.positive("GRPDLY")
        or values.of_first("ACQ_RxFilterInfo", 0)
        or values.positive("PVM_DigShiftDbl", "PVM_DigShift")
        or 0.0
    )
    first = int(delay)
    if not 1 <= first < fids.shape[-1] // 2:
        return 0.0 if first else delay
    size = np.abs(fids)
    before, behind = size[..., : (first + 1) // 2].max(), size[..., first : first + 64].max()
    return 0.0 if before > 0.3 * behind else delay


def _with_reference(path: Path, values: _Parameters, scan: Scan) -> Scan:
    """Return the scan with the unsuppressed water that the scanner measured before it."""
    beside = path.with_name(_REFERENCE)
    if path.name in ("fid", "rawdata.job0") and beside.is_file():
        fids = _fids(beside, values, scan.n_points)[0]
    elif values.text("PVM_RefScanYN") == "Yes" and (flat := values.numbers("PVM_RefScan")):
        coils = values.count("PVM_EncNReceivers") or 1
        if len(flat) != 2 * coils * scan.n_points:
            return scan.noted(finding("reference_unfit"))
        fids = np.array(flat).view(np.complex128).reshape(coils, 1, scan.n_points)
    else:
        return scan
    if len(fids) != scan.n_coils:
        return scan.noted(finding("reference_coils", n=len(fids)))
    gain, other = values.job(4) or values.positive("RG"), values.positive("PVM_RefScanRG")
    notes = (
        [finding("reference_gain", other=other, gain=gain)]
        if (gain and other and gain != other)
        else []
    )
    if (n := scan.n_averages or 1) > 1:
        notes.append(finding("reference_mean", n=n))
    scale = np.float32(gain / other if gain and other else 1.0)
    water = replace(
        scan,
        signal=read_only(fids * scale),
        start_time_s=-_samples_before_echo(values, fids) * (scan.dwell_time_s or 0.0),
        n_averages=values.count("PVM_RefScanNA"),
        water_suppressed=False,
    )
    return replace(scan, water=water).noted(*notes)


# --------------------------------------------------------------------------- the rest


def _processed(path: Path, values: _Parameters) -> tuple[str, ...]:
    if path.name != "fid_proc.64":
        return ()
    eddy = ("eddy_corrected",) if values.text("PVM_RefScanPCYN") == "Yes" else ()
    return ("averaged", *eddy, "coils_combined")


def _n_voxels(values: _Parameters) -> int:
    """Return how many voxels there are: of one scan with several, or encoded in space."""
    sizes = [s for s in values.numbers("ACQ_size")[1:] if s >= 1]
    encoded = "spatial" in values.text("ACQ_dim_desc").lower()
    return int(np.prod(sizes)) if encoded and sizes else values.count("PVM_NVoxels") or 1


def _affine(values: _Parameters) -> FloatArray | None:
    """Return the voxel's affine, its axes ordered as spec2nii does."""
    turn, place, size = (
        values.numbers(f"PVM_VoxArr{name}") for name in ("GradOrient", "Position", "Size")
    )
    if len(turn) != 9 or len(place) != 3 or len(size) != 3 or min(size) <= 0:
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turn, (3, 3))[_AXES].T * np.array(size)[_AXES]
    affine[:3, 3] = np.array(place)[_AXES]
    return affine


def _identity(values: _Parameters) -> Identity:
    date = re.search(r"\d{4}-\d{2}-\d{2}", values.text("VisuStudyDate"))
    since = values.of_first("ACQ_abs_time", 0)
    minutes = values.of_first("ACQ_abs_time", 2) or 0.0
    day = date[0] if date else None
    if day is None and since is not None and 0 <= since < 1e10 and abs(minutes) <= 24 * 60:
        day = (datetime.fromtimestamp(since, UTC) + timedelta(minutes=minutes)).date().isoformat()
    return Identity(
        subject=digest(values.word("VisuSubjectId", "SUBJECT_id")),
        exam=digest(values.word("VisuStudyUid")),
        date=digest(day),
    )
