#!/usr/bin/env bash
# brukerapi 0.4.6: dwell_s of a spectroscopy scan is half the time between its samples.
# Guess: data[:, k] are the complex samples of a FID and dwell_s the seconds from one to the next;
#   fftfreq(len(data), dwell_s) is the frequency axis, as wide as sw_hz.
# Found: the data are complex, one sample every 1/sw_hz, but dwell_s is 1/(2 sw_hz), the interval of
#   the single receiver readings of sequential sampling. On that axis a line at -1060 Hz is at
#   -2120, N-acetyl at -0.65 ppm in place of 2.0, and every line is twice as wide. TE and TR are in
#   ms beside it.
# Matters: the one property of the library that names a time per sample is the first to be used. A
#   T2* from a disc's water line comes out at half, and PG is looked for where nothing can be.
# Right: the interval of complex samples is one over the spectral width (ParaVision's SW_h, in Hz);
#   its own sw_hz; spec2nii 0.8.15, which reads through it, replaces the rule by 1/sw_hz.
# Versions: brukerapi 0.4.6, numpy 2.4.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  brukerapi==0.4.6 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from brukerapi.dataset import Dataset

N, WIDTH, MHZ = 2048, 4000.0, 400.0
time = np.arange(N) / WIDTH
fid = 1e5 * np.exp(-2j * np.pi * 1060 * time - 30 * time)
scan = Path("study") / "1"
scan.mkdir(parents=True)
(scan / "fid").write_bytes(np.stack([fid.real, fid.imag], -1).round().astype("<i4").tobytes())
files = {
    "method": {
        "Method": "<Bruker:PRESS>", "PVM_EchoTime": 20, "PVM_RepetitionTime": 2000,
        "PVM_NAverages": 1, "PVM_NRepetitions": 1, "PVM_SpecMatrix": f"( 1 )\n{N}",
        "PVM_SpecSWH": f"( 1 )\n{WIDTH}", "PVM_EncNReceivers": 1, "PVM_DigShift": 0,
        "PVM_Nucleus1": "( 8 )\n<1H>", "PVM_VoxArrSize": "( 1, 3 )\n30 20 8",
        "PVM_VoxArrPosition": "( 1, 3 )\n0 0 0",
        "PVM_VoxArrGradOrient": "( 1, 3, 3 )\n1 0 0 0 1 0 0 0 1",
    },
    "acqp": {
        "ACQ_sw_version": "( 65 )\n<PV 6.0.1>", "ACQ_dim": 1, "NI": 1, "NR": 1, "NA": 1,
        "ACQ_size": f"( 1 )\n{2 * N}", "BYTORDA": "little",
        "ACQ_word_size": "_32_BIT", "GO_raw_data_format": "GO_32BIT_SGN_INT", "SW_h": WIDTH,
        "GO_block_size": "Standard_KBlock_Format", "NUCLEUS": "( 8 )\n<1H>",
        "ACQ_experiment_mode": "SingleExperiment", "PULPROG": "( 64 )\n<PRESS.ppg>",
        "BF1": MHZ, "SFO1": MHZ, "ACQ_phase_factor": 1, "ACQ_method": "( 40 )\n<Bruker:PRESS>",
    },
}
for name, entries in files.items():
    text = "##TITLE=Parameter List, ParaVision 6.0.1\n##JCAMPDX=4.24\n"
    body = "".join(f"##${key}={value}\n" for key, value in entries.items())
    (scan / name).write_text(text + body + "##END=\n")

data = Dataset(scan / "fid")
samples = data.data.reshape(-1)
print(f"{samples.size} samples, {samples.dtype}, sw_hz {data.sw_hz}, dwell_s {data.dwell_s}")
peak = np.argmax(abs(np.fft.fft(samples)))
places = [np.fft.fftfreq(N, step)[peak] for step in (data.dwell_s, 1 / data.sw_hz)]
print(f"the line at -1060 Hz: {places[0]:.0f} by dwell_s, {places[1]:.0f} by sw_hz")
if samples.size != N or not np.allclose(samples, fid, atol=1):
    sys.exit("The samples are no longer those of the file.")
if data.dwell_s != 0.5 / WIDTH or round(places[1]) != -1061:
    sys.exit("brukerapi has changed: dwell_s is the interval of the samples.")
print(f"N-acetyl: {4.65 + places[0] / MHZ:.2f} ppm in place of {4.65 + places[1] / MHZ:.2f}.")
PYTHON
