"""Philips SDAT/SPAR pairs, for simulated studies.

A SPAR file holds ``name : value`` lines; the SDAT file beside it VAX F floats, real and imaginary
part in turn, row after row. The samples have this package's sign. Only what readers need is
written, and nothing that a person could be recognised by.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs_disc.data import Fid, Protocol, Transients
from mrs_disc.errors import InputError
from mrs_disc.files import write_whole
from mrs_disc.typing import ComplexArray, FloatArray


def write_sdat(path: Path, signal: Transients | Fid, protocol: Protocol) -> tuple[Path, Path]:
    """Write a pair of files, coils combined; one row per transient.

    Parameters
    ----------
    path : Path
        Of the data file, ending in ``.SDAT``; the parameters go beside it.
    signal : Transients or Fid
        An average is one row.
    protocol : Protocol
        Echo and repetition time, number of averages and voxel.

    Raises
    ------
    OutputError
        If one of the files exists or cannot be written.
    """
    rows = np.atleast_2d(signal.signal)
    spar = path.with_suffix(".SPAR" if path.suffix.isupper() else ".spar")
    text = _spar(rows, signal, protocol)
    write_whole(path, vax_bytes(rows))
    return path, write_whole(spar, text.encode("ascii"))


def vax_bytes(samples: ComplexArray) -> bytes:
    """Return complex samples as VAX F floats, real and imaginary part in turn.

    A VAX float is an IEEE float four times as large with its two 16-bit words swapped.

    Raises
    ------
    InputError
        If a sample is not finite or beyond the range of the format.
    """
    channels = np.ascontiguousarray(samples, dtype=np.complex64).view(np.float32)
    with np.errstate(over="ignore"):
        scaled = channels * np.float32(4.0)
    if not np.all(np.isfinite(scaled)):
        raise InputError("SDAT cannot hold samples that are not finite or beyond 8e37")
    scaled[np.abs(scaled) < np.finfo(np.float32).tiny] = 0.0
    return scaled.astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1].tobytes()


def _spar(rows: ComplexArray, signal: Transients | Fid, protocol: Protocol) -> str:
    """Return the text of the parameter file."""
    sampling = signal.sampling
    values: dict[str, object] = {
        "examination_name": "simulated",
        "scan_id": f"{protocol.sequence or 'PRESS'} simulated",
        "scan_date": "2000.01.01 00:00:00",
        "patient_name": "simulated",
        "patient_position": '"head_first"',
        "patient_orientation": '"supine"',
        "samples": rows.shape[1],
        "rows": rows.shape[0],
        "synthesizer_frequency": round(sampling.spectrometer_mhz * 1e6),
        "offset_frequency": 0,
        "sample_frequency": f"{sampling.spectral_width_hz:.10g}",
        "echo_nr": 1,
        "mix_number": 1,
        "nucleus": sampling.nucleus,
        "t0_mu1_direction": 0,
        "echo_time": f"{1e3 * (protocol.echo_time_s or 0.0):.10g}",
        "repetition_time": f"{1e3 * (protocol.repetition_time_s or 0.0):.10g}",
        "averages": protocol.n_averages or 1,
        "volume_selection_enable": '"no"',
        "spectrum_echo_time": f"{1e3 * (protocol.echo_time_s or 0.0):.10g}",
        "spectrum_inversion_time": 0,
    }
    if protocol.voxel_affine is not None:
        values |= {"volume_selection_enable": '"yes"', "volumes": 1} | _voxel(protocol.voxel_affine)
    lines = ["! simulated by mrs_disc; no patient was measured"]
    lines += [f"{name} : {value}" for name, value in values.items()]
    return "\r\n".join(lines) + "\r\n"


def _voxel(affine: FloatArray) -> dict[str, object]:
    """Return sizes (mm), offsets from the isocentre (mm, LPH) and angulations (degrees)."""
    size = np.linalg.norm(affine[:3, :3], axis=0)
    turn = affine[:3, :3] / size
    angles = np.degrees(
        [
            np.arctan2(-turn[1, 2], turn[2, 2]),
            np.arcsin(np.clip(turn[0, 2], -1, 1)),
            np.arctan2(-turn[0, 1], turn[0, 0]),
        ]
    )
    sign = np.array([-1.0, -1.0, 1.0])
    values: dict[str, object] = {}
    for index, axis in enumerate(("lr", "ap", "cc")):
        values[f"{axis}_size"] = f"{size[index]:.8g}"
        values[f"{axis}_off_center"] = f"{sign[index] * affine[index, 3] + 0.0:.8g}"
        values[f"{axis}_angulation"] = f"{sign[index] * angles[index] + 0.0:.10g}"
    return values
