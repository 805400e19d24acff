#!/usr/bin/env bash
# lcmodel-wrapper 0.5.1: the signals of one jMRUI text file become a single FID.
# Guess: a file that says DatasetsInFile: 3 and PointsInDataset: 512 is three FIDs of 512 points, as
#   it is for tarquin-wrapper 0.1.1 by the same author.
# Found: one FID of 1536 points, the second signal following the first in time; nothing is raised.
#   The number of points of the fit is taken from the data, so LCModel gets the long FID. The begin
#   time of the header is kept by neither.
# Matters: jMRUI holds the five levels of a spine, or a series, in one file. One fit of five discs
#   in a row is handed back as the result of one spectrum.
# Right: the jMRUI header itself (DatasetsInFile, PointsInDataset, "Signal 1 out of 3"); jMRUI keeps
#   BeginTime in ms.
# Versions: lcmodel-wrapper 0.5.1, tarquin-wrapper 0.1.1 (neither needs its executable here).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  lcmodel-wrapper==0.5.1 tarquin-wrapper==0.1.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import lcmodel_wrapper.io, tarquin_wrapper.io

N, SIGNALS = 512, 3
time = np.arange(N) * 5e-4
fid = np.exp(2j * np.pi * 337 * time - 30 * time)
lines = [
    "jMRUI Data Textfile", "", "Filename: discs.txt", "", f"PointsInDataset: {N}",
    f"DatasetsInFile: {SIGNALS}", "SamplingInterval: 5E-1", "ZeroOrderPhase: 0E0",
    "BeginTime: 1.5E0", "TransmitterFrequency: 1.277E8", "MagneticField: 3E0",
    "TypeOfNucleus: 0E0", "NameOfPatient: x", "DateOfExperiment: ", "Spectrometer: ",
    "AdditionalInfo: ", "SignalNames: L3-L4;L4-L5;L5-S1;", "", "", "Signal and FFT",
    "sig(real)\tsig(imag)\tfft(real)\tfft(imag)",
]
for number in range(1, SIGNALS + 1):
    lines.append(f"Signal {number} out of {SIGNALS} in file")
    spectrum = np.fft.fftshift(np.fft.fft(fid))
    for a, b in zip(number * fid, number * spectrum):
        lines.append(f"{a.real:.6E}\t{a.imag:.6E}\t{b.real:.6E}\t{b.imag:.6E}")
Path("discs.txt").write_text("\n".join(lines) + "\n")

shapes = {}
for module in (lcmodel_wrapper.io, tarquin_wrapper.io):
    signals = module.load_signals("discs.txt")
    shapes[module.__name__.split(".")[0]] = signals.fids.shape
    print(module.__name__, signals.fids.shape, f"{signals.dwell} s, {signals.central_freq} MHz")
    first = abs(signals.fids).ravel()[::N].round(2).tolist()
    print("  first samples of the three signals:", first)
if shapes != {"lcmodel_wrapper": (1, SIGNALS * N), "tarquin_wrapper": (SIGNALS, N)}:
    sys.exit("One of the two has changed: no longer one long FID against three.")
PYTHON
