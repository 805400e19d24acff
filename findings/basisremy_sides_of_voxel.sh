#!/usr/bin/env bash
# basisremy 0.2.3: its table for the MRSinMRS report gives the sides of a Siemens voxel to the wrong
# directions of the patient, and the echo time of NIfTI-MRS in seconds beside the others' in ms.
# Guess: "AP Size", "LR Size" and "CC Size" of the table are the sides along the patient's axes, as
#   RowVector and ColumnVector of the RDA file lay them; one scan has one TE, whatever its format.
# Found: AP is always the phase side, LR the thickness and CC the readout side, whichever way the
#   slab lies. A disc voxel 30 mm wide, 18 deep and 8 high is reported as 8 wide and 30 high. From a
#   SPAR file of such a voxel the sides are right. TE is 144 from RDA and SPAR and 0.144 from the
#   NIfTI-MRS header of the same scan, under one heading without a unit.
# Matters: the table is what goes into the paper (Minimum Reporting Standards for in vivo MRS, Lin
#   et al. 2021). A voxel 30 mm high would hold a disc and both vertebrae; whoever repeats the study
#   plans that.
# Right: the vectors of the file: readout along RowVector, which is left-right here, phase along
#   ColumnVector; spec2nii 0.8.7, which it installs to read other formats, has 30 mm along x.
# Versions: basisremy 0.2.3 (--no-deps: its engines and windows are not needed for the table),
#   spec2nii 0.8.7, numpy 2.3.3, pandas 2.3.3, scipy 1.17.1, matplotlib 3.10.7.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.7 numpy==2.3.3 pandas==2.3.3 scipy==1.17.1 matplotlib==3.10.7
"$work/env/bin/pip" install -q --disable-pip-version-check --no-deps basisremy==0.2.3
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, json, sys
from pathlib import Path

import numpy as np
from basisremy.remy.MRSinMRS import DataReaders, Table

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Siemens.rda import convert_rda

N = 1024
WIDE, DEEP, HIGH = 30.0, 18.0, 8.0  # left-right, front-back, head-foot
rda = {
    "PatientName": "x", "TR": 2000.0, "TE": 144.0, "TM": 0.0, "TI": 0.0, "DwellTime": 500,
    "MRFrequency": 127.7, "Nucleus": "1H", "FlipAngle": 90.0, "VectorSize": N, "ModelName": "M",
    "DeviceSerialNumber": 1, "SoftwareVersion[0]": "E11", "InstitutionName": "x",
    "TransmitCoil": "Body", "SequenceName": "svs_se", "ProtocolName": "L45",
    "NumberOfAverages": 64, "VOIPositionSag": 0.0, "VOIPositionCor": 0.0, "VOIPositionTra": 0.0,
    "VOIThickness": HIGH, "VOIPhaseFOV": DEEP, "VOIReadoutFOV": WIDE, "VOINormalSag": 0.0,
    "VOINormalCor": 0.0, "VOINormalTra": 1.0, "PixelSpacingRow": DEEP, "PixelSpacingCol": WIDE,
    "PixelSpacing3D": HIGH, "SliceThickness": HIGH,
}
for axis in range(3):
    rda[f"CSIMatrixSize[{axis}]"] = 1
    rda[f"PositionVector[{axis}]"] = 0.0
    rda[f"RowVector[{axis}]"] = float(axis == 0)
    rda[f"ColumnVector[{axis}]"] = float(axis == 1)
lines = [">>> Begin of header <<<", *(f"{key}: {value}" for key, value in rda.items())]
header = "\r\n".join([*lines, ">>> End of header <<<", ""]).encode()
Path("disc.rda").write_bytes(header + np.ones(2 * N, "<f8").tobytes())
spar = {
    "samples": N, "rows": 1, "synthesizer_frequency": 127700000, "sample_frequency": 2000,
    "echo_time": 144, "repetition_time": 2000, "averages": 64, "nucleus": "1H", "scan_id": "L45",
    "lr_size": WIDE, "ap_size": DEEP, "cc_size": HIGH,
}
Path("disc.spar").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))
mrs = convert_rda(Path("disc.rda"), None, False)[0][0]
Path("disc.json").write_text(json.dumps(mrs.hdr_ext.to_dict()))

found = {}
with contextlib.redirect_stdout(io.StringIO()):
    read = DataReaders()
    for maker, kind, reader in (
        ("siemens", "rda", read.siemens_rda), ("philips", "spar", read.philips_spar),
        ("nifti", "json", read.nifti_json),
    ):
        table = Table()
        facts = table.table_clean(maker, kind, reader(f"disc.{kind}", None)[0])
        table.populate(maker, kind, facts)
        rows = table.MRSinMRS_Table.set_index("Generic")["Values"]
        found[kind] = {name: rows[name] for name in ("LeftRightSize", "AnteriorPosteriorSize",
                                                     "CranioCaudalSize", "TE")}
for kind, values in found.items():
    print(f"disc.{kind}:", {name: str(value) for name, value in values.items()})
sides = np.linalg.norm(mrs.getAffine("voxel", "world")[:3, :3], axis=1)
print(f"disc.rda, spec2nii: {sides.round(1)} mm along left-right, front-back, head-foot")


def numbers(kind):
    return [float(value) for value in list(found[kind].values())[:3]]


if numbers("spar") != [WIDE, DEEP, HIGH] or not np.allclose(sides, [WIDE, DEEP, HIGH]):
    sys.exit("The voxel is no longer read as 30 by 18 by 8 by the other routes.")
if numbers("rda") != [HIGH, DEEP, WIDE]:
    sys.exit("basisremy has changed: the sides of an RDA voxel are those of the patient's axes.")
times = [float(found[kind]["TE"]) for kind in ("rda", "spar", "json")]
if not np.allclose(times, [144, 144, 0.144]):
    sys.exit("basisremy has changed: the echo times of its table are in one unit.")
print("8 mm wide and 30 mm high, where it is 30 wide and 8 high.")
PYTHON
