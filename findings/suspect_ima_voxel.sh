#!/usr/bin/env bash
# suspect 0.6.2: the voxel of a Siemens IMA file is another one than that of the RDA file of its
# scan.
# Guess: both exports of one scan give one transform: the same corner points in the patient.
# Found: the first number of Pixel Spacing, the distance of rows and so the voxel's side along a
#   column, is laid along the row: a voxel 30 mm wide and 20 deep is 20 wide and 30 deep. The
#   rotation in plane is applied the other way round. Volume and centre agree, so nothing shows. A
#   voxel planned as a sagittal slice has no side at all: its transform is NaN.
# Matters: 15 mm instead of 10 to front and back of a disc's middle reach into the canal or past
#   the annulus, and the mask over the image is of that other place. Seen too in the pair SVS_30 of
#   its own public test data (20 by 40 mm, 28 degrees).
# Right: DICOM PS3.3, C.7.6.3.1.1: Pixel Spacing is row spacing, then column spacing; the scanner's
#   own row and column vectors, which the RDA file states.
# Versions: suspect 0.6.2 with numpy 2.4.6, pydicom 3.0.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 pydicom==3.0.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import struct
import sys
from pathlib import Path

import numpy as np
import suspect
from pydicom.dataset import Dataset, FileMetaDataset

READ, PHASE, THICK = 30.0, 20.0, 8.0  # sides of the voxel along readout and phase, mm
ANGLE = 0.25  # rotation in plane, radians
NORMAL = np.array([0.0, 0.0, 1.0])
ROW = np.array([-np.cos(ANGLE), np.sin(ANGLE), 0.0])  # readout, in the patient's L, P, H
COLUMN = np.array([np.sin(ANGLE), np.cos(ANGLE), 0.0])
CENTRE = [4.0, 30.0, -12.0]
FID = np.exp(-np.arange(512) / 100).astype("<c8")


def csa(facts):
    """Return a header block of the maker: a name and up to six texts an entry."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(facts), 77)
    for name, values in facts.items():
        out += struct.pack("<64si4siii", name.encode(), len(values), b"FD", 0, len(values), 77)
        for value in values:
            text = str(value).encode() + b"\0"
            out += struct.pack("<4I", len(text), len(text), 77, len(text))
            out += text + bytes(-len(text) % 4)
    return out


def ima(normal, rotation):
    facts = {
        "SpectroscopyAcquisitionOut-of-planePhaseSteps": [1], "Rows": [1], "Columns": [1],
        "DataPointColumns": [FID.size], "RealDwellTime": [500000], "ImagingFrequency": [127.7],
        "EchoTime": [30.0], "RepetitionTime": [2000.0], "VoiPosition": CENTRE,
        "VoiOrientation": normal, "VoiInPlaneRotation": [rotation], "VoiReadoutFoV": [READ],
        "VoiPhaseFoV": [PHASE], "VoiThickness": [THICK], "PixelSpacing": [PHASE, READ],
        "SliceThickness": [THICK],
    }
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = "1.3.12.2.1107.5.9.1"
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = "2.25.7"
    file.SoftwareVersions = "syngo MR E11"
    file.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
    file.add_new((0x0029, 0x1010), "OB", csa(facts))
    file.add_new((0x7FE1, 0x0010), "LO", "SIEMENS CSA NON-IMAGE")
    file.add_new((0x7FE1, 0x1010), "OB", FID.tobytes())
    file.save_as("scan.IMA", enforce_file_format=True)
    return suspect.io.load_siemens_dicom("scan.IMA")


def rda():
    facts = {
        "SoftwareVersion[0]": "syngo MR E11", "ProtocolName": "svs", "TE": 30.0, "TR": 2000.0,
        "DwellTime": 500, "MRFrequency": 127.7, "VectorSize": FID.size,
        "VOIPositionSag": CENTRE[0], "VOIPositionCor": CENTRE[1], "VOIPositionTra": CENTRE[2],
        "VOINormalTra": 1.0, "VOIRotationInPlane": ANGLE, "VOIReadoutFOV": READ,
        "VOIPhaseFOV": PHASE, "VOIThickness": THICK, "PixelSpacingRow": PHASE,
        "PixelSpacingCol": READ, "PixelSpacing3D": THICK,
    }
    for i in range(3):
        facts[f"CSIMatrixSize[{i}]"] = 1
        facts[f"RowVector[{i}]"] = ROW[i]
        facts[f"ColumnVector[{i}]"] = COLUMN[i]
    lines = [">>> Begin of header <<<", *(f"{k}: {v}" for k, v in facts.items())]
    text = "\r\n".join([*lines, ">>> End of header <<<", ""])
    Path("scan.rda").write_bytes(text.encode() + FID.astype("<c16").tobytes())
    return suspect.io.load_rda("scan.rda")


scans = {"RDA": rda(), "IMA": ima(NORMAL, ANGLE)}
for name, scan in scans.items():
    sides = scan.transform[:3, :3]
    lengths = np.linalg.norm(sides, axis=0).round(1)
    turned = np.degrees(np.arctan2(sides[1, 0], -sides[0, 0])).round(1)
    print(f"{name}: sides {lengths.tolist()} mm, row at {turned} degrees, at {scan.position}")
points = np.random.default_rng(0).uniform(-0.5, 0.5, (100_000, 3))
inside = abs(scans["IMA"].from_scanner(scans["RDA"].to_scanner(points))).max(axis=1) < 0.5
print(f"{inside.mean():.0%} of the one voxel lie in the other")
if not np.allclose(scans["RDA"].transform[:3, :2], np.stack([ROW * READ, COLUMN * PHASE], 1)):
    sys.exit("The RDA file no longer gives the voxel that it states.")
if not np.allclose(scans["IMA"].voxel_size, [PHASE, READ, THICK]) or inside.mean() > 0.75:
    sys.exit("suspect has changed: the IMA file gives the voxel of the scan.")
sagittal = ima(np.array([1.0, 0.0, 0.0]), 0.0)
print("planned as a sagittal slice: volume", sagittal.voxel_volume())
if not np.isnan(sagittal.voxel_volume()):
    sys.exit("suspect has changed: a sagittal voxel has a volume.")
PYTHON
