#!/usr/bin/env bash
# dcm2niix 1.0.20260724 and spec2nii 0.8.15: a DICOM object that holds a spectrum becomes a
# NIfTI-MRS file whose FID is that spectrum; spec2nii makes complex pairs of real points as well.
# Guess: Signal Domain Columns FREQUENCY is transformed back to time or refused; Data Representation
#   REAL or MAGNITUDE (one number a point) is refused.
# Found: both copy the points of the spectrum into the time dimension without a word, and the file
#   validates. Its "FID" is largest at point 685 of 1024; its one line stands at 4.65 ppm, on water,
#   wherever it was. From 1024 real points spec2nii makes 512 complex ones, every second number
#   taken for an imaginary part, at the old dwell time; dcm2niix refuses those.
# Matters: scanners and workstations send processed spectra as well as FIDs under one SOP class. Of
#   such a disc the fit finds neither proteoglycan nor lactate, and nothing tells that it had both.
# Right: DICOM PS3.3 table of the MR Spectroscopy Data Module (both elements are type 1, FREQUENCY,
#   REAL and MAGNITUDE among their values) and C.8.14.4.1 (order of points in either domain);
#   NIfTI-MRS 2: the fourth dimension is time, the data are complex.
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


def write(path, points, domain, representation):
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
    d.DataRepresentation, d.SignalDomainColumns = representation, domain
    d.SpectralWidth, d.TransmitterFrequency, d.ResonantNucleus = 1 / DWELL, MHZ, "1H"
    d.ChemicalShiftReference, d.VolumeLocalizationTechnique = 4.65, "PRESS"
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


def converted(name, *content):
    folder = Path(name)
    folder.mkdir()
    write(folder / "in.dcm", *content)
    command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
    subprocess.run(command, capture_output=True)
    image = multi_file_dicom([folder / "in.dcm"], None, "DIM_DYN", False)[0][0]
    image.save(folder / "spec2nii.nii.gz")
    found = {}
    for program, path in (("dcm2niix", "out.nii"), ("spec2nii", "spec2nii.nii.gz")):
        if not (folder / path).exists():
            found[program] = "refused"
            continue
        mrs = NIFTI_MRS(folder / path)
        validate_nifti_mrs(mrs)
        samples = mrs[:].ravel()
        spectrum = np.fft.fftshift(np.fft.fft(samples))
        ppm = mrs.axes.ppmAxisShift[abs(spectrum).argmax()]
        found[program] = (samples.size, int(abs(samples).argmax()), round(float(ppm), 2))
    print(f"{name:10} points, largest sample, largest line in ppm: {found}")
    return found


time = np.arange(N) * DWELL
fid = np.exp(2j * np.pi * (2.0 - 4.65) * MHZ * time - 12 * time).astype("<c8")
spectrum = np.fft.fftshift(np.fft.fft(fid))[::-1].astype("<c8")  # high to low frequency
time_domain = converted("TIME", fid, "TIME", "COMPLEX")
frequency = converted("FREQUENCY", spectrum, "FREQUENCY", "COMPLEX")
real = converted("REAL", fid.real.astype("<f4"), "TIME", "REAL")
if set(time_domain.values()) != {(N, 0, 2.0)}:
    sys.exit("The plain FID no longer comes out with its line at 2.0 ppm.")
if any(found == "refused" or found[1] in (0, N - 1) for found in frequency.values()):
    sys.exit("A spectrum is no longer copied as if it were a FID.")
if real["dcm2niix"] != "refused" or real["spec2nii"][0] != N // 2:
    sys.exit("Real points are no longer paired by spec2nii, or no longer refused by dcm2niix.")
print("One line at 2.0 ppm lies in all three files.")
PYTHON
