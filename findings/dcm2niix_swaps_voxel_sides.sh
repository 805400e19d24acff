#!/usr/bin/env bash
# dcm2niix 1.0.20260724: the in-plane sides of a spectroscopy voxel change places.
# Guess: PixelSpacing [18, 30] with the rows along x is a voxel of 30 mm along x and 18 along y, as
#   it is for every image.
# Found: from an enhanced MR Spectroscopy object it makes 18 mm along x and 30 along y. spec2nii
#   0.8.15 reads 30 and 18 from the same file.
# Matters: disc voxels are anything but square (a low disc, 8 by 20 by 30 mm): drawn on the image
#   the voxel leaves the disc at one side and misses it at the other. No square phantom shows it.
# Right: DICOM PS3.3 10.7.1.3: the first value of Pixel Spacing is the distance between rows, that
#   is along the second direction cosine of Image Orientation (Patient).
# Versions: dcm2niix 1.0.20260724 (wheel), spec2nii 0.8.15, pydicom 3.0.2, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  dcm2niix==1.0.20260724 spec2nii==0.8.15 pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, subprocess, sys
from pathlib import Path

import nibabel, numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Siemens.dicomfunctions import multi_file_dicom

SPACING = [18.0, 30.0]  # between rows (along y here), between columns (along x)
N, DWELL, MHZ = 1024, 5e-4, 127.7


def item(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


def write(path, **changes):
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    d.StudyInstanceUID, d.SeriesInstanceUID = generate_uid(), generate_uid()
    d.FrameOfReferenceUID = generate_uid()
    d.ImageType = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"]
    d.Modality, d.Manufacturer, d.SoftwareVersions = "MR", "Siemens Healthineers", "syngo MR XA60"
    d.SeriesNumber = d.InstanceNumber = d.NumberOfFrames = d.Rows = d.Columns = 1
    d.DataPointRows, d.DataPointColumns = 1, N
    d.DataRepresentation, d.SignalDomainColumns = "COMPLEX", "TIME"
    d.SpectralWidth, d.TransmitterFrequency, d.ResonantNucleus = 1 / DWELL, MHZ, "1H"
    d.ChemicalShiftReference, d.VolumeLocalizationTechnique = 4.65, "PRESS"
    for name, value in changes.items():
        setattr(d, name, value)
    shared = Dataset()
    shared.MREchoSequence = item(EffectiveEchoTime=30.0)
    shared.MRTimingAndRelatedParametersSequence = item(RepetitionTime=2000.0, FlipAngle=90.0)
    shared.PixelMeasuresSequence = item(PixelSpacing=SPACING, SliceThickness=8.0)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0])
    shared.MRSpectroscopyFOVGeometrySequence = item(
        SpectroscopyAcquisitionDataColumns=N, SpectroscopyAcquisitionPhaseRows=1,
        SpectroscopyAcquisitionPhaseColumns=1, SpectroscopyAcquisitionOutOfPlanePhaseSteps=1,
    )
    shared.MRTransmitCoilSequence = item(TransmitCoilName="Body")
    shared.MRReceiveCoilSequence = item(ReceiveCoilName="Spine")
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    frame = Dataset()
    frame.PlanePositionSequence = item(ImagePositionPatient=[0.0, 0, 0])
    d.PerFrameFunctionalGroupsSequence = Sequence([frame])
    time = np.arange(N) * DWELL
    samples = np.exp(2j * np.pi * (2.01 - 4.65) * MHZ * time - 12 * time)
    d.SpectroscopyData = samples.astype("<c8").tobytes()
    d.save_as(path, enforce_file_format=True)


folder = Path("study")
folder.mkdir()
more = {"DeviceSerialNumber": "1", "ManufacturerModelName": "M", "SeriesDescription": "svs"}
write(folder / "in.dcm", PatientName="A^B", PatientID="1", PatientPosition="HFS", **more)
command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
subprocess.run(command, check=True, capture_output=True)
converted = abs(np.diag(nibabel.load(folder / "out.nii").affine))[:3]
image = multi_file_dicom([folder / "in.dcm"], None, "DIM_DYN", False)[0][0]
other = abs(np.diag(image.getAffine("voxel", "world")))[:3]
print("sides along x, y, z in mm: dcm2niix", converted, " spec2nii", other)
if not (np.allclose(converted, [18, 30, 8]) and np.allclose(other, [30, 18, 8])):
    sys.exit("dcm2niix or spec2nii has changed: no longer 18, 30, 8 against 30, 18, 8 mm.")
print("Right: 30 along x, 18 along y. dcm2niix has them swapped.")
PYTHON
