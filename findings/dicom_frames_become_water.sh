#!/usr/bin/env bash
# dcm2niix 1.0.20260724 and spec2nii 0.8.15: the frames of a DICOM spectroscopy object become a
# water reference, one long FID, or nothing.
# Guess: two frames of one voxel are two FIDs: DIM_DYN of length 2, as from two files.
# Found: dcm2niix names frame 2 "_mrsref" and writes WaterSuppressed false into it (and true into
#   frame 1), whatever it holds; of three frames it keeps the first, with a warning. spec2nii lays
#   the frames end to end in time: 2048 points, the second FID beginning at 0.512 s, and says
#   nothing. All files validate.
# Matters: with a second transient for its water reference a disc's water is as small as its
#   metabolites, and each amount relative to water some thousand times too large. Two FIDs in a row
#   cut each line into a comb, with zeros every 2 Hz.
# Right: DICOM PS3.3 C.8.14.4.1: frames may be places or points in time, Number of Frames counts
#   them and each holds whole spectra of Data Point Columns points. Water Reference Acquisition
#   (0018,9297) would tell a reference; here it says NONE.
# Versions: dcm2niix 1.0.20260724 (wheel), spec2nii 0.8.15, nifti-mrs 1.4.1, pydicom 3.0.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  dcm2niix==1.0.20260724 spec2nii==0.8.15 nifti-mrs==1.4.1 pydicom==3.0.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, subprocess, sys
from pathlib import Path

import numpy as np
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.validator import validate_nifti_mrs
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Siemens.dicomfunctions import multi_file_dicom

N, DWELL, MHZ = 1024, 5e-4, 127.7


def item(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


def write(path, frames):
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    d.StudyInstanceUID, d.SeriesInstanceUID = generate_uid(), generate_uid()
    d.FrameOfReferenceUID = generate_uid()
    d.ImageType = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"]
    d.Modality, d.Manufacturer, d.SoftwareVersions = "MR", "Siemens Healthineers", "syngo MR XA60"
    d.PatientName, d.PatientID, d.PatientPosition = "A^B", "1", "HFS"
    d.DeviceSerialNumber, d.ManufacturerModelName, d.SeriesDescription = "1", "M", "svs"
    d.SeriesNumber = d.InstanceNumber = d.Rows = d.Columns = 1
    d.NumberOfFrames, d.WaterReferenceAcquisition = len(frames), "NONE"
    d.DataPointRows, d.DataPointColumns = 1, N
    d.DataRepresentation, d.SignalDomainColumns = "COMPLEX", "TIME"
    d.SpectralWidth, d.TransmitterFrequency, d.ResonantNucleus = 1 / DWELL, MHZ, "1H"
    d.ChemicalShiftReference, d.VolumeLocalizationTechnique = 4.65, "PRESS"
    shared = Dataset()
    shared.MREchoSequence = item(EffectiveEchoTime=30.0)
    shared.MRTimingAndRelatedParametersSequence = item(RepetitionTime=2000.0, FlipAngle=90.0)
    shared.PixelMeasuresSequence = item(PixelSpacing=[20.0, 20.0], SliceThickness=20.0)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0])
    shared.MRSpectroscopyFOVGeometrySequence = item(
        SpectroscopyAcquisitionDataColumns=N, SpectroscopyAcquisitionPhaseRows=1,
        SpectroscopyAcquisitionPhaseColumns=1, SpectroscopyAcquisitionOutOfPlanePhaseSteps=1,
    )
    shared.MRTransmitCoilSequence = item(TransmitCoilName="Body")
    shared.MRReceiveCoilSequence = item(ReceiveCoilName="Spine")
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number in range(1, len(frames) + 1):
        groups.append(Dataset())
        groups[-1].PlanePositionSequence = item(ImagePositionPatient=[0.0, 0, 0])
        groups[-1].FrameContentSequence = item(
            DimensionIndexValues=[number], TemporalPositionIndex=number
        )
    d.PerFrameFunctionalGroupsSequence = Sequence(groups)
    d.SpectroscopyData = np.concatenate(frames).tobytes()
    d.save_as(path, enforce_file_format=True)


def converted(n_frames):
    time = np.arange(N) * DWELL
    fid = np.exp(2j * np.pi * (2.0 - 4.65) * MHZ * time - 12 * time).astype("<c8")
    folder = Path(str(n_frames))
    folder.mkdir()
    write(folder / "in.dcm", [fid] * n_frames)
    command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
    subprocess.run(command, check=True, capture_output=True)
    image = multi_file_dicom([folder / "in.dcm"], None, "DIM_DYN", False)[0][0]
    image.save(folder / "spec2nii.nii.gz")
    found = {}
    for path in sorted(folder.glob("*.nii*")):
        mrs = NIFTI_MRS(path)
        validate_nifti_mrs(mrs)
        facts = mrs.hdr_ext.to_dict()
        found[path.name] = (mrs[:].shape, facts.get("WaterSuppressed"))
    print(f"{n_frames} equal frames of {N} points:", found)
    return found


one, name = (1, 1, 1, N), "spec2nii.nii.gz"
if converted(1) != {"out.nii": (one, True), name: (one, None)}:
    sys.exit("One frame no longer gives one FID.")
two = {"out.nii": (one, True), "out_mrsref.nii": (one, False), name: ((1, 1, 1, 2 * N), None)}
if converted(2) != two:
    sys.exit("dcm2niix or spec2nii has changed with two frames.")
if converted(3) != {"out.nii": (one, True), name: ((1, 1, 1, 3 * N), None)}:
    sys.exit("dcm2niix or spec2nii has changed with three frames.")
print("Right: 2 and 3 FIDs of 1024 points, none of them a water reference.")
PYTHON
