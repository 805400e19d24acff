#!/usr/bin/env bash
# dcm2niix 1.0.20260724 and spec2nii 0.8.15: the shift at the carrier that a DICOM object states is
# dropped, and the ppm axis with it.
# Guess: Chemical Shift Reference (0018,9053), the shift at the transmitter frequency, becomes
#   SpecFreqChemShift: DICOM requires the one and NIfTI-MRS defines the other, with one meaning.
# Found: neither program writes SpecFreqChemShift, nor an offset, whatever the object says. Readers
#   then take 4.65: a line at 2.0 ppm of a scan whose carrier stood at 2.3 arrives at 4.35.
# Matters: a carrier between the lines and not on water is usual where lipid and N-acetyl matter
#   (less chemical shift displacement across a thin disc). Every line of such a disc is 2.35 ppm
#   off, and what was proteoglycan lies where residual water is removed.
# Right: DICOM PS3.3 C.8.14.1 (type 1C, present in every ORIGINAL object; ppm at the transmitter
#   frequency); NIfTI-MRS definitions: SpecFreqChemShift, ppm at SpectrometerFrequency.
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


def write(path, points, reference):
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
    d.SeriesNumber = d.InstanceNumber = d.NumberOfFrames = d.Rows = d.Columns = 1
    d.DataPointRows, d.DataPointColumns = 1, N
    d.DataRepresentation, d.SignalDomainColumns = "COMPLEX", "TIME"
    d.SpectralWidth, d.TransmitterFrequency, d.ResonantNucleus = 1 / DWELL, MHZ, "1H"
    d.ChemicalShiftReference, d.VolumeLocalizationTechnique = reference, "PRESS"
    shared, frame = Dataset(), Dataset()
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
    frame.PlanePositionSequence = item(ImagePositionPatient=[0.0, 0, 0])
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    d.PerFrameFunctionalGroupsSequence = Sequence([frame])
    d.SpectroscopyData = points.tobytes()
    d.save_as(path, enforce_file_format=True)


def converted(reference):
    time = np.arange(N) * DWELL
    fid = np.exp(2j * np.pi * (2.0 - reference) * MHZ * time - 12 * time).astype("<c8")
    folder = Path(str(reference))
    folder.mkdir()
    write(folder / "in.dcm", fid, reference)
    command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
    subprocess.run(command, check=True, capture_output=True)
    image = multi_file_dicom([folder / "in.dcm"], None, "DIM_DYN", False)[0][0]
    image.save(folder / "spec2nii.nii.gz")
    found = {}
    for program, path in (("dcm2niix", "out.nii"), ("spec2nii", "spec2nii.nii.gz")):
        mrs = NIFTI_MRS(folder / path)
        validate_nifti_mrs(mrs)
        spectrum = np.fft.fftshift(np.fft.fft(mrs[:].ravel()))
        found[program] = round(float(mrs.axes.ppmAxisShift[abs(spectrum).argmax()]), 2)
        kept = [key for key in mrs.hdr_ext if key in ("SpecFreqChemShift", "TxOffset", "RxOffset")]
        if kept:
            sys.exit(f"{program} has changed: it writes {kept}.")
    print(f"carrier at {reference} ppm, line at 2.0 ppm, found at: {found}")
    return list(found.values())


if not np.allclose(converted(4.65), 2.0, atol=0.02):
    sys.exit("With the carrier on water the line is no longer at 2.0 ppm.")
if not np.allclose(converted(2.3), 4.35, atol=0.02):
    sys.exit("dcm2niix or spec2nii has changed: the line is no longer at 4.35 ppm.")
print("Right: 2.0 in both rows.")
PYTHON
