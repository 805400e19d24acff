"""What a reader hands back: one acquisition as its file holds it, in this package's sign and units.

A reader converts (sign, hertz to megahertz, milliseconds to seconds) but does not judge; `gate`
judges, `acquire` turns the result into the records that the steps work on. Free text of a header
stops here: sequence and manufacturer become words of a fixed vocabulary, subject and date digests
that are compared and never shown.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.files import MOST_BYTES, read_bytes, read_head
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.typing import ComplexArray, FloatArray

HIGHEST_FIELD_T = 30.0
"""Above the 23.5 T of a spectrometer of 1 GHz, on which animal and cadaver discs are measured."""
MAX_SIGNAL_BYTES = int(MOST_BYTES["signal"])
"""Largest signal that is read, as stored: twice this and the interpreter stay below 1 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Digests that say whether two files are of one person and one examination."""

    subject: str | None = field(default=None, repr=False)
    exam: str | None = field(default=None, repr=False)
    date: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    """Serial number of the scanner."""


def digest(text: object) -> str | None:
    """Return a digest of a header value that may only be compared; `None` for an empty one."""
    word = re.sub(r"[\s^]+", " ", str(text or "")).strip().lower()
    if word in ("", "none", "anonymous", "anonymized", "anon", "unknown", "xxxx"):
        return None
    return hashlib.sha256(word.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Scan:
    """One acquisition as a reader found it; `None` where the file is silent.

    Parameters
    ----------
    signal : complex array, shape (coil, transient, point)
        In this package's sign, read-only. One coil or transient where the file has no such axis.
    coil_axis : bool
        Whether the file has the axis, also of size 1.
    extra_axes : mapping
        Tags and sizes of axes beyond coil and transient (edited, indirect, repeated); `signal`
        then holds the first index of each.
    n_voxels : int
        More than 1 for spectroscopic imaging; `signal` then holds the first voxel.
    water : Scan or None
        Unsuppressed reference that the file holds beside the metabolites.
    order : tuple of int
        Where the file stands in a series of one file per transient.
    start_time_s : float
        Time of the first stored sample after the echo's top; negative where the file holds samples
        before it (group delay of a digital filter, columns before the echo): see `from_echo`.
    echo_is_part : bool
        Whether the echo time in the header is known to be the first of several parts only.
    varying : mapping
        Header values that change along the transients, and the numbers they take (none where they
        are no numbers): transients of several protocols, which may not be averaged.
    processed : tuple of str
        Codes of what the file says was done to the samples, of `PROCESSING`.
    level_hint : str or None
        The disc level that a protocol or series name holds, all that is kept of it.
    findings : tuple of Finding
        What was mended on reading.
    """

    format: str
    reader: str
    signal: ComplexArray
    coil_axis: bool = False
    nucleus: str | None = None
    spectrometer_mhz: float | None = None
    dwell_time_s: float | None = None
    reference_ppm: float = WATER_PPM
    start_time_s: float = 0.0
    echo_time_s: float | None = None
    echo_is_part: bool = False
    repetition_time_s: float | None = None
    mixing_time_s: float | None = None
    sequence: str | None = None
    manufacturer: str | None = None
    scanner: str | None = None
    software: str | None = None
    field_strength_t: float | None = None
    n_averages: int | None = None
    voxel_affine: FloatArray | None = None
    water_suppressed: bool | None = None
    extra_axes: Mapping[str, int] = field(default_factory=dict)
    varying: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    processed: tuple[str, ...] = ()
    n_voxels: int = 1
    water: Scan | None = None
    order: tuple[int, ...] = ()
    series: str | None = field(default=None, repr=False)
    identity: Identity = field(default_factory=Identity, repr=False)
    level_hint: str | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "nucleus", known_nucleus(self.nucleus))

    @property
    def n_coils(self) -> int:
        """Number of coils stored."""
        return int(self.signal.shape[0])

    @property
    def n_transients(self) -> int:
        """Number of transients stored; 1 where the scanner averaged."""
        return int(self.signal.shape[1])

    @property
    def n_points(self) -> int:
        """Number of complex points stored."""
        return int(self.signal.shape[2])

    @property
    def n_early(self) -> int:
        """Number of stored samples before the echo's top, to the nearest sample."""
        if not self.dwell_time_s:
            return 0
        samples = -self.start_time_s / self.dwell_time_s
        if not math.isfinite(samples):  # of a file that gives no number for either
            return 0
        early = math.ceil(samples - 0.5 - 1e-9)
        return early if 0 < early < self.n_points else 0  # all of them: no start that is meant

    @property
    def echo_time_doubt(self) -> str | None:
        """Code for an echo time that the user has to confirm; `None` where there is no doubt.

        ``first_part``: the header gives the first of several parts of the echo time.
        ``short_semi_laser``: two pairs of adiabatic pulses do not fit into so short an echo.
        """
        if self.echo_is_part:
            return "first_part"
        if self.sequence == "sLASER" and (self.echo_time_s or 1.0) < SHORTEST_SEMI_LASER_S:
            return "short_semi_laser"
        return None

    @property
    def voxel_size_mm(self) -> tuple[float, float, float] | None:
        """Edge lengths from the affine, mm; `None` for the placeholders of unlocalised data."""
        if self.voxel_affine is None:
            return None
        with np.errstate(over="ignore"):  # infinite: no size
            a, b, c = (float(v) for v in np.linalg.norm(self.voxel_affine[:3, :3], axis=0))
        return (a, b, c) if min(a, b, c) > 0 and max(a, b, c) < 1000 else None

    def from_echo(self) -> Scan:
        """Return the scan without the samples before the echo's top, its water likewise."""
        water = self.water.from_echo() if self.water is not None else None
        if not (early := self.n_early):
            return self if water is self.water else replace(self, water=water)
        start = self.start_time_s + early * (self.dwell_time_s or 0.0)
        signal = read_only(self.signal[..., early:])
        return replace(self, signal=signal, start_time_s=start, water=water)

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)

    def turned_over(self) -> Scan:
        """Return the scan with its spectrum turned over about the carrier, its own water too.

        A water line alone does not tell how it lies: the reference goes as the metabolites go, or
        its coil phases, eddy currents and offset would count with the wrong sign.
        """
        water = None if self.water is None else self.water.turned_over()
        return replace(self, signal=read_only(np.conj(self.signal)), water=water)

    def noted(self, *findings: Finding) -> Scan:
        """Return the same scan with more findings."""
        return replace(self, findings=(*self.findings, *findings)) if findings else self


SHORTEST_SEMI_LASER_S = 0.015
"""Four adiabatic pulses of 3 ms and their gradients; published protocols begin at 20 ms."""
PARTS_OF_ECHO = re.compile(r"slaser(voi)?_dkd", re.IGNORECASE)
"""The one sequence (CMRR) that splits its echo time over the first three entries of `alTE`."""


def sum_of_parts(alte_us: Sequence[float | None]) -> float | None:
    """Return the echo time of a sequence that splits it over the first three entries, s.

    Others fill the rest of the list with leftovers, so that only these three count.

    >>> sum_of_parts([8000.0, 12000.0, 10000.0, 0.0])
    0.03
    """
    return seconds(sum(part or 0.0 for part in alte_us[:3]), 1e-6, 0.5)


PROCESSING: tuple[tuple[str, str], ...] = (
    (r"apodi[sz]|line ?broaden|filter", "apodised"),
    (r"zero[- ]?(fill|pad)", "zero_filled"),
    (r"nuisance|water removal|hlsvd|residual water", "water_removed"),
    (r"subtract", "subtracted"),
    (r"averag", "averaged"),
    (r"eddy", "eddy_corrected"),
    (r"coil", "coils_combined"),
)
"""What a description of a processing step contains, and the code that is kept of it."""


def known_processing(*words: object) -> tuple[str, ...]:
    """Return the codes of the processing steps that these descriptions stand for.

    >>> known_processing("RF coil combination", "Apodization", "Phasing")
    ('apodised', 'coils_combined')
    """
    text = " | ".join(str(word or "").lower() for word in words)
    return tuple(code for pattern, code in PROCESSING if re.search(pattern, text))


def read_only(signal: ComplexArray) -> ComplexArray:
    """Return the array as complex64 and read-only, its points side by side in memory.

    Without a copy where it is that already; one voxel out of many is copied, and the rest let go.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused as not finite
        single: ComplexArray = np.asarray(signal).astype(np.complex64, copy=False)
    if single.strides[-1] != single.itemsize:
        single = np.ascontiguousarray(single)
    single.flags.writeable = False
    return single


def conjugate_in_place(signal: ComplexArray) -> ComplexArray:
    """Conjugate a freshly read complex array without a second one of its size."""
    return np.conjugate(signal, out=signal)


# --------------------------------------------------------------------------- vocabulary

_SEQUENCES: tuple[tuple[str, str], ...] = (
    (r"svs_ed|mega|mescher|hermes|hercules|herc_|hyper|isthmus|gaba|_edit", "edited"),
    (r"svs_m(press|slaser|special|steam)", "edited"),
    (r"s-?laser|semi-?laser|slsr", "sLASER"),
    (r"laser", "LASER"),
    (r"special", "SPECIAL"),
    (r"steam|svs_st|probe-?s\b", "STEAM"),
    (r"press|svs_se|probe-?p\b|probe", "PRESS"),
    (r"spin[ _-]?echo", "spin echo"),
    (r"isis", "ISIS"),
    (r"(^|[^a-z])fid($|[^a-z])", "FID"),
)
_MANUFACTURERS = {
    "siemens": "Siemens",
    "philips": "Philips",
    "ge medical": "GE",
    "ge": "GE",
    "general electric": "GE",
    "uih": "UIH",
    "united imaging": "UIH",
    "bruker": "Bruker",
    "canon": "Canon",
    "toshiba": "Canon",
    "mrs_disc": "simulated",
    "simulated": "simulated",
}


def known_sequence(*words: object) -> str | None:
    """Return the word of `data.SEQUENCES` that a sequence or protocol name stands for.

    >>> known_sequence("%CustomerSeq%/eja_svs_slaser"), known_sequence("PRESS PAR 35")
    ('sLASER', 'PRESS')
    """
    for word in words:
        text = str(word or "").lower()
        for pattern, name in _SEQUENCES:
            if re.search(pattern, text):
                return name
    return None


_NO_SEQUENCE = ("", "none", "unknown", "prime", "ilops", "spectroscopy", "svs", "mrs", "sv")
"""What stands where a sequence is named and names none [Philips' PRIME is a technique of any]."""


def named_sequence(programs: Iterable[object], *hints: object) -> str | None:
    """Return the word for a sequence from the fields that name it, else from what hints at it.

    ``other`` where its name is known to no pattern; `None` where the file names none.

    >>> named_sequence(["svs_st"]), named_sequence(["site_new"], ""), named_sequence(["", None])
    ('STEAM', 'other', None)
    """
    names = [str(name or "").strip() for name in programs]
    found = known_sequence(*names, *hints)
    if found is None and any(name.lower() not in _NO_SEQUENCE for name in names):
        return "other"
    return found


_NUCLEUS = re.compile(r"\^?(?:(\d{1,3})-?([A-Za-z]{1,2})|([A-Za-z]{1,2})-?(\d{1,3}))")


def known_nucleus(word: object) -> str | None:
    """Return a nucleus as NIfTI-MRS writes it; `None` for an empty word, ``other`` for no nucleus.

    >>> known_nucleus("H1"), known_nucleus('"1H"'), known_nucleus("23na"), known_nucleus("")
    ('1H', '1H', '23Na', None)
    """
    text = str(word or "").strip().strip('"').strip()
    if text.lower() in ("h", "proton"):
        return "1H"
    match = _NUCLEUS.fullmatch(text)
    if match is None:
        return "other" if text else None
    mass, symbol = match[1] or match[4], match[2] or match[3]
    return f"{int(mass)}{symbol.capitalize()}"


def known_manufacturer(word: object) -> str | None:
    """Return the word of `data.MANUFACTURERS` for a header's manufacturer."""
    text = str(word or "").strip().lower()
    if not text:
        return None
    for start, name in _MANUFACTURERS.items():
        if text == start or text.startswith((start + " ", start + "_")):
            return name
    return "other"


_MODEL = re.compile(
    r"(MAGNETOM[ _]?)?(Skyra|Prisma|Trio|TrioTim|Verio|Vida|Lumina|Sola|Altea|Aera|Avanto|Espree|"
    r"Symphony|Sonata|Harmony|Terra(\.X)?|Biograph[ _]mMR|Spectra|Amira|Free\.Max|Allegra|Vision|"
    r"Investigational_Device_7T|"
    r"Achieva|Ingenia|Intera|Gyroscan|Ambition|Elition|MR ?7700|MR ?5300|"
    r"(DISCOVERY|SIGNA|Signa|Optima)?[ _]?(MR ?\d{3}\w?|Premier|Architect|Artist|Pioneer|HDxt?t?)|"
    r"GENESIS_SIGNA|uMR ?\d{3}\w*)"
    r"([ _]?(fit|Fit|dStream|CX|XR|X|Plus|\d(\.\d)?T))*",
    re.IGNORECASE,
)
_SOFTWARE = re.compile(
    r"(syngo MR [A-Z]{1,2}\d{2}\w{0,2}|syngo MR \d{4}[A-Z](?: \w{7,8})?|spec2nii[ v\d.]*|"
    r"mrs_disc [\d.]+|PV[- ]\d[\d.]*|\d{1,2}\.\d{1,2}(?:\.\d{1,2})?)"
)


def known_model(word: object) -> str | None:
    """Return a scanner's model where it is one of the makers' names, never other text."""
    match = _MODEL.fullmatch(str(word or "").strip())
    return match.group(0) if match else None


def known_software(word: object) -> str | None:
    """Return the software release in the makers' form, never other text.

    >>> known_software("syngo MR E11"), known_software("5.3.1 build"), known_software("J. Doe")
    ('syngo MR E11', '5.3.1', None)
    """
    match = _SOFTWARE.match(str(word or "").strip())
    return match.group(0).strip() if match else None


# --------------------------------------------------------------------------- values


def number(text: object) -> float | None:
    """Return a header value as a finite number, a decimal comma allowed; else `None`."""
    try:
        value = float(str(text).strip().strip('"').replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def positive(value: object, scale: float = 1.0) -> float | None:
    """Return ``value * scale`` where it is a number above zero; else `None`.

    Units below one are divided by their whole number, which rounds once: 400 us are 0.0004 s, as
    another format of the same scan says, not 0.00039999999999999996 s.

    >>> positive("30,0", 1e-3), positive(0), positive("x"), positive(400, 1e-6)
    (0.03, None, None, 0.0004)
    """
    found = number(value)
    if found is None or found <= 0:
        return None
    return found / round(1 / scale) if scale < 1 else found * scale


def seconds(value: object, scale: float, limit: float) -> float | None:
    """Return a time in seconds where it is plausible: above 0 and below `limit`."""
    found = positive(value, scale)
    return found if found is not None and found < limit else None


def megahertz(value: object) -> tuple[float | None, tuple[Finding, ...]]:
    """Return a spectrometer frequency in MHz; one in hertz is divided and noted.

    >>> megahertz(297219948.0)[0]
    297.219948
    """
    found = positive(value)
    if found is None:
        return None, ()
    if found >= 1e6:
        return found / 1e6, (finding("frequency_in_hz"),)
    return found, ()


# --------------------------------------------------------------------------- files


def head(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file (`files.read_head`)."""
    return read_head(path, size)


def whole(path: Path, kind: str = "signal") -> bytes:
    """Return the content of a file, which may be as large as its kind (`files.read_bytes`)."""
    return read_bytes(path, kind)


def sibling(path: Path, *suffixes: str) -> Path | None:
    """Return the file of the same stem with one of the suffixes, in any case of letters."""
    for suffix in suffixes:
        for spelling in (suffix, suffix.lower(), suffix.upper()):
            if (other := path.with_suffix(spelling)).exists():
                return other
    try:
        names = [p for p in path.parent.iterdir() if p.stem.lower() == path.stem.lower()]
    except OSError:
        return None
    wanted = {s.lower() for s in suffixes}
    return next((p for p in sorted(names) if p.suffix.lower() in wanted), None)


# --------------------------------------------------------------------------- geometry


_FARTHEST_MM = 1e6
"""Places and directions beyond it are no patient's; squares of larger ones overflow."""


_SLANTED = 0.1
"""Cosine of the angle of rows and columns beyond which they are no sides of one voxel."""


def lps_affine(
    row: object, column: object, position: object, size_mm: tuple[float, float, float]
) -> FloatArray | None:
    """Return the voxel's affine in RAS from DICOM directions in LPS.

    Parameters
    ----------
    row, column, position : three numbers each
        Direction of a row and of a column, and the voxel's centre (mm), LPS.
    size_mm : three floats
        Extent along row, column and normal.
    """
    try:
        r, c, p = (np.asarray(v, dtype=float).reshape(3) for v in (row, column, position))
    except (TypeError, ValueError):
        return None
    told = np.abs([*r, *c, *p, *size_mm])
    if not np.all(told < _FARTHEST_MM):  # also what is no number
        return None
    lengths = np.linalg.norm(r), np.linalg.norm(c)
    affine = np.eye(4)
    if min(lengths) == 0:
        return None
    r, c = r / lengths[0], c / lengths[1]
    if abs(float(r @ c)) > _SLANTED:  # no two sides of a voxel
        return None
    affine[:3, :3] = np.column_stack([r, c, np.cross(r, c)]) * np.asarray(size_mm)
    affine[:3, 3] = p
    affine[:2] *= -1
    return affine


_CENTRES_APART_MM = 3.0
_SIZES_APART = 0.05


def other_voxel(scan: Scan, other: Scan) -> Finding | None:
    """Return how the voxel of another scan differs; `None` where it does not, or is not stated."""
    p, q = scan.voxel_size_mm, other.voxel_size_mm
    if p and q and scan.voxel_affine is not None and other.voxel_affine is not None:
        if np.any(np.abs(np.sort(p) - np.sort(q)) > _SIZES_APART * np.sort(p)):
            return finding("other_voxel_size", came_mm=q, wanted_mm=p)
        apart = float(np.linalg.norm(scan.voxel_affine[:3, 3] - other.voxel_affine[:3, 3]))
        if apart > _CENTRES_APART_MM:
            return finding("other_voxel_place", apart_mm=apart)
    return None
