"""Basis sets as other programs write them, to a metabolite model of this package.

LCModel ``.basis`` (spant writes it too): namelists ``SEQPAR`` and ``BASIS1``, then for each
metabolite ``BASIS`` and pairs of numbers in `FMTBAS`, the Fourier transform of its FID, filled with
zeros as a rule; the carrier comes first::

    $SEQPAR  HZPPPM = 127.7861, SEQ = 'PRESS' $END
    $BASIS1  FMTBAS = '(6E13.5)', BADELT = 5e-04, NDATAB = 1024 $END
    $BASIS   METABO = 'Ala', CONC = 1.0, TRAMP = 1.0, VOLUME = 1.0, ISHIFT = 0 $END
      5.70122E-02  1.38704E+00 ...

FSL-MRS: a folder of JSON, a metabolite a file, with ``basis_re``, ``basis_im``, ``basis_dwell`` and
``basis_name`` under ``basis``. Osprey: a MAT file with the structure ``BASIS`` of ``fids`` (point,
metabolite), ``name`` and ``dwelltime``. jMRUI (`jmrui_file`): text or binary, one file with a
signal for each metabolite and their ``SignalNames``, or a folder with a file for each. LCModel RAW
(`lcmodel_raw`): a folder with a file for each. BasisREMY writes any of these and, into folders,
``basis_sidecar.json`` beside them. Sources: LCModel manual (Provencher), section on MakeBasis;
files of spant and of the ISMRM fitting challenge, which were read; the other forms are known from
the programs' documentation and code and were tried on built files alone.

Signs differ between programs and their versions. Protons of metabolites resonate below water, so
that a set whose larger part lies above it is turned over, and that is said.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.files import read_bytes, read_head
from mrs_disc.jmrui_file import HEADER_BYTES, is_jmrui, parse_jmrui
from mrs_disc.lcmodel_raw import numbers, parse_lcmodel_raw
from mrs_disc.toml_text import toml_text
from mrs_disc.typing import ComplexArray

_LIST = re.compile(r"[$&](SEQPAR|BASIS1|BASIS|NMUSED)\b(.*?)[$&]END\b", re.DOTALL | re.IGNORECASE)
_ENTRY = re.compile(r"(\w+)\s*=\s*('[^']*'|[^,\s]+)")
_FILLED = 1e-4
"""Share of the energy in the second half of a FID, below which that is the zeros of filling."""
_HALVED = 0.65
"""First point over what the next two let expect, below which it was halved for the transform."""
_KINDS = (
    "an LCModel .basis file, Osprey's MAT file, a jMRUI file (.txt, .mrui), or a folder of LCModel "
    ".raw, jMRUI or FSL-MRS JSON files"
)
_BESIDE = "basis_sidecar.json"
"""How BasisREMY simulated, in a folder beside the metabolites."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BasisSet:
    """Simulated FIDs of unit amount, larger ppm larger frequency.

    Parameters
    ----------
    fids : mapping of str to complex array, shape (point,)
        Metabolite to its FID.
    dwell_time_s : float
        Of all of them, s.
    spectrometer_mhz : float or None
        Frequency that it was simulated for, MHz.
    remarks : tuple of str
        What was guessed or put right.
    """

    fids: Mapping[str, ComplexArray]
    dwell_time_s: float
    spectrometer_mhz: float | None = None
    remarks: tuple[str, ...] = ()


def read_basis_set(path: Path) -> BasisSet:
    """Read a basis set of another program.

    Raises
    ------
    ReadError
        If it is of no known form, holds no metabolite, or what cannot be a FID.
    """
    if path.is_dir():
        fids, (dwell_s, mhz), remarks = _folder(path)
    elif path.suffix.lower() == ".mat":
        fids, (dwell_s, mhz), remarks = _osprey(path)
    elif is_jmrui(read_head(path, HEADER_BYTES)):
        fids, (dwell_s, mhz), remarks = _jmrui(path)
    else:
        fids, (dwell_s, mhz), remarks = _lcmodel(path)
    if not fids:
        raise ReadError(path, f"holds no metabolite; expected {_KINDS}")
    for name, fid in fids.items():
        if fid.size < 64 or not np.isfinite(fid).all() or not fid.any():
            raise ReadError(path, f"{name}: a FID of 64 finite points or more is expected")
    if not 1e-6 <= dwell_s <= 1e-2:
        raise ReadError(path, f"a dwell time of {dwell_s:g} s: seconds expected, 1e-6 to 0.01")
    mhz = mhz if mhz is not None and 10 <= mhz <= 1000 else None
    return _put_right(_named(fids), dwell_s, mhz, remarks)


def model_files(found: BasisSet, name: str, source: str) -> dict[str, bytes]:
    """Return the files of a model: ``NAME.toml`` and a FID for each component beside it.

    Parameters
    ----------
    found : BasisSet
        From `read_basis_set`.
    name : str
        Of the model, as a model may be called.
    source : str
        Where the set is from, for a reader of the model.
    """
    folder = f"{name}_basis"
    components = [
        {"name": one, "source": source, "status": "D", "basis": f"{folder}/{one}.raw"}
        for one in found.fids
    ]
    head = {"schema_version": 1, "name": name, "nucleus": "1H", "description": source}
    raw = {
        f"{folder}/{one}.raw": _raw(one, fid, found.dwell_time_s) for one, fid in found.fids.items()
    }
    return {f"{name}.toml": toml_text(head | {"component": components}).encode()} | raw


def _raw(name: str, fid: ComplexArray, dwell_s: float) -> bytes:
    """Return a FID as LCModel RAW, whose sign is the opposite of ours."""
    head = f" $SEQPAR\n DELTAT = {dwell_s:.9g}\n $END\n $NMID\n ID = '{name}'\n"
    head += " FMTDAT = '(2E16.8)'\n TRAMP = 1.0\n VOLUME = 1.0\n $END\n"
    lines = [f"{point.real:16.8E}{-point.imag:16.8E}" for point in fid]
    return (head + "\n".join(lines) + "\n").encode("ascii")


# --------------------------------------------------------------------------- forms

Read = tuple[dict[str, ComplexArray], tuple[float, float | None], list[str]]
"""FIDs, dwell time in s with the frequency in MHz, remarks."""


def _lcmodel(path: Path) -> Read:
    text = read_bytes(path, "basis").decode("latin-1")
    lists = list(_LIST.finditer(text))
    head: dict[str, str] = {}
    fids: dict[str, ComplexArray] = {}
    remarks = []
    for here, following in zip_longest(lists, lists[1:]):
        entries = {k.lower(): v.strip("'").strip() for k, v in _ENTRY.findall(here[2])}
        if here[1].upper() in ("SEQPAR", "BASIS1"):
            head |= entries
        if here[1].upper() != "BASIS":
            continue
        name = entries.get("metabo") or entries.get("id") or f"M{len(fids) + 1}"
        body = text[here.end() : following.start() if following else len(text)]
        values = numbers(path, body, head.get("fmtbas", ""))
        if values.size == 0 or values.size % 2:
            raise ReadError(
                path, f"{name}: {values.size} numbers, but complex points come in pairs"
            )
        scale = _number(entries, "tramp") / (_number(entries, "conc") * _number(entries, "volume"))
        spectrum: ComplexArray = np.conj(values.view(np.complex128))
        fids[name] = scale * np.fft.fft(spectrum, norm="ortho")  # the conjugate of the inverse
        if entries.get("ishift", "0") not in ("0", ""):
            remarks.append(f"{name} asks to be shifted by {entries['ishift']} points; it was not")
    if not fids:
        raise ReadError(path, f"holds no $BASIS ... $END of a metabolite; expected {_KINDS}")
    if "badelt" not in head:
        raise ReadError(path, "lacks BADELT, the dwell time, in $BASIS1")
    mhz = _number(head, "hzpppm") if "hzpppm" in head else None
    return fids, (_number(head, "badelt"), mhz), remarks


def _number(entries: Mapping[str, str], name: str) -> float:
    try:
        return float(entries.get(name, "1").lower().replace("d", "e")) or 1.0
    except ValueError:
        return 1.0


def _folder(folder: Path) -> Read:
    """Return a set of one metabolite a file."""
    forms = {".json": _fsl, ".raw": _raw_fid, ".txt": _jmrui, ".mrui": _jmrui}
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in forms]
    files = [p for p in files if p.name != _BESIDE and p.is_file()]
    if not files:
        raise ReadError(folder, f"holds no file of a basis set; expected {_KINDS}")
    if len(kinds := {p.suffix.lower() for p in files}) > 1:
        raise ReadError(
            folder, f"holds files of several kinds ({', '.join(sorted(kinds))}); keep one of them"
        )
    read = [forms[path.suffix.lower()](path) for path in files]
    if len({dwell_s for _, (dwell_s, _), _ in read}) > 1:
        raise ReadError(folder, "its files have several dwell times; they are not of one set")
    fids = [(name, fid) for one, _, _ in read for name, fid in one.items()]
    if len({name for name, _ in fids}) < len(fids):  # programs write the same name into each
        fids = [(path.stem, fid) for path, (one, _, _) in zip(files, read, strict=True)
                for fid in one.values()]  # fmt: skip
    return dict(fids), read[0][1], [remark for _, _, remarks in read for remark in remarks]


def _fsl(path: Path) -> Read:
    try:
        content = json.loads(read_bytes(path, "basis"))
        part = content.get("basis", content)
        fid = np.array(part["basis_re"], float) + 1j * np.array(part["basis_im"], float)
        dwell_s = float(part["basis_dwell"])
        mhz = float(part["basis_centre"]) if "basis_centre" in part else None
        name = str(part.get("basis_name") or path.stem)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReadError(
            path, "is no basis of FSL-MRS: basis_re, basis_im and basis_dwell are expected"
        ) from error
    return {name: fid.ravel()}, (dwell_s, mhz), []


def _raw_fid(path: Path) -> Read:
    raw = parse_lcmodel_raw(path, read_bytes(path, "basis"))
    if raw.dwell_time_s is None:
        raise ReadError(path, "lacks DELTAT, the dwell time, in $SEQPAR; add it")
    scale = (raw.number("tramp") or 1.0) / (raw.number("volume") or 1.0)
    return {path.stem: raw.fid * scale}, (raw.dwell_time_s, raw.number("hzpppm")), []


def _jmrui(path: Path) -> Read:
    found = parse_jmrui(path, read_bytes(path, "basis"))
    n = len(found.signals)
    names = found.names if n > 1 else (path.stem,)
    if not names:
        raise ReadError(
            path, f"holds {n} signals and no SignalNames that name each; write them into its header"
        )
    try:
        dwell_s, mhz = 1e-3 * float(str(found.interval_ms)), 1e-6 * float(str(found.frequency))
    except ValueError:
        raise ReadError(
            path, "lacks SamplingInterval or TransmitterFrequency in its header"
        ) from None
    return dict(zip(names, found.signals, strict=True)), (dwell_s, mhz), []


def _osprey(path: Path) -> Read:
    from scipy.io import loadmat

    content = read_bytes(path, "basis")
    try:
        whole = loadmat(io.BytesIO(content), struct_as_record=False, squeeze_me=True)
        basis: Any = whole["BASIS"]
        names = [str(name).strip() for name in np.atleast_1d(basis.name)]
        fids = np.asarray(basis.fids, complex)
        dwell_s = float(basis.dwelltime)
        mhz = 1e-6 * float(basis.txfrq) if hasattr(basis, "txfrq") else None
    except NotImplementedError as error:
        raise ReadError(path, "is a MAT file of version 7.3; save it with -v7") from error
    except Exception as error:  # loadmat raises a dozen kinds for a file that is none
        raise ReadError(
            path, "is no basis set of Osprey: BASIS with fids, name and dwelltime is expected"
        ) from error
    if fids.ndim != 2 or fids.shape[1] != len(names):
        raise ReadError(
            path,
            f"BASIS.fids has the shape {fids.shape} for {len(names)} names; edited sets "
            "hold several spectra and are not taken",
        )
    return dict(zip(names, fids.T, strict=True)), (dwell_s, mhz), []


# --------------------------------------------------------------------------- put right


def _named(fids: Mapping[str, ComplexArray]) -> dict[str, ComplexArray]:
    """Return the FIDs under names that a component may have, each once."""
    named: dict[str, ComplexArray] = {}
    for name, fid in fids.items():
        own = re.sub(r"[^A-Za-z0-9_+\-]", "_", name)[:36] or "M"
        own = own if own[:1].isalpha() else f"M_{own}"
        number = 2
        while own in named:
            own, number = f"{own.rstrip('0123456789')}{number}", number + 1
        named[own] = fid
    return named


def _put_right(
    fids: Mapping[str, ComplexArray], dwell_s: float, mhz: float | None, remarks: list[str]
) -> BasisSet:
    n = min(fid.size for fid in fids.values())
    rows = np.array([fid[:n] for fid in fids.values()])
    energy = np.abs(rows) ** 2
    if energy[:, n // 2 :].sum() < _FILLED * energy.sum():
        rows = rows[:, : n // 2]
    size = np.abs(rows[:, :3])
    first, expected = size[:, 0], 2 * size[:, 1] - size[:, 2]
    if np.median(first / np.maximum(expected, 1e-300)) < _HALVED:
        rows[:, 0] *= 2
        remarks = [*remarks, "the first point of each FID was halved; it is whole again"]
    power = (np.abs(np.fft.fft(rows, axis=1)) ** 2).sum(axis=0)
    half = power.size // 2
    if power[1:half].sum() > power[half + 1 :].sum():
        rows = np.conj(rows)
        remarks = [*remarks, "the set lay above water; it was turned over"]
    return BasisSet(
        fids=dict(zip(fids, rows, strict=True)),
        dwell_time_s=dwell_s,
        spectrometer_mhz=mhz,
        remarks=tuple(remarks),
    )
