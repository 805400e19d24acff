"""Write NIfTI-MRS: deterministic bytes, whole or not at all, valid by nifti-mrs's own validator.

Source: the standard, https://github.com/wtclarke/mrs_nifti_standard (version 0.9 is written: all
that is used here is in it, and later readers take it). The samples are conjugated, since the
standard stores the opposite of this package's sign. The header carries how a spectrum was
measured, never who was measured nor when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc._version import __version__
from mrs_disc.constants import WATER_PPM
from mrs_disc.data import AnySignal, Protocol, RawSignal, StepRecord, Transients
from mrs_disc.files import gzipped, write_whole

INTENT = "mrs_v0_9"
_METHODS = {
    "combine coils": "RF coil combination",
    "align": "Frequency and phase correction",
    "align, reject": "Frequency and phase correction",
    "align, reject, average": "Frequency and phase correction",
    "reject": "Removal of outlying transients",
    "average": "Signal averaging",
    "eddy currents": "Eddy current correction",
    "residual water": "Nuisance peak removal",
    "phase": "Phasing",
}


def write_nifti_mrs(
    path: Path,
    signal: AnySignal,
    protocol: Protocol | None = None,
    *,
    overwrite: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a signal with its header extension.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz`` (compressed, no time stamp) or ``.nii``.
    signal : RawSignal, Transients or Fid
        Becomes (1, 1, 1, point[, coil][, transient]).
    protocol : Protocol, optional
        How it was measured; its affine places the voxel.
    overwrite : bool
        Replace a file that is there.
    extra : mapping, optional
        More entries of the header extension, as the standard defines them.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        If the file is there already or cannot be written.
    """
    content = nifti_mrs_bytes(signal, protocol, extra)
    if path.name.endswith(".gz"):
        content = gzipped(content)
    return write_whole(path, content, overwrite=overwrite)


def nifti_mrs_bytes(
    signal: AnySignal, protocol: Protocol | None, extra: Mapping[str, Any] | None = None
) -> bytes:
    """Return the content of the (uncompressed) file."""
    from nibabel.nifti1 import Nifti1Extension, Nifti1Image

    samples = np.conj(signal.signal).astype(np.complex64, copy=False)
    affine = protocol.voxel_affine if protocol is not None else None
    array = samples.transpose(2, 0, 1) if isinstance(signal, RawSignal) else samples.T
    image = Nifti1Image(
        array[None, None, None], np.diag([1e4, 1e4, 1e4, 1.0]) if affine is None else affine
    )
    header = image.header
    header["pixdim"][4] = signal.sampling.dwell_time_s
    header.set_intent("none", name=INTENT)
    header.set_xyzt_units("mm", "sec")
    text = json.dumps({**header_extension(signal, protocol), **(extra or {})}, ensure_ascii=False)
    header.extensions.append(Nifti1Extension(44, text.encode("utf-8")))
    return bytes(image.to_bytes())


def header_extension(signal: AnySignal, protocol: Protocol | None) -> dict[str, Any]:
    """Return the entries of the header extension that signal and protocol give."""
    sampling = signal.sampling
    entries: dict[str, Any] = {
        "SpectrometerFrequency": [float(sampling.spectrometer_mhz)],
        "ResonantNucleus": [sampling.nucleus],
        "SpectralWidth": float(sampling.spectral_width_hz),
        **{f"dim_{n}": tag for n, tag in enumerate(_dimension_tags(signal), start=5)},
    }
    if sampling.reference_ppm != WATER_PPM:
        entries["SpecFreqChemShift"] = float(sampling.reference_ppm)
    if sampling.start_time_s:
        entries["AcquisitionStartTime"] = float(sampling.start_time_s)
    if protocol is not None:
        entries |= _protocol_entries(protocol)
    entries["ConversionMethod"] = f"mrs_disc {__version__}"
    if processed := [_processing(step) for step in signal.history if step.method != "skipped"]:
        entries["ProcessingApplied"] = processed
    return entries


def sidecar(signal: AnySignal, protocol: Protocol) -> dict[str, Any]:
    """Return the entries of a BIDS-MRS JSON sidecar for this acquisition."""
    entries = {
        "ResonantNucleus": [signal.sampling.nucleus],
        "SpectrometerFrequency": [float(signal.sampling.spectrometer_mhz)],
        "SpectralWidth": float(signal.sampling.spectral_width_hz),
        "NumberOfSpectralPoints": signal.n_points,
        "NumberOfTransients": protocol.n_averages or protocol.n_transients,
        "EchoTime": protocol.echo_time_s,
        "RepetitionTime": protocol.repetition_time_s,
        "AcquisitionVoxelSize": list(protocol.voxel_size_mm) if protocol.voxel_size_mm else None,
        "PulseSequenceType": protocol.sequence,
        "WaterSuppression": protocol.water_suppressed,
        "MagneticFieldStrength": protocol.field_strength_t,
        "Manufacturer": protocol.scanner.manufacturer,
        "ManufacturersModelName": protocol.scanner.model,
        "SoftwareVersions": protocol.scanner.software,
    }
    return {key: value for key, value in entries.items() if value is not None}


def _dimension_tags(signal: AnySignal) -> tuple[str, ...]:
    if isinstance(signal, RawSignal):
        return ("DIM_COIL", "DIM_DYN")
    return ("DIM_DYN",) if isinstance(signal, Transients) else ()


def _protocol_entries(protocol: Protocol) -> dict[str, Any]:
    entries = {
        "EchoTime": protocol.echo_time_s,
        "RepetitionTime": protocol.repetition_time_s,
        "WaterSuppressed": protocol.water_suppressed,
        "Manufacturer": protocol.scanner.manufacturer,
        "ManufacturersModelName": protocol.scanner.model,
        "SoftwareVersions": protocol.scanner.software,
        "SequenceName": protocol.sequence,
    }
    return {key: value for key, value in entries.items() if value is not None}


def _processing(step: StepRecord) -> dict[str, Any]:
    """Return a step as an entry of `ProcessingApplied`, without a time: same input, same bytes."""
    options = ", ".join(f"{k}={v}" for k, v in step.options.items())
    return {
        "Program": "mrs_disc",
        "Version": __version__,
        "Method": _METHODS.get(step.step, step.step),
        "Details": f"{step.step}: {step.method}" + (f" ({options})" if options else ""),
    }
