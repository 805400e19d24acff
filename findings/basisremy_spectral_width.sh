#!/usr/bin/env bash
# basisremy 0.2.3: the basis set for a Siemens RDA file (or a DICOM file of VA to VE) is made for
# twice the spectral width of the scan.
# Guess: the parameters that it fills in "from file" are those of the samples in the file: 1024
#   points of 500 us are 2000 Hz, as a SPAR file of 1024 points at 2000 Hz is.
# Found: 4000 Hz, at 1024 samples. "Assuming oversampled by a factor of 2" halves a dwell time that
#   the scanner has already written for the samples of the file, whose oversampling is gone; the
#   number of points is not doubled with it. With SPAR it is 2000 Hz. Nothing is shown but the
#   number.
# Matters: a metabolite set for the discs of one protocol is simulated once and used for years. At
#   twice the width it ends after half the time of the scan; used point by point each line stands at
#   half its distance from the carrier, N-acetyl at 3.3 ppm in place of 2.0.
# Right: the file itself: VectorSize points follow the header, whose DwellTime (in us) is theirs;
#   spec2nii 0.8.7, which it installs to read other formats, reads 2000 Hz.
# Versions: basisremy 0.2.3 (--no-deps: its engines and windows are not needed to read), spec2nii
#   0.8.7, numpy 2.3.3, pandas 2.3.3, scipy 1.17.1, matplotlib 3.10.7.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.7 numpy==2.3.3 pandas==2.3.3 scipy==1.17.1 matplotlib==3.10.7
"$work/env/bin/pip" install -q --disable-pip-version-check --no-deps basisremy==0.2.3
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from pathlib import Path

import numpy as np
from basisremy.core.basisremy import BasisREMY

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Siemens.rda import convert_rda

N = 1024
rda = {
    "TR": 2000.0, "TE": 30.0, "TM": 0.0, "TI": 0.0, "DwellTime": 500, "MRFrequency": 127.7,
    "Nucleus": "1H", "FlipAngle": 90.0, "VectorSize": N, "ModelName": "M", "DeviceSerialNumber": 1,
    "SoftwareVersion[0]": "E11", "InstitutionName": "x", "TransmitCoil": "Body",
    "SequenceName": "svs_se", "NumberOfAverages": 64, "PixelSpacingRow": 18.0,
    "PixelSpacingCol": 30.0, "SliceThickness": 8.0,
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
    "echo_time": 30, "repetition_time": 2000, "averages": 64, "nucleus": "1H", "scan_id": "press",
}
Path("disc.spar").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))

found = {}
for path in ("disc.rda", "disc.spar"):
    with contextlib.redirect_stdout(io.StringIO()):
        made = BasisREMY()
        filled = made.backend.parseREMY(made.runREMY(str(Path(path).resolve())))[0]
    found[path] = float(filled["Bandwidth"]), int(float(filled["Samples"]))
    print(f"{path}: the basis will have {found[path][0]:.0f} Hz and {found[path][1]} points")
mrs = convert_rda(Path("disc.rda"), None, False)[0][0]
print(f"disc.rda, spec2nii: {1 / mrs.dwelltime:.0f} Hz and {mrs.shape[3]} points")
if found["disc.spar"] != (2000.0, N) or round(1 / mrs.dwelltime) != 2000:
    sys.exit("The scan is no longer read as 2000 Hz by the other routes.")
if found["disc.rda"] != (4000.0, N):
    sys.exit("basisremy has changed: the spectral width of an RDA file is that of its samples.")
print("Both files hold 1024 samples, one every 500 us.")
PYTHON
