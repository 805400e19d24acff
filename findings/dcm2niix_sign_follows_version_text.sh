#!/usr/bin/env bash
# dcm2niix 1.0.20260724: the side of a spectrum follows the text of Software Versions.
# Guess: the samples of an enhanced MR Spectroscopy object are converted by one rule, whatever free
#   text stands in (0018,1020).
# Found: "syngo MR XA60" conjugates them, "XA60" of the same maker copies them as stored: two
#   NIfTI-MRS files with the same header and spectra that are mirror images.
# Matters: after a mirror about 4.65 ppm the N-acetyl line of proteoglycan (2.0) stands at 7.3 ppm
#   and lactate (1.3) at 8.0: a disc without either. Nothing in the file tells which it is.
# Right: DICOM PS3.3 C.8.14 describes Spectroscopy Data without a word of the software version;
#   NIfTI-MRS (appendix A) fixes one sign for every file.
# Versions: dcm2niix 1.0.20260724 (wheel), pydicom 3.0.2, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  dcm2niix==1.0.20260724 pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import subprocess, sys
from pathlib import Path

import nibabel, numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

N, DWELL, MHZ, PPM = 1024, 5e-4, 127.7, 2.01


def item(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


def write(path, software, samples):
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    d.StudyInstanceUID, d.SeriesInstanceUID = generate_uid(), generate_uid()
    d.FrameOfReferenceUID = generate_uid()
    d.ImageType = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"]
    d.Modality, d.Manufacturer, d.SoftwareVersions = "MR", "Siemens Healthineers", software
    d.SeriesNumber = d.InstanceNumber = d.NumberOfFrames = d.Rows = d.Columns = 1
    d.DataPointRows, d.DataPointColumns = 1, N
    d.DataRepresentation, d.SignalDomainColumns = "COMPLEX", "TIME"
    d.SpectralWidth, d.TransmitterFrequency, d.ResonantNucleus = 1 / DWELL, MHZ, "1H"
    d.ChemicalShiftReference, d.VolumeLocalizationTechnique = 4.65, "PRESS"
    shared = Dataset()
    shared.MREchoSequence = item(EffectiveEchoTime=30.0)
    shared.MRTimingAndRelatedParametersSequence = item(RepetitionTime=2000.0, FlipAngle=90.0)
    shared.PixelMeasuresSequence = item(PixelSpacing=[20.0, 20.0], SliceThickness=8.0)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0])
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    frame = Dataset()
    frame.PlanePositionSequence = item(ImagePositionPatient=[0.0, 0, 0])
    d.PerFrameFunctionalGroupsSequence = Sequence([frame])
    d.SpectroscopyData = samples.astype("<c8").tobytes()
    d.save_as(path, enforce_file_format=True)


time = np.arange(N) * DWELL
stored = np.exp(2j * np.pi * (PPM - 4.65) * MHZ * time - 12 * time)
peaks = {}
for software in ("XA60", "syngo MR XA60"):
    folder = Path(software.replace(" ", "_"))
    folder.mkdir()
    write(folder / "in.dcm", software, stored)
    command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
    subprocess.run(command, check=True, capture_output=True)
    image = nibabel.load(folder / "out.nii")
    signal = np.asarray(image.dataobj).ravel().conj()  # NIfTI-MRS turns the other way
    hertz = np.fft.fftfreq(N, DWELL)[np.argmax(abs(np.fft.fft(signal)))]
    peaks[software] = 4.65 + hertz / MHZ
    print(f"Software Versions {software!r:16}: line at {peaks[software]:.2f} ppm")
if not (abs(peaks["syngo MR XA60"] - PPM) < 0.02 and abs(peaks["XA60"] - (9.30 - PPM)) < 0.02):
    sys.exit("dcm2niix has changed: the text of Software Versions no longer mirrors the spectrum.")
print("Same samples, same tags but one text: the two spectra are mirror images.")
PYTHON
