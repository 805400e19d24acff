#!/usr/bin/env bash
# spec2nii 0.8.15: of CMRR's sLASER in DICOM, a water transient lands among the metabolites.
# Guess: with two references before and two after the averages (program svs_slaser_dkd2, reference
#   mode 2), spec2nii dicom puts the four into one file and the averages into the other, as
#   spec2nii twix does with the raw data of the scan.
# Found: instance numbers, which count from one, are compared as if they counted from zero. The
#   second water transient comes first among the averages, and the last average is one of the
#   references.
# Matters: the mean of 64 suppressed transients holds 1/64 of the whole water signal, far more than
#   any line of a metabolite, and the water reference is a quarter too weak, so every amount is a
#   third too high.
# Right: the order in which the sequence measures (its twix reader: the first two and the last two);
#   instance numbers of a Siemens series begin at 1.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1, nibabel 5.4.2, pydicom 3.0.1, numpy 2.4.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 nibabel==5.4.2 pydicom==3.0.1 numpy==2.4.6
cd "$work"
cat > write.py <<'PYTHON'
import struct

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset


def block(facts):
    """Return a header block of the maker: a name and its texts an entry."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(facts), 77)
    for name, values in facts.items():
        kind = b"UT" if isinstance(values[0], str) else b"FD"
        out += struct.pack("<64si4siii", name.encode(), len(values), kind, 0, 6, 77)
        for value in [*values, *[None] * (6 - len(values))]:
            text = b"" if value is None else str(value).encode() + b"\0"
            out += struct.pack("<4I", len(text), len(text), 77, len(text))
            out += text + bytes(-len(text) % 4)
    return out


def write(path, fid, lines, number=1):
    """Write one transient as a spectroscopy object of VE; `lines` are those of the protocol."""
    facts = {
        "EchoTime": [lines["alTE[0]"] / 1000], "RepetitionTime": [2000.0],
        "ImagingFrequency": [123.2], "ImagedNucleus": ["1H"], "RealDwellTime": [250000],
        "DataPointColumns": [fid.size], "Rows": [1], "Columns": [1], "NumberOfFrames": [1],
        "VoiPosition": [0.0, 30.0, 0.0], "VoiReadoutFoV": [30.0], "VoiPhaseFoV": [20.0],
        "VoiThickness": [8.0], "ImageOrientationPatient": [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "FlipAngle": [90.0], "SequenceName": ["*svs"], "TransmittingCoil": ["Body"],
        "ReceivingCoil": ["Spine"], "InversionTime": [0.0],
    }
    protocol = "\n".join(f"{k} = {v}" for k, v in lines.items())
    protocol = f"### ASCCONV BEGIN ###\n{protocol}\n### ASCCONV END ###\n"
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = "1.3.12.2.1107.5.9.1"
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = f"2.25.{number}"
    file.Modality, file.Manufacturer, file.PatientName = "MR", "SIEMENS", "x"
    file.SeriesNumber, file.InstanceNumber, file.ProtocolName = 1, number, "svs"
    file.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
    file.add_new((0x0029, 0x1010), "OB", block(facts))
    file.add_new((0x0029, 0x1020), "OB", block({"MrPhoenixProtocol": [protocol]}))
    file.add_new((0x7FE1, 0x0010), "LO", "SIEMENS CSA NON-IMAGE")
    file.add_new((0x7FE1, 0x1010), "OB", fid.astype("<c8").tobytes())
    file.save_as(path, enforce_file_format=True)
PYTHON
env/bin/python - <<'PYTHON'
from pathlib import Path

import numpy as np
from write import write

LINES = {
    "tSequenceFileName": '"%CustomerSeq%\\svs_slaser_dkd2"', "lAverages": 8,
    "sSpecPara.lAutoRefScanMode": 2, "sSpecPara.lAutoRefScanNo": 2,
    "alTE[0]": 8000, "alTE[1]": 12000, "alTE[2]": 10000,
}
Path("scan").mkdir()
for number in range(1, 13):
    size = 1000.0 if number in (1, 2, 11, 12) else 1.0
    fid = size * np.exp(-np.arange(512) / 100) * np.exp(0.01j * number)
    write(f"scan/{number:02}.IMA", fid, LINES, number)
PYTHON
env/bin/spec2nii dicom -f scan -o out scan > log.txt 2>&1 || { cat log.txt && exit 1; }
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from nifti_mrs.nifti_mrs import NIFTI_MRS

found = {}
for name in ("scan_vapor_ovs_rfoff", "scan"):
    first = NIFTI_MRS(f"out/{name}.nii.gz")[:][0, 0, 0, 0]
    numbers = np.round(abs(np.angle(first)) * 100).astype(int)
    found[name] = (numbers.tolist(), np.round(abs(first)).astype(int).tolist())
    print(f"{name}: instances {found[name][0]}\n  strength {found[name][1]}")
    print(f"  mean strength {abs(first).mean():.1f}")
if found["scan"][0] == [*range(3, 11)] and found["scan_vapor_ovs_rfoff"][0] == [1, 2, 11, 12]:
    sys.exit("spec2nii has changed: references and averages are told apart.")
if found["scan"][0][0] != 2 or found["scan_vapor_ovs_rfoff"][0] != [1, 10, 11, 12]:
    sys.exit("spec2nii has changed: it takes other transients for references.")
PYTHON
