#!/usr/bin/env bash
# dcm2niix 1.0.20260724: every enhanced spectroscopy object becomes "WaterSuppressed": true.
# Guess: the key repeats what the object says in Spectrally Selected Suppression (0018,9025), or is
#   left out where it says nothing.
# Found: true for NONE, for FAT, for WATER and for an object without the element; and
#   "InversionTime": 0 for a sequence without inversion, which is an inversion at 0 s.
# Matters: the unsuppressed reference of a disc is told from the metabolite scan by this key; with
#   true on both, amounts relative to water have no reference.
# Right: NIfTI-MRS definitions: WaterSuppressed is whether data was collected with or without water
#   suppression; a key that is not known is optional. DICOM PS3.3 C.8.14 for (0018,9025).
# Versions: dcm2niix 1.0.20260724 (wheel), pydicom 3.0.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  dcm2niix==1.0.20260724 pydicom==3.0.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import json, subprocess, sys
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SPACING = [20.0, 20.0]
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
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    frame = Dataset()
    frame.PlanePositionSequence = item(ImagePositionPatient=[0.0, 0, 0])
    d.PerFrameFunctionalGroupsSequence = Sequence([frame])
    time = np.arange(N) * DWELL
    samples = np.exp(2j * np.pi * (2.01 - 4.65) * MHZ * time - 12 * time)
    d.SpectroscopyData = samples.astype("<c8").tobytes()
    d.save_as(path, enforce_file_format=True)


seen = []
for text in (None, "NONE", "FAT", "WATER"):
    folder = Path(str(text))
    folder.mkdir()
    changes = {"SpectrallySelectedSuppression": text} if text else {}
    write(folder / "in.dcm", **changes)
    command = ["env/bin/dcm2niix", "-z", "n", "-f", "out", "-o", folder, folder]
    subprocess.run(command, check=True, capture_output=True)
    sidecar = json.loads((folder / "out.json").read_text())
    pair = sidecar.get("WaterSuppressed"), sidecar.get("InversionTime")
    print(f"(0018,9025) {text or 'absent':6}: WaterSuppressed {pair[0]}, InversionTime {pair[1]}")
    seen.append(pair)
if seen != [(True, 0)] * 4:
    sys.exit("dcm2niix has changed: the keys are no longer true and 0 for every object.")
print("Nothing was inverted and two of four were not water-suppressed.")
PYTHON
