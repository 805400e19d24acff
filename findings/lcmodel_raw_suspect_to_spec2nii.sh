#!/usr/bin/env bash
# suspect 0.6.2 writes LCModel RAW, spec2nii 0.8.15 reads it: mirrored, a million times the
# frequency, and without an echo time.
# Guess: a RAW file is a hand-over: the line at 2.0 ppm of the writer is at 2.0 in the NIfTI-MRS
#   file, at 127.7 MHz, and ECHOT becomes EchoTime.
# Found: the line is at 7.3 ppm (the samples are conjugated once too often), SpectrometerFrequency
#   is 127700000 (HZPPPM taken for hertz) and passes the validator, ECHOT is parsed and dropped. The
#   spectra that suspect and spec2nii read from one and the same SDAT file agree.
# Matters: RAW is the form in which users of LCModel keep and hand on spectra; the N-acetyl line
#   of a disc arrives where nothing is looked for.
# Right: LCModel manual: HZPPPM is "hertz per ppm", that is MHz, and ECHOT the echo time in ms;
#   NIfTI-MRS: SpectrometerFrequency in MHz.
# Versions: suspect 0.6.2, spec2nii 0.8.15, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import suspect
from nifti_mrs.validator import validate_nifti_mrs

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.other_formats import lcm_raw
    from spec2nii.Philips.philips import read_sdat_spar_pair

N, DWELL, MHZ = 1024, 5e-4, 127.7


def vax(values):
    """VAX F floats: four times the value in IEEE form, its two 16-bit words swapped."""
    words = (4 * np.asarray(values, "<f4")).view("<u2").reshape(-1, 2)
    return np.ascontiguousarray(words[:, ::-1]).tobytes()


def spec2nii_ppm(image):
    hertz = np.fft.fftfreq(N, DWELL)[np.argmax(abs(np.fft.fft(image[:].ravel())))]
    return 4.65 + hertz / MHZ


time = np.arange(N) * DWELL
stored = np.exp(2j * np.pi * (2.01 - 4.65) * MHZ * time - 12 * time)
Path("a.SDAT").write_bytes(vax(np.stack([stored.real, stored.imag], -1).ravel()))
spar = {
    "examination_name": "disc", "scan_id": "press", "patient_name": "x", "samples": N, "rows": 1,
    "synthesizer_frequency": 127700000, "offset_frequency": 0, "sample_frequency": 2000,
    "echo_time": 144, "repetition_time": 2000, "averages": 64, "spectrum_inversion_time": 0,
    "nucleus": "1H", "patient_position": "head_first", "patient_orientation": "supine",
    "volume_selection_enable": "yes", "ap_size": 30, "lr_size": 18, "cc_size": 8,
    "ap_off_center": 0, "lr_off_center": 0, "cc_off_center": 0,
    "ap_angulation": 0, "lr_angulation": 0, "cc_angulation": 0,
}
Path("a.SPAR").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))

direct = read_sdat_spar_pair(Path("a.SDAT"), Path("a.SPAR"), tags=[None] * 3)[0][0]
data = suspect.io.load_sdat("a.SDAT")
peak = np.argmax(abs(np.asarray(data.spectrum())))
in_suspect = data.frequency_axis_ppm()[peak] - data.ppm0 + 4.65
suspect.io.lcmodel.save_raw("a.RAW", data)
asked = {"imagingfreq": None, "bandwidth": 1 / DWELL, "affine": None, "fileout": None}
handed = lcm_raw(SimpleNamespace(file="a.RAW", nucleus="1H", **asked))[0][0]
validate_nifti_mrs(handed)
print(f"SDAT in spec2nii: line at {spec2nii_ppm(direct):.2f} ppm; in suspect: {in_suspect:.2f} ppm")
print("RAW as suspect wrote it:", " ".join(Path("a.RAW").read_text().split()[:9]))
frequency = handed.spectrometer_frequency[0]
print(f"RAW in spec2nii: line at {spec2nii_ppm(handed):.2f} ppm, valid with {frequency:.0f} MHz,")
print(f"  EchoTime present: {'EchoTime' in handed.hdr_ext}")
mirrored = abs(spec2nii_ppm(handed) - 7.29) < 0.02 and abs(spec2nii_ppm(direct) - in_suspect) < 0.01
if not (mirrored and round(frequency) == 127700000 and "EchoTime" not in handed.hdr_ext):
    sys.exit("The hand-over has changed: sign, frequency or echo time of the RAW file are other.")
print("One hand-over, three losses.")
PYTHON
