"""Siemens RDA and enhanced MR spectroscopy DICOM (XA), for simulated studies.

RDA: a text header with CRLF line ends and one averaged FID as pairs of 64-bit floats, in the sign
of NIfTI-MRS. DICOM: one object per transient, 32-bit pairs in this package's sign. Only what
readers need is written, with identifiers that follow from the content, so that the same study
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.data import Fid, Protocol, Transients
from mrs_disc.files import write_whole
from mrs_disc.typing import ComplexArray, FloatArray

_SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def write_rda(path: Path, fid: Fid, protocol: Protocol) -> Path:
    """Write one averaged FID as RDA.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.

    Notes
    -----
    The format holds the dwell time in whole microseconds.
    """
    sampling = fid.sampling
    row, column, _, position, size = _geometry(protocol)
    values: list[tuple[str, object]] = [
        ("PatientName", "simulated"),
        ("PatientID", "simulated"),
        ("StudyDate", "20000101"),
        ("StudyDescription", "simulated by mrs_disc; no patient was measured"),
        ("ProtocolName", "simulated"),
        ("SequenceName", "svs_se" if protocol.sequence in (None, "PRESS") else protocol.sequence),
        ("TR", f"{1e3 * (protocol.repetition_time_s or 0.0):.6f}"),
        ("TE", f"{1e3 * (protocol.echo_time_s or 0.0):.6f}"),
        ("TM", "0.000000"),
        ("TI", "0.000000"),
        ("DwellTime", round(1e6 * sampling.dwell_time_s)),
        ("EchoNumber", 0),
        ("NumberOfAverages", f"{float(protocol.n_averages or 1):.6f}"),
        ("MRFrequency", f"{sampling.spectrometer_mhz:.6f}"),
        ("Nucleus", sampling.nucleus),
        ("MagneticFieldStrength", f"{protocol.field_strength_t or 0.0:.6f}"),
        ("FlipAngle", "90.000000"),
        ("VectorSize", fid.n_points),
        *((f"CSIMatrixSize[{i}]", 1) for i in range(3)),
        *((f"PositionVector[{i}]", f"{position[i]:.6f}") for i in range(3)),
        *((f"RowVector[{i}]", f"{row[i]:.9f}") for i in range(3)),
        *((f"ColumnVector[{i}]", f"{column[i]:.9f}") for i in range(3)),
        *(
            (f"VOIPosition{a}", f"{p:.6f}")
            for a, p in zip(("Sag", "Cor", "Tra"), position, strict=True)
        ),
        ("VOIThickness", f"{size[2]:.6f}"),
        ("VOIPhaseFOV", f"{size[1]:.6f}"),
        ("VOIReadoutFOV", f"{size[0]:.6f}"),
        ("PixelSpacingRow", f"{size[1]:.6f}"),
        ("PixelSpacingCol", f"{size[0]:.6f}"),
        ("SliceThickness", f"{size[2]:.6f}"),
        ("ModelName", "simulated"),
        ("DeviceSerialNumber", "0"),
        ("SoftwareVersion[0]", "simulated"),
        ("InstitutionName", "simulated"),
        ("TransmitCoil", "simulated"),
    ]
    head = [">>> Begin of header <<<"]
    head += [f"{name}: {value}" for name, value in values]
    head += [">>> End of header <<<", ""]
    samples = np.conj(fid.signal).astype("<c16").tobytes()
    return write_whole(path, "\r\n".join(head).encode("ascii") + samples)


def write_dicom(
    folder: Path,
    signal: Transients | Fid,
    protocol: Protocol,
    *,
    series_number: int,
    description: str,
) -> list[Path]:
    """Write one series of enhanced MR spectroscopy objects, one file per transient.

    Parameters
    ----------
    folder : Path
        Gets ``0001.dcm`` and so on.
    series_number, description
        Shown by other software; `description` must not name a person.

    Raises
    ------
    OutputError
        If a file exists or cannot be written.
    """
    rows = np.atleast_2d(signal.signal)
    series = _uid(f"{description} {series_number}".encode() + rows.tobytes())
    paths = []
    for number, row in enumerate(rows, start=1):
        dataset = _dataset(row, signal, protocol)
        dataset.SeriesNumber = series_number
        dataset.SeriesDescription = description
        dataset.SeriesInstanceUID = series
        dataset.InstanceNumber = number
        dataset.AcquisitionNumber = number
        dataset.SOPInstanceUID = _uid(f"{series} {number}".encode())
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        paths.append(write_whole(folder / f"{number:04d}.dcm", buffer.getvalue()))
    return paths


def _dataset(row: ComplexArray, signal: Transients | Fid, protocol: Protocol) -> Any:
    """Return one object without the identifiers of its series."""
    from pydicom.dataset import Dataset, FileMetaDataset

    sampling = signal.sampling
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = _SPECTROSCOPY
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    dataset.file_meta.ImplementationClassUID = _uid(b"mrs_disc")
    dataset.file_meta.ImplementationVersionName = "MRS_DISC"
    dataset.SOPClassUID = _SPECTROSCOPY
    dataset.StudyInstanceUID = _uid(b"mrs_disc simulated study")
    dataset.FrameOfReferenceUID = _uid(b"mrs_disc simulated frame")
    dataset.PatientName = "simulated"
    dataset.PatientID = "simulated"
    dataset.StudyDate = "20000101"
    dataset.Modality = "MR"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"]
    dataset.Manufacturer = "SIEMENS"
    dataset.ManufacturerModelName = "simulated"
    dataset.SoftwareVersions = "syngo MR XA30"
    dataset.InstitutionName = "simulated"
    dataset.PatientPosition = "HFS"
    dataset.ProtocolName = "simulated"
    dataset.PulseSequenceName = "svs_se" if protocol.sequence == "PRESS" else protocol.sequence
    dataset.MagneticFieldStrength = protocol.field_strength_t or 0.0
    dataset.SpectralWidth = float(f"{sampling.spectral_width_hz:.12g}")
    dataset.TransmitterFrequency = sampling.spectrometer_mhz
    dataset.ResonantNucleus = sampling.nucleus
    dataset.SignalDomainColumns = "TIME"
    dataset.DataRepresentation = "COMPLEX"
    dataset.VolumeLocalizationTechnique = protocol.sequence or "PRESS"
    dataset.Rows = dataset.Columns = dataset.DataPointRows = 1
    dataset.DataPointColumns = row.size
    dataset.NumberOfFrames = 1
    dataset.NumberOfAverages = protocol.n_averages or 1
    dataset.SpectroscopyData = row.astype("<c8").tobytes()

    dataset.SharedFunctionalGroupsSequence = _shared_groups(row.size, protocol)
    position = _geometry(protocol)[3]
    dataset.PerFrameFunctionalGroupsSequence = _group(
        PlanePositionSequence=_group(ImagePositionPatient=[_ds(v) for v in position])
    )
    return dataset


def _shared_groups(n_points: int, protocol: Protocol) -> Any:
    """Return timing and geometry."""
    first, second, _, _, size = _geometry(protocol)
    return _group(
        MRSpectroscopyFOVGeometrySequence=_group(
            SpectroscopyAcquisitionDataColumns=n_points,
            SpectroscopyAcquisitionPhaseRows=1,
            SpectroscopyAcquisitionPhaseColumns=1,
            SpectroscopyAcquisitionOutOfPlanePhaseSteps=1,
        ),
        MREchoSequence=_group(EffectiveEchoTime=1e3 * (protocol.echo_time_s or 0.0)),
        MRTimingAndRelatedParametersSequence=_group(
            RepetitionTime=_ds(1e3 * (protocol.repetition_time_s or 0.0)), FlipAngle=90
        ),
        PixelMeasuresSequence=_group(
            PixelSpacing=[_ds(size[1]), _ds(size[0])], SliceThickness=_ds(size[2])
        ),
        PlaneOrientationSequence=_group(
            ImageOrientationPatient=[_ds(v) for v in (*first, *second)]
        ),
        MRTransmitCoilSequence=_group(TransmitCoilName="simulated"),
        MRReceiveCoilSequence=_group(ReceiveCoilName="simulated"),
    )


def _group(**values: Any) -> Any:
    """Return a sequence of one item with these attributes."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return [item]


def _ds(value: float) -> str:
    """Return a number as a DICOM decimal string of at most 16 characters."""
    return f"{value + 0.0:.9g}"


def _uid(content: bytes) -> str:
    """Return an identifier that follows from the content (root 2.25, at most 39 digits)."""
    return f"2.25.{int.from_bytes(hashlib.sha256(content).digest()[:15], 'big')}"


def _geometry(
    protocol: Protocol,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return row, column and normal direction, centre (mm) and size (mm) in LPS coordinates."""
    if protocol.voxel_affine is None:
        size = np.asarray(protocol.voxel_size_mm or (20.0, 20.0, 20.0), dtype=float)
        return np.eye(3)[0], np.eye(3)[1], np.eye(3)[2], np.zeros(3), size
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ protocol.voxel_affine
    size = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :3] / size
    return axes[:, 0], axes[:, 1], axes[:, 2], lps[:3, 3] + 0.0, size
