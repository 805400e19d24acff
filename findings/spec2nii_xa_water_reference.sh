#!/usr/bin/env bash
# spec2nii 0.8.15: the water reference of an XA twix file is marked as water suppressed.
# Guess: of a scan of Siemens' own svs_se on XA, whose first reference transient has no water
#   suppression, spec2nii twix makes two files; the one called _ref says "WaterSuppressed": false,
#   as the references of its GE and UIH readers do.
# Found: the reference says true, and the suppressed data say nothing. The inversion time, which
#   these headers hold in microseconds, is written as seconds: 900 ms become 900,000 s.
# Matters: a pipeline that looks for the scan with WaterSuppressed false finds no reference, so no
#   amounts; one that takes the scan with true for the metabolites fits the water signal, a
#   thousand times as strong, for PG and lactate.
# Right: NIfTI-MRS: WaterSuppressed is true for data with suppression and false for data without,
#   InversionTime is in seconds; the suffix _ref that it gives the file itself.
# Versions: spec2nii 0.8.15, pymapvbvd 0.7.0, nifti-mrs 1.4.1, numpy 2.4.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 pymapvbvd==0.7.0 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
cat > write.py <<'PYTHON'
import struct

import numpy as np

TIME = np.arange(1024) * 2.5e-4
AVERAGE, PHASE = 1, 5  # places of two loop counters


def texts(kind, facts):
    marks = {"String": '"{}"', "Long": "{}", "Double": "<Precision> 16  {}"}[kind]
    return "".join(f'<Param{kind}."{k}">  {{ {marks.format(v)}  }}\n' for k, v in facts.items())


dicom = {
    "SoftwareVersions": "syngo MR XA30", "Manufacturer": "Siemens Healthineers",
    "ManufacturersModelName": "Vida", "DeviceSerialNumber": "x", "InstitutionName": "x",
    "InstitutionAddress": "x", "tProtocolName": "svs",
}
meas = {
    "tSequenceString": "svs_se", "tSequenceFileName": "svs_se", "tICEProgramName": "x",
    "tPatientPosition": "HFS", "tPatientName": "x", "PatientBirthDay": "x",
}
whole = {f"lFinalMatrixSize{k}": 1 for k in ("Phase", "Read", "Slice")} | {"PatientSex": 2}
weight = {"flUsedPatientWeight": 70}
lines = {
    "sTXSPEC.asNucleusInfo[0].tNucleus": '"1H"', "alTE[0]": 30000, "alTR[0]": 2000000,
    "alTI[0]": 900000, "adFlipAngleDegree[0]": 90, "sRXSPEC.alDwellTime[0]": 250000,
    "sSpecPara.sVoI.sNormal.dTra": 1, "sSpecPara.sVoI.dReadoutFOV": 30,
    "sSpecPara.sVoI.dPhaseFOV": 20, "sSpecPara.sVoI.dThickness": 8,
}
yaps = "\n".join(f"{k} = {v}" for k, v in lines.items())
yaps = f"### ASCCONV BEGIN ###\n{yaps}\n### ASCCONV END ###\n"
blocks = {
    "Config": texts("String", {"SequenceFileName": "x"}),
    "Dicom": texts("String", dicom) + texts("Long", {"lFrequency": 123200000}),
    "Meas": texts("String", meas) + texts("Long", whole) + texts("Double", weight),
    "MeasYaps": yaps,
    "Phoenix": yaps,
}
body = b"".join(
    n.encode() + b"\0" + struct.pack("<I", len(t)) + t.encode() for n, t in blocks.items()
)
size = -(-(8 + len(body)) // 32) * 32
scan = (struct.pack("<II", size, len(blocks)) + body).ljust(size, b"\0")


def record(number, samples, counters, ends=0):
    loops = [counters.get(k, 0) for k in range(14)]
    channels, n = samples.shape
    length = 192 + channels * (32 + 8 * n)
    start = struct.pack(
        "<5I20x2I2H14H", length, 1, number, 0, 0, ends, 0, n, channels, *loops
    )
    return start.ljust(192, b"\0") + b"".join(bytes(32) + c.tobytes() for c in samples)


def fid(amplitude, hertz):
    one = amplitude * np.exp((2j * np.pi * hertz - 20) * TIME)
    return np.stack([one, 0.5j * one]).astype("<c8")


scan += record(1, fid(1000.0, 0.0), {})
for average in range(4):
    scan += record(2 + average, fid(1.0, 327.0), {AVERAGE: average, PHASE: 1})
scan += record(6, np.zeros((1, 16), "<c8"), {}, ends=1)
scan += bytes(-len(scan) % 512)
table = struct.pack("<IIIIQQ", 0, 1, 1, 2, 10240, len(scan)).ljust(10240, b"\0")
with open("scan.dat", "wb") as file:
    file.write(table + scan)
PYTHON
env/bin/python write.py
env/bin/spec2nii twix scan.dat -e image -f scan -o . --quiet > log.txt 2>&1 ||
  { cat log.txt && exit 1; }
env/bin/python -W ignore - <<'PYTHON'
import sys

from nifti_mrs.nifti_mrs import NIFTI_MRS

said = {}
for name in ("scan_ref", "scan"):
    mrs = NIFTI_MRS(f"{name}.nii.gz")
    said[name] = mrs.hdr_ext.to_dict()
    keys = ("WaterSuppressed", "InversionTime")
    facts = {k: said[name].get(k, "not said") for k in keys}
    print(f"{name:8} shape {mrs.shape[3:]}, strongest sample {abs(mrs[:]).max():6.1f}: {facts}")
if said["scan_ref"].get("WaterSuppressed") is not True or "WaterSuppressed" in said["scan"]:
    sys.exit("spec2nii has changed what it says about water suppression.")
if said["scan"]["InversionTime"] != 900_000:
    sys.exit("spec2nii has changed: the inversion time is no longer 900,000 s.")
PYTHON
