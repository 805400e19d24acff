"""A twix header made whole enough for spec2nii, which stops at each entry that it misses.

Sites leave out or blank what names a person or a scanner; a pseudonym such as "0123" is parsed to a
number where a text is wanted; a release later than spec2nii knows is refused by its name. None of
that is needed to read the signal. What *is* needed (frequency, dwell time) is taken from wherever
the header repeats it; without it the file is refused by the caller.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.entries import inversion
from mrs_disc.io.formats.scan import PARTS_OF_ECHO, positive, sum_of_parts
from mrs_disc.record.findings import Finding, finding

_TEXTS = {
    "Dicom": (
        "Manufacturer",
        "ManufacturersModelName",
        "DeviceSerialNumber",
        "InstitutionName",
        "InstitutionAddress",
        "tProtocolName",
    ),
    "Meas": (
        "tSequenceString",
        "tSequenceFileName",
        "tICEProgramName",
        "ResonantNucleus",
        "PatientPosition",
        "tPatientPosition",
        "PatientName",
        "tPatientName",
        "PatientBirthDay",
        "lFinalMatrixSizePhase",
        "lFinalMatrixSizeRead",
        "lFinalMatrixSizeSlice",
    ),
    "Config": ("SequenceFileName",),
}
_SIZES = tuple(name for name in _TEXTS["Meas"] if name.startswith("lFinal"))
_NUCLEUS = ("sTXSPEC", "asNucleusInfo", "0", "tNucleus")
_DWELL = ("sRXSPEC", "alDwellTime", "0")
_NOWHERE = float("nan")
"""Stands for a number that the header does not hold; no reader takes it for one."""


def mend(path: Path, header: Any) -> str:
    """Fill what spec2nii asks for in the header of pymapVBVD; return the true software release.

    Raises
    ------
    ReadError
        If the header holds no spectrometer frequency or no dwell time anywhere.
    """
    for group in ("Config", "Dicom", "Meas", "MeasYaps", "Phoenix"):
        if group not in header:
            header[group] = {}
    meas, yaps = header["Meas"], header["MeasYaps"]
    for group, names in _TEXTS.items():
        for name in names:
            found = header[group].get(name, "")
            if name not in _SIZES:
                header[group][name] = found if isinstance(found, str) else f"{found:g}"
            elif not isinstance(found, float):
                header[group][name] = 0.0
    hertz = _anywhere(
        header, "Frequency", "lFrequency", ("sTXSPEC", "asNucleusInfo", "0", "lFrequency")
    )
    dwell = _anywhere(header, _DWELL, "alDwellTime")
    if hertz is None or dwell is None:
        lacks = "frequency" if hertz is None else "dwell time"
        raise ReadError(path, f"its header has no valid {lacks}, which is required")
    meas["Frequency"] = header["Dicom"]["lFrequency"] = hertz
    yaps[_DWELL] = dwell
    yaps[_NUCLEUS] = str(yaps.get(_NUCLEUS) or meas["ResonantNucleus"])
    meas["ResonantNucleus"] = meas["ResonantNucleus"] or yaps[_NUCLEUS].strip('"')
    header["Phoenix"]["alTE", "0"] = _echo_time_us(header) or _NOWHERE
    yaps.setdefault(("sSpecPara", "lAutoRefScanMode"), 1.0)  # absent: no reference scans
    repetition = _anywhere(header, ("alTR", "0"), "TR_Time", "TR", "alTR") or _NOWHERE
    meas["TR_Time"] = yaps["alTR", "0"] = repetition
    flip = _anywhere(header, ("adFlipAngleDegree", "0"), "FlipAngle") or _NOWHERE
    meas["FlipAngle"] = yaps["adFlipAngleDegree", "0"] = flip
    meas.pop("InversionTime", None)  # where it stands, TI_Time is asked for; see `inverted`
    meas["flUsedPatientWeight"] = _NOWHERE
    meas["PatientSex"] = 3.0
    yaps.setdefault(("sSpecPara", "sVoI", "dPhaseFOV"), 10000.0)
    return _release(header["Dicom"])


def _echo_time_us(header: Any) -> float | None:
    """Return the echo time, us; the sum of its parts for the one sequence that splits it."""
    if PARTS_OF_ECHO.search(program(header)):
        parts = [_anywhere(header, ("alTE", str(i))) for i in range(3)]
        if (total := sum_of_parts(parts)) is not None:
            return total * 1e6
    return _anywhere(header, ("alTE", "0"), "alTE")


_NO_PULSE = ("4", "4.0", "0x4")
"""Preparation "None" of a protocol, as the releases spell it; 1 and 2 are kinds of inversion."""


def inverted(header: Any) -> tuple[Finding, ...]:
    """Return that an inversion came before the signal, as the protocol tells.

    Notes
    -----
    The protocol keeps all its times in microseconds. spec2nii 0.8.15 hands this one on as if it
    were in seconds for XA, and reads none for releases before. Sequences with a pulse of their own
    may leave the preparation at "None", and protocols of images list a time without any pulse.
    """
    time_us = _anywhere(header, ("alTI", "0"), "alTI", "TI_Time")
    said = inversion(time_us, 1e-6)
    key = ("sPrepPulses", "ucInversion")
    pulse = header["MeasYaps"].get(key, header["Meas"].get("ucInversion"))
    if said and str(pulse).strip() in _NO_PULSE:
        return (finding("inversion_contradicted", seconds=said[0].values["seconds"]),)
    return said


def program(header: Any) -> str:
    """Return the name of the sequence's program, in lower case, with the path before it."""
    names = header["Meas"].get("tSequenceFileName"), header["Config"].get("SequenceFileName")
    return next((str(name).lower() for name in names if name), "")


_LARGEST_SHARE = 8
"""Samples before the echo are no more than an eighth of a readout."""


def columns_before_echo(header: Any, measured: Any) -> int:
    """Return the number of columns before the echo's top, 0 where the file does not say.

    The column of the echo's centre stands in each readout's header, and so does how many columns
    are to be cut off before; where both are 0, the sequences keep it in places of their own.

    Parameters
    ----------
    header, measured
        Header and readouts of one kind, as pymapVBVD holds them.

    Notes
    -----
    Own places as published readers (FID-A, Osprey, suspect) know them: CMRR's sequences and the
    maker's of VE in the fifth of `iceParam`, the maker's of VB and VD, and SPECIAL, in the first of
    `freeParam`. In the readouts of others these hold anything, and are not taken.
    """
    name = program(header).replace("\\", "/").rsplit("/", 1)[-1]
    own: list[tuple[str, int]] = []
    if name.startswith(("eja_svs", "svs_slaser_dkd", "svs_slaservoi_dkd")):
        own = [("iceParam", 4)]
    elif name.startswith(("svs_se", "svs_st")):
        is_ve = "syngo MR E" in str(header["Dicom"].get("SoftwareVersions", ""))
        own = [("iceParam", 4)] if is_ve else [("freeParam", 0)]
    elif "special" in name:
        own = [("freeParam", 0)]
    limit = int(measured.NCol) // _LARGEST_SHARE
    for field, place in (("centerCol", None), ("cutOff", 0), *own):
        values = np.atleast_1d(np.asarray(getattr(measured, field, 0), dtype=float))
        if place is not None:  # one row to a readout
            there = values.ndim == 2 and values.shape[1] > place
            values = values[:, place] if there else values[:0]
        columns = int(values.flat[0]) if values.size and np.ptp(values) == 0 else 0
        if 0 < columns <= limit:
            return columns
    return 0


def _anywhere(header: Any, *names: Any) -> float | None:
    """Return the first valid number under one of the names in any group; of a list its first."""
    for name in names:
        for group in ("MeasYaps", "Phoenix", "Meas", "Dicom"):
            value = header[group].get(name)
            first = value.split()[0] if isinstance(value, str) and value.split() else value
            if (found := positive(first)) is not None:
                return found
    return None


def _release(dicom: Any) -> str:
    """Return the release as it stands; give spec2nii the nearest name that it knows."""
    told = str(dicom.get("SoftwareVersions", ""))
    if not re.search(r"syngo MR (XA\d{2}|[A-Z]\d{2})", told):
        dicom["SoftwareVersions"] = "syngo MR XA30" if "syngo MR X" in told else "syngo MR E11"
    return told
