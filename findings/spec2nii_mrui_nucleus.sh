#!/usr/bin/env bash
# spec2nii 0.8.15: sodium and carbon in a jMRUI text file become deuterium, fluorine a proton.
# Guess: where the file says no nucleus (TypeOfNucleus 0), it is the one whose Larmor frequency fits
#   TransmitterFrequency and MagneticField, or none: 33.78 MHz at 3 T are 11.26 MHz/T, sodium.
# Found: the first of a list is taken that is within 5 MHz/T, and the list begins 1H (42.6), 2H
#   (6.5): 23Na (11.3) and 13C (10.7) are "2H", 129Xe (11.8) is "13C", 19F (40.1) is "1H". Each
#   passes the validator, without a word; the field strength that nifti-mrs computes from the result
#   is 5.2 T for sodium at 3 T.
# Matters: sodium is what one measures of a disc's proteoglycan beside its N-acetyl line. Named 2H
#   its spectrum is put on the ppm scale of deuterium, with water at 4.8, and a tool that takes one
#   nucleus and refuses others takes and refuses the wrong ones: 19F passes as 1H.
# Right: the ratio of the two numbers in the file, against the gyromagnetic ratios in its own table;
#   31P comes out right.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from nifti_mrs.validator import validate_nifti_mrs

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.jmrui import gyro_ratios, jmrui_format, nuclei

N, FIELD = 256, 3.0
decay = np.exp(-20 * np.arange(N) * 5e-4)
samples = "".join(f"{value:.6E}\t{value / 3:.6E}\n" for value in decay)
ratios = dict(zip(nuclei, np.abs(gyro_ratios))) | {"19F": 40.078}


def converted(ratio):
    """Convert a jMRUI text file at 3 T that leaves its nucleus open."""
    header = {
        "PointsInDataset": N, "DatasetsInFile": 1, "SamplingInterval": "5E-1",
        "ZeroOrderPhase": "0E0", "BeginTime": "0E0",
        "TransmitterFrequency": f"{ratio * FIELD * 1e6:.6E}", "MagneticField": "3E0",
        "TypeOfNucleus": "0E0",
    }
    lines = [f"{key}: {value}" for key, value in header.items()]
    text = ["jMRUI Data Textfile", "", "Filename: a.txt", "", *lines, "", "Signal and FFT"]
    text += ["sig(real)\tsig(imag)", "Signal 1 out of 1 in file"]
    Path("a.txt").write_text("\n".join(text) + "\n" + samples)
    asked = {"affine": None, "fileout": None}
    return jmrui_format(SimpleNamespace(file=Path("a.txt"), **asked))[0][0]


found = {}
for nucleus in ("1H", "31P", "23NA", "13C", "129XE", "19F"):
    mrs = converted(ratios[nucleus])
    validate_nifti_mrs(mrs)
    found[nucleus] = mrs.nucleus[0]
    print(f"{nucleus} at 3 T, {mrs.spectrometer_frequency[0]:.2f} MHz:", end=" ")
    print(f"nucleus {mrs.nucleus[0]}, field {mrs.field_strength:.2f} T")
expected = {"1H": "1H", "31P": "31P", "23NA": "2H", "13C": "2H", "129XE": "13C", "19F": "1H"}
if found != expected:
    sys.exit("spec2nii has changed: the nucleus of a jMRUI text file is another one.")
print("Four of six are another nucleus.")
PYTHON
