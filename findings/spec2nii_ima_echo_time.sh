#!/usr/bin/env bash
# spec2nii 0.8.15: the echo time of a Siemens IMA file is the sum of a list, 4.2 s for 20 ms.
# Guess: EchoTime is that of the scan, as it stands in the file's own header and as spec2nii twix
#   reads it from the raw data.
# Found: all entries of the protocol's list alTE are added up, right for one program that splits
#   its echo time in three. Sequences leave unused entries filled: CMRR's eja_svs_slaser has 31 of
#   135 ms after the one that counts (lContrasts is 1), so 19.96 ms become 4.20496 s.
# Matters: corrected for T2, amounts become zero or infinite: exp(TE/T2) for 200 ms is 1.1 by the
#   true echo time and a thousand million by this one. Without a correction, the basis is
#   looked for at another echo time. Seen in public scans of the spinal cord (PASTIS).
# Right: the file's own EchoTime; lContrasts; the twix file of the scan, alTE[0].
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
import numpy as np
from write import write

FID = np.exp(-np.arange(512) / 100)
lines = {"tSequenceFileName": '"%CustomerSeq%\\eja_svs_slaser"', "lContrasts": 1, "alTE[0]": 19960}
write("one.IMA", FID, lines)
write("filled.IMA", FID, lines | {f"alTE[{i}]": 135000 for i in range(1, 32)})
PYTHON
for name in one filled; do
  env/bin/spec2nii dicom -f $name -o out $name.IMA > log.txt 2>&1 || { cat log.txt && exit 1; }
done
env/bin/python -W ignore - <<'PYTHON'
import math
import sys

from nibabel.nicom.csareader import get_csa_header
from nifti_mrs.nifti_mrs import NIFTI_MRS
from pydicom import dcmread

said = {}
for name in ("one", "filled"):
    own = get_csa_header(dcmread(f"{name}.IMA"))["tags"]["EchoTime"]["items"][0]
    said[name] = NIFTI_MRS(f"out/{name}.nii.gz").hdr_ext["EchoTime"]
    print(f"unused entries {name}: header {own} ms, EchoTime {said[name]:.5f} s,", end=" ")
    print(f"factor for a T2 of 200 ms {math.exp(said[name] / 0.2):.3g}")
if abs(said["one"] - 0.01996) > 1e-9:
    sys.exit("spec2nii has changed: an echo time alone is read as another one.")
if abs(said["filled"] - 4.20496) > 1e-9:
    sys.exit("spec2nii has changed: unused entries no longer count.")
PYTHON
