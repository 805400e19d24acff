"""Philips SDAT/SPAR: text parameters in .SPAR, samples as VAX floats in .SDAT.

Five lines of a SPAR file::

    samples : 2048
    rows : 1
    synthesizer_frequency : 127788256
    sample_frequency : 2000
    echo_time : 35

Own reader: spec2nii 0.8.15 stops at SPAR files of older releases (no `spectrum_inversion_time`)
and converts each sample in a Python loop. Geometry, units and sign are the same, which a test on
real files checks. The samples have this package's sign as they are stored.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.entries import inversion, said_twice, told
from mrs_disc.io.formats.scan import (
    Identity,
    Scan,
    digest,
    head,
    known_sequence,
    known_software,
    megahertz,
    number,
    positive,
    read_only,
    seconds,
    sibling,
    whole,
)
from mrs_disc.io.names import level_in
from mrs_disc.record.findings import Finding, finding, unread
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "philips-sdat"
_TIMES = {"echo_time": "echo_time_s", "repetition_time": "repetition_time_s"}
_ONLY_ONCE = {*_TIMES, "samples", "rows", "sample_frequency", "synthesizer_frequency", "nucleus"}


def sniff(path: Path) -> bool:
    """Say whether this is a SPAR file by content, or the SDAT beside one (it has no signature)."""
    suffix = path.suffix.lower()
    if suffix == ".sdat":
        return True
    start = head(path).lower()
    return b"synthesizer_frequency" in start or (suffix == ".spar" and b"samples" in start)


def read(path: Path) -> Scan:
    """Read a SDAT/SPAR pair by either of its files.

    Raises
    ------
    ReadError
        If one of the two is absent, or the samples are fewer or more than the SPAR says.
    """
    spar = path if path.suffix.lower() != ".sdat" else sibling(path, ".SPAR")
    sdat = path if path.suffix.lower() == ".sdat" else sibling(path, ".SDAT")
    if spar is None:
        raise _partner_missing(path, "parameter file", ".SPAR")
    if sdat is None:
        raise _partner_missing(path, "data file", ".SDAT")
    values, twice = _parameters(spar)
    values |= dict.fromkeys(twice.keys() & _ONLY_ONCE, "")  # of two that differ none counts
    notes = (*said_twice(twice, _TIMES), *_inverted(values))
    samples = _count(path, values, "samples")
    rows = _count(path, values, "rows") if "rows" in values else sdat.stat().st_size // samples // 8
    width = positive(values.get("sample_frequency"))
    mhz, _ = megahertz(values.get("synthesizer_frequency"))
    if width is None or mhz is None:
        lacks = "sample_frequency" if width is None else "synthesizer_frequency"
        raise unread(path, finding("parameter_absent", file=Path(spar.name), key=lacks))
    dates = re.match(r"\d{4}\.\d{2}\.\d{2}", values.get("scan_date", ""))
    profiles = positive(values.get("nr_phase_encoding_profiles")) or 1
    profiles *= positive(values.get("nr_of_phase_encoding_profiles_ky")) or 1
    affine = _affine(values)
    imaging = values.get("phase_encoding_enable", "").lower() == "yes" and profiles > 1
    return Scan(
        format=FORMAT,
        reader="philips",
        signal=_samples(sdat, rows, samples),
        nucleus=values.get("nucleus"),
        spectrometer_mhz=mhz,
        dwell_time_s=1.0 / width,
        echo_time_s=seconds(values.get("echo_time"), 1e-3, 1.0),
        repetition_time_s=seconds(values.get("repetition_time"), 1e-3, 60.0),
        sequence=known_sequence(values.get("scan_id"), values.get("examination_name")),
        manufacturer="Philips",
        software=known_software(values.get("equipment_sw_verions")),
        n_averages=int(positive(values.get("averages")) or 0) or None,
        voxel_affine=affine,
        n_voxels=int(profiles) if imaging else int(positive(values.get("volumes")) or 1),
        identity=Identity(
            subject=digest(values.get("patient_name")),
            date=digest(dates.group(0).replace(".", "")) if dates else None,
        ),
        level_hint=level_in(values.get("scan_id"), values.get("examination_name")),
        findings=notes if affine is not None else (*notes, finding("no_voxel")),
    )


def inverted(spar: Path) -> tuple[Finding, ...]:
    """Return that an inversion came before the signal, by a SPAR file, which is in milliseconds."""
    return _inverted(_parameters(spar)[0])


def _inverted(values: dict[str, str]) -> tuple[Finding, ...]:
    return inversion(values.get("spectrum_inversion_time"), 1e-3)


def _partner_missing(path: Path, what: str, suffix: str) -> ReadError:
    other = Path(path.name).with_suffix(suffix)
    return unread(path, finding("no_partner", what=what, file=other))


def _parameters(spar: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the parameters of a SPAR file, keys in lower case, quotes removed.

    The echo time stands under two keys, as that of the scan and that of the spectrum.
    """
    text = whole(spar, "Philips SDAT").decode("latin-1")
    pairs = []
    for line in text.splitlines():
        if ":" in line and not line.startswith("!"):
            key, _, value = line.partition(":")
            pairs.append((key.strip().lower(), value.strip().strip("\"'").strip()))
    values, twice = told(pairs)
    one, other = values.get("echo_time", ""), values.get("spectrum_echo_time", "")
    if positive(other) and positive(other) != (positive(one) or positive(other)):
        twice.setdefault("echo_time", (one, other))
    return values, twice


def _count(path: Path, values: dict[str, str], name: str) -> int:
    found = positive(values.get(name))
    if found is None or found != int(found):
        raise ReadError(path, f"its SPAR has no valid '{name}' (came '{values.get(name, '')}')")
    return int(found)


def _samples(sdat: Path, rows: int, samples: int) -> ComplexArray:
    """Return the samples, shape (1, row, sample)."""
    raw = whole(sdat, "Philips SDAT")
    if len(raw) != rows * samples * 8:
        raise ReadError(
            sdat,
            f"holds {len(raw)} bytes, but {rows} rows of {samples} complex samples "
            f"need {rows * samples * 8}: cut off, or the SPAR of another scan",
        )
    return read_only(vax_floats(raw).view(np.complex64).reshape(1, rows, samples))


def vax_floats(raw: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return VAX F floats as IEEE single precision.

    The two 16-bit words of a value are swapped; its exponent is 2 larger than that of IEEE
    (bias 129 with a leading 0.1 instead of 127 with 1.0); exponent 0 means zero.
    """
    words = np.frombuffer(raw, "<u2").reshape(-1, 2).astype(np.uint32)
    bits = (words[:, 0] << 16) | words[:, 1]
    exponent = (bits >> 23) & 0xFF
    small = exponent < 3  # below the IEEE range: zero
    value = np.where(small, 0, bits - (2 << 23)).astype(np.uint32).view(np.float32)
    return np.ascontiguousarray(value)


def _affine(values: dict[str, str]) -> FloatArray | None:
    """Return the voxel's affine from sizes, offsets (mm) and angulations (degrees)."""
    if values.get("volume_selection_enable", "").lower() != "yes":
        return None
    axes = ("lr", "ap", "cc")
    found = [
        number(values.get(f"{a}_{q}")) for q in ("size", "off_center", "angulation") for a in axes
    ]
    if any(v is None for v in found):
        return None
    size, offset, angle = np.asarray(found, dtype=float).reshape(3, 3)
    if size.min() <= 0:
        return None
    sign = np.array([-1.0, -1.0, 1.0])
    turn = np.eye(3)
    for axis, degrees in enumerate(angle * sign):  # intrinsic x, y, z
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        one = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        one[i, i] = one[j, j] = c
        one[i, j], one[j, i] = (-s, s) if axis != 1 else (s, -s)
        turn = turn @ one
    affine = np.eye(4)
    affine[:3, :3] = turn * size
    affine[:3, 3] = offset * sign
    return affine
