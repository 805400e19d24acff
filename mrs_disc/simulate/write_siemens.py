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
_WHEN = "20000101000000"
_FRAME_TYPE = ("ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE")
_COMPLEX = {
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "COMPLEX",
    "AcquisitionContrast": "UNKNOWN",
}
_NO_MODIFIER = {
    "InversionRecovery": "NO",
    "SpatialPresaturation": "NONE",
    "FlowCompensation": "NONE",
    "Spoiling": "NONE",
    "T2Preparation": "NO",
    "SpectrallySelectedExcitation": "NONE",
    "PartialFourier": "NO",
    "ParallelAcquisition": "NO",
}
_AS_MEASURED: dict[str, Any] = {
    **_COMPLEX,
    "DeviceSerialNumber": "0",
    "AcquisitionDuration": 1.0,
    "ContentQualification": "RESEARCH",
    "ApplicableSafetyStandardAgency": "IEC",
    "KSpaceFiltering": "NONE",
    "MRSpectroscopyAcquisitionType": "SINGLE_VOXEL",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SpectrallySelectedSuppression": "WATER",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "NumberOfKSpaceTrajectories": 1,
    "ChemicalShiftReference": 4.7,
    "WaterReferencedPhaseCorrection": "NO",
    "FirstOrderPhaseCorrection": "NO",
    "FrequencyCorrection": "NO",
    "BaselineCorrection": "NONE",
    "TimeDomainFiltering": "NONE",
    "NumberOfZeroFills": 0,
    "Decoupling": "NO",
}
"""What a scanner states of any such measurement: nothing was filtered, corrected or decoupled."""
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
    study: str = "simulated",
) -> list[Path]:
    """Write one series of enhanced MR spectroscopy objects, one file per transient.

    Parameters
    ----------
    folder : Path
        Gets ``0001.dcm`` and so on.
    series_number, description
        Shown by other software; `description` must not name a person.
    study : str
        Becomes PatientID; patient, study and frame of reference have identifiers that follow from
        it, so that what is sent to an archive is filed apart.

    Raises
    ------
    OutputError
        If a file exists or cannot be written.
    """
    rows = np.atleast_2d(signal.signal)
    series = _uid(f"{description} {series_number}".encode() + rows.tobytes())
    paths = []
    for number, row in enumerate(rows, start=1):
        dataset = _dataset(row, signal, protocol, study)
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


def _dataset(row: ComplexArray, signal: Transients | Fid, protocol: Protocol, study: str) -> Any:
    """Return one object without the identifiers of its series.

    Attributes of type 1 and 2 are there as the standard asks; those whose value nobody measured are
    empty where they may be, and say the plainest thing where not.
    """
    from pydicom.dataset import Dataset, FileMetaDataset

    sampling = signal.sampling
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = _SPECTROSCOPY
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    dataset.file_meta.ImplementationClassUID = _uid(b"mrs_disc")
    dataset.file_meta.ImplementationVersionName = "MRS_DISC"
    dataset.SOPClassUID = _SPECTROSCOPY
    _identify(dataset, study)
    dataset.Modality = "MR"
    dataset.ImageType = list(_FRAME_TYPE)
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
    dataset.VolumeLocalizationSequence = _slabs(protocol)
    dataset.Rows = dataset.Columns = dataset.DataPointRows = 1
    dataset.DataPointColumns = row.size
    dataset.NumberOfFrames = 1
    dataset.SpectroscopyData = row.astype("<c8").tobytes()
    for name, value in _AS_MEASURED.items():
        setattr(dataset, name, value)

    dataset.SharedFunctionalGroupsSequence = _shared_groups(row.size, protocol)
    position = _geometry(protocol)[3]
    dataset.PerFrameFunctionalGroupsSequence = _group(
        FrameContentSequence=_group(
            FrameAcquisitionNumber=1,
            DimensionIndexValues=1,
            FrameReferenceDateTime=_WHEN,
            FrameAcquisitionDateTime=_WHEN,
            FrameAcquisitionDuration=1.0,
        ),
        PlanePositionSequence=_group(ImagePositionPatient=[_ds(v) for v in position]),
    )
    organization = _uid(b"mrs_disc simulated dimensions")
    dataset.DimensionOrganizationSequence = _group(DimensionOrganizationUID=organization)
    dataset.DimensionIndexSequence = _group(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=0x00209156,  # FrameAcquisitionNumber
        FunctionalGroupPointer=0x00209111,  # FrameContentSequence
    )
    return dataset


def _identify(dataset: Any, study: str) -> None:
    """Put patient, study and frame of reference into an object."""
    seed = study.encode()
    dataset.StudyInstanceUID = _uid(b"mrs_disc simulated study " + seed)
    dataset.FrameOfReferenceUID = _uid(b"mrs_disc simulated frame " + seed)
    dataset.PatientName, dataset.PatientID = "Simulated^", study
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyDate, dataset.StudyTime = "20000101", "000000"
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.ContentDate, dataset.ContentTime = "20000101", "000000"
    dataset.AcquisitionDateTime = _WHEN
    dataset.PositionReferenceIndicator = ""
    dataset.AcquisitionContextSequence = []


def _slabs(protocol: Protocol) -> Any:
    """Return the three slabs whose crossing is the voxel."""
    first, second, third, centre, size = _geometry(protocol)
    return [
        _group(
            SlabThickness=float(f"{thick:.9g}"),
            SlabOrientation=[float(f"{v + 0.0:.9g}") for v in normal],
            MidSlabPosition=[float(f"{v + 0.0:.9g}") for v in centre],
        )[0]
        for normal, thick in zip((first, second, third), size, strict=True)
    ]


def _shared_groups(n_points: int, protocol: Protocol) -> Any:
    """Return timing and geometry."""
    first, second, _, _, size = _geometry(protocol)
    return _group(
        MRSpectroscopyFOVGeometrySequence=_group(
            SpectroscopyAcquisitionDataColumns=n_points,
            SpectroscopyAcquisitionPhaseRows=1,
            SpectroscopyAcquisitionPhaseColumns=1,
            SpectroscopyAcquisitionOutOfPlanePhaseSteps=1,
            PercentSampling=100.0,
            PercentPhaseFieldOfView=100.0,
        ),
        MRSpectroscopyFrameTypeSequence=_group(FrameType=list(_FRAME_TYPE), **_COMPLEX),
        FrameAnatomySequence=_group(FrameLaterality="U", AnatomicRegionSequence=_spine()),
        MRAveragesSequence=_group(NumberOfAverages=_ds(protocol.n_averages or 1)),
        MRModifierSequence=_group(**_NO_MODIFIER),
        MREchoSequence=_group(EffectiveEchoTime=1e3 * (protocol.echo_time_s or 0.0)),
        MRTimingAndRelatedParametersSequence=_group(
            RepetitionTime=_ds(1e3 * (protocol.repetition_time_s or 0.0)),
            FlipAngle=90,
            EchoTrainLength=1,
            RFEchoTrainLength=1,
            GradientEchoTrainLength=0,
            SpecificAbsorptionRateSequence=_group(
                SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.0
            ),
            OperatingModeSequence=_group(OperatingModeType="RF", OperatingMode="IEC_NORMAL"),
        ),
        PixelMeasuresSequence=_group(
            PixelSpacing=[_ds(size[1]), _ds(size[0])], SliceThickness=_ds(size[2])
        ),
        PlaneOrientationSequence=_group(
            ImageOrientationPatient=[_ds(v) for v in (*first, *second)]
        ),
        MRTransmitCoilSequence=_group(
            TransmitCoilName="simulated", TransmitCoilManufacturerName="", TransmitCoilType="BODY"
        ),
        MRReceiveCoilSequence=_group(
            ReceiveCoilName="simulated",
            ReceiveCoilManufacturerName="",
            ReceiveCoilType="SURFACE",
            QuadratureReceiveCoil="NO",
        ),
    )


def _spine() -> Any:
    return _group(
        CodeValue="421060004", CodingSchemeDesignator="SCT", CodeMeaning="Vertebral column"
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
