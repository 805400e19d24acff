#!/usr/bin/env bash
# spec2nii 0.8.15: the inversion time of a Philips SDAT/SPAR is a thousand times too long.
# Guess: spectrum_inversion_time (ms) becomes InversionTime (s), as echo_time and repetition_time of
#   the same file become seconds.
# Found: 900 ms is written as InversionTime 900.0, beside EchoTime 0.03. The Siemens RDA of the same
#   protocol gives 0.9. The validator of nifti-mrs looks at the type only and lets 900 s pass.
# Matters: an inversion is how lipid or macromolecules are nulled in disc spectra; correction for T1
#   with 900 s is exactly none.
# Right: NIfTI-MRS definitions: InversionTime, "Units: Seconds".
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from pathlib import Path

import numpy as np
from nifti_mrs.validator import validate_nifti_mrs

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Philips.philips import read_sdat_spar_pair
    from spec2nii.Siemens.rda import convert_rda

N = 256
Path("a.SDAT").write_bytes(bytes([0x80, 0x40, 0, 0] * (2 * N)))  # 1.0 in VAX F
spar = {
    "examination_name": "disc", "scan_id": "press", "patient_name": "x", "samples": N, "rows": 1,
    "synthesizer_frequency": 127700000, "offset_frequency": 0, "sample_frequency": 2000,
    "echo_time": 30, "repetition_time": 2000, "averages": 64, "spectrum_inversion_time": 900,
    "nucleus": "1H", "patient_position": "head_first", "patient_orientation": "supine",
    "volume_selection_enable": "no",
}
Path("a.SPAR").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))
rda = {
    "TR": 2000.0, "TE": 30.0, "TM": 0.0, "TI": 900.0, "DwellTime": 500, "MRFrequency": 127.7,
    "Nucleus": "1H", "FlipAngle": 90.0, "VectorSize": N, "ModelName": "M", "DeviceSerialNumber": 1,
    "SoftwareVersion[0]": "E11", "InstitutionName": "x", "TransmitCoil": "Body",
    "PixelSpacingRow": 18.0, "PixelSpacingCol": 30.0, "SliceThickness": 8.0,
}
for axis in range(3):
    rda[f"CSIMatrixSize[{axis}]"] = 1
    rda[f"PositionVector[{axis}]"] = 0.0
    rda[f"RowVector[{axis}]"] = float(axis == 0)
    rda[f"ColumnVector[{axis}]"] = float(axis == 1)
lines = [">>> Begin of header <<<", *(f"{key}: {value}" for key, value in rda.items())]
header = "\r\n".join([*lines, ">>> End of header <<<", ""]).encode()
Path("a.rda").write_bytes(header + np.ones(2 * N, "<f8").tobytes())

philips = read_sdat_spar_pair(Path("a.SDAT"), Path("a.SPAR"), tags=[None] * 3)[0][0]
siemens = convert_rda(Path("a.rda"), None, False)[0][0]
validate_nifti_mrs(philips)
for name, image in (("SPAR", philips), ("RDA ", siemens)):
    print(name, {key: image.hdr_ext[key] for key in ("EchoTime", "InversionTime")})
if (philips.hdr_ext["InversionTime"], siemens.hdr_ext["InversionTime"]) != (900.0, 0.9):
    sys.exit("spec2nii has changed: the SPAR's 900 ms are no longer 900 s.")
print("Both scans inverted 900 ms before the excitation.")
PYTHON
