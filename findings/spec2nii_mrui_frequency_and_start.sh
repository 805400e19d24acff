#!/usr/bin/env bash
# spec2nii 0.8.15: the two forms of one jMRUI file come out a million times apart.
# Guess: .txt and .mrui of one signal give the same NIfTI-MRS file, MHz in SpectrometerFrequency,
#   and the begin time of the header is kept as AcquisitionStartTime.
# Found: the text form is brought from Hz to MHz, the binary form is not: 127700000 "MHz", which the
#   validator of nifti-mrs accepts. Both drop the begin time (1.5 ms here).
# Matters: at 1e8 MHz every ppm axis collapses to 4.65; without the start the first-order phase of
#   1.5 ms (180 degrees over 333 Hz, water to N-acetyl at 3 T) is left in the spectrum.
# Right: NIfTI-MRS definitions: SpectrometerFrequency in MHz; AcquisitionStartTime for the first
#   sample's time. jMRUI keeps the frequency in Hz, the begin time in ms.
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
from types import SimpleNamespace

import numpy as np
from nifti_mrs.validator import validate_nifti_mrs

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.jmrui import jmrui_format

N = 512
time = np.arange(N) * 5e-4
signal = np.exp(2j * np.pi * -337 * time - 12 * time)
header = np.zeros(64)  # 512 bytes; type, points, interval, begin, phase, frequency, field, nucleus
header[:8] = [0, N, 0.5, 1.5, 0, 127.7e6, 3.0, 1]
body = np.stack([signal.real, signal.imag], -1)
Path("a.mrui").write_bytes(header.astype(">f8").tobytes() + body.astype(">f8").tobytes() + b"disc")
text = [
    "jMRUI Data Textfile", "", "Filename: a.txt", "", f"PointsInDataset: {N}", "DatasetsInFile: 1",
    "SamplingInterval: 5E-1", "ZeroOrderPhase: 0E0", "BeginTime: 1.5E0",
    "TransmitterFrequency: 1.277E8", "MagneticField: 3E0", "TypeOfNucleus: 1E0", "",
    "Signal and FFT", "sig(real)\tsig(imag)", "Signal 1 out of 1 in file",
]
rows = [f"{real:.6E}\t{imaginary:.6E}" for real, imaginary in body]
Path("a.txt").write_text("\n".join([*text, *rows, ""]))

found = {}
for name in ("a.txt", "a.mrui"):
    image = jmrui_format(SimpleNamespace(file=Path(name), affine=None, fileout=None))[0][0]
    validate_nifti_mrs(image)
    found[name] = image.spectrometer_frequency[0], "AcquisitionStartTime" in image.hdr_ext
    print(f"{name}: valid, {found[name][0]:g} MHz, AcquisitionStartTime present: {found[name][1]}")
if found != {"a.txt": (127.7, False), "a.mrui": (127.7e6, False)}:
    sys.exit("spec2nii has changed: the frequency of .mrui or the begin time is treated otherwise.")
print("One signal, two frequencies, and its start is lost in both.")
PYTHON
