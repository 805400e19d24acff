#!/usr/bin/env bash
# suspect 0.6.2, spec2nii 0.8.15: they place one twix file's voxel in two ways, by the tilt of the
# disc.
# Guess: one twix file, one voxel: normal, rotation in plane and three sides stand in its header,
#   and both readers know the maker's rule for the direction of the readout.
# Found: suspect turns the readout by the rotation in plane the other way round, and lays it from
#   right to left also where the normal is nearest to front-back, where the maker's readout runs
#   from head to feet. A voxel 30 mm wide and 20 deep on a steep disc (49 degrees) comes out 20 mm
#   wide and 30 deep, on a flat one at the right width; centre and volume always agree.
# Matters: L4-L5 and L5-S1 of one patient, planned alike, get masks of two shapes; the one of the
#   steep disc reaches 5 mm further forward and back than what was measured.
# Right: the row and column vectors that the scanner writes into RDA files of the same protocol
#   (for a rotation w about the normal n: readout = cos w (n x p) + sin w p, phase direction p from
#   front to back for transverse, from right to left for coronal normals); spec2nii.
# Versions: suspect 0.6.2, spec2nii 0.8.15, pymapvbvd 0.7.0, numpy 2.4.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 spec2nii==0.8.15 pymapvbvd==0.7.0 nibabel==5.4.2 numpy==2.4.6
cd "$work"
cat > write.py <<'PYTHON'
import struct
import sys

import numpy as np

SIDES = {"RoFOV": "dReadoutFOV", "PeFOV": "dPhaseFOV", "SliceThickness": "dThickness"}
AXES = ("Sag", "Cor", "Tra")


def texts(kind, facts):
    marks = {"String": '"{}"', "Long": "{}", "Double": "<Precision> 16  {:.16f}"}[kind]
    return "".join(f'<Param{kind}."{k}">  {{ {marks.format(v)}  }}\n' for k, v in facts.items())


def write(path, normal, rotation, sides):
    dicom = {
        "PatientID": "x", "SoftwareVersions": "syngo MR B17", "Manufacturer": "SIEMENS",
        "ManufacturersModelName": "Verio", "DeviceSerialNumber": "1", "InstitutionName": "x",
        "InstitutionAddress": "x", "tProtocolName": "svs",
    }
    told = {
        "PatientName": "x", "tPatientName": "x", "PatientBirthDay": "x",
        "FrameOfReference": "1.2.3", "tSequenceFileName": "svs_se", "tSequenceString": "svs_se",
        "tICEProgramName": "x", "ResonantNucleus": "1H", "PatientPosition": "HFS",
    }
    whole = dict.fromkeys(("Phase", "Read", "Slice"), 1)
    whole = {f"lFinalMatrixSize{k}": v for k, v in whole.items()}
    whole |= {"Frequency": 123200000, "TR": 2000000, "PatientSex": 2}
    place = {f"VoI_Normal_{a}": v for a, v in zip(AXES, normal, strict=True)}
    place |= {f"VoI_Position_{a}": 0.0 for a in AXES} | {"VoI_InPlaneRotAngle": rotation}
    place |= {f"VoI_{k}": v for k, v in zip(SIDES, sides, strict=True)}
    place |= {"FlipAngle": 90.0, "flUsedPatientWeight": 70.0}
    voi = "sSpecPara.sVoI."
    lines = {
        "tProtocolName": '"svs"', "sTXSPEC.asNucleusInfo[0].lFrequency": 123200000,
        "alTE[0]": 30000, "alTR[0]": 2000000, "sRXSPEC.alDwellTime[0]": 250000,
        voi + "dInPlaneRot": rotation,
    }
    lines |= {f"{voi}sNormal.d{a}": v for a, v in zip(AXES, normal, strict=True)}
    lines |= {voi + k: v for k, v in zip(SIDES.values(), sides, strict=True)}
    yaps = "\n".join(f"{k} = {v}" for k, v in lines.items())
    yaps = f"### ASCCONV BEGIN ###\n{yaps}\n### ASCCONV END ###\n"
    blocks = {
        "Config": texts("String", {"SequenceFileName": "x"}),
        "Dicom": texts("String", dicom),
        "Meas": texts("String", told) + texts("Long", whole) + texts("Double", place),
        "MeasYaps": yaps,
        "Phoenix": yaps,
    }
    body = b"".join(
        n.encode() + b"\0" + struct.pack("<I", len(t)) + t.encode() for n, t in blocks.items()
    )
    size = 20480
    out = (struct.pack("<II", size, len(blocks)) + body).ljust(size, b"\0")
    fid = np.exp(-np.arange(512) / 100).astype("<c8")
    for number, ends in ((0, 0), (1, 0), (2, 1)):
        record = struct.pack(
            "<5I2I2H14H", 128 + 8 * fid.size, 1, number, 0, 0, ends, 0, fid.size, 1,
            *[0] * 7, number, *[0] * 6,
        )
        out += record.ljust(128, b"\0") + fid.tobytes()
    with open(path, "wb") as file:
        file.write(out)
PYTHON
env/bin/python -W ignore - 2>errors.txt <<'PYTHON' || { cat errors.txt && exit 1; }
import subprocess
import sys

import nibabel
import numpy as np
import suspect
from write import write

steep = np.radians(49)
discs = {
    "flat disc, turned": ((0.0, 0.0, 1.0), 0.25, (30.0, 20.0, 8.0)),
    "steep disc": ((0.0, np.sin(steep), -np.cos(steep)), 0.0, (20.0, 30.0, 8.0)),
}
shares = {}
for name, (normal, rotation, sides) in discs.items():
    write("scan.dat", normal, rotation, sides)
    command = "env/bin/spec2nii twix scan.dat -e image -f scan -o . --quiet".split()
    subprocess.run(command, check=True, capture_output=True)
    theirs = np.diag([-1, -1, 1, 1]) @ nibabel.load("scan.nii.gz").affine
    scan = suspect.io.load_twix("scan.dat")
    n = np.array(normal)
    phase = np.array([0.0, 1.0, 0.0] if rotation else [1.0, 0.0, 0.0])
    readout = np.cos(rotation) * np.cross(n, phase) + np.sin(rotation) * phase
    print(name)
    for reader, affine in (("spec2nii", theirs), ("suspect", scan.transform)):
        print(f"  {reader:8} readout, mm in L, P, H: {np.round(affine[:3, 0], 1) + 0.0}")
    if not np.allclose(theirs[:3, 0], readout * sides[0], atol=0.01):
        sys.exit("spec2nii has changed: its readout is not that of the maker's rule.")
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (100_000, 3))
    there = scan.from_scanner(points @ theirs[:3, :3].T + theirs[:3, 3])
    shares[name] = (abs(there).max(axis=1) < 0.5).mean()
    print(f"  {shares[name]:.0%} of the one voxel lie in the other")
if max(shares.values()) > 0.9:
    sys.exit("suspect has changed: it places the voxel as spec2nii does.")
PYTHON
