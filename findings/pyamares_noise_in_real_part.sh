#!/usr/bin/env bash
# pyAMARES 0.3.28: simulated noise is in the real part of the FID only.
# Guess: simulate_fid(..., snr_target=20) and add_noise_FID() add what a quadrature receiver adds,
#   independent noise of one size in the real and in the imaginary part.
# Found: the imaginary part stays exact. The noise of the spectrum is then its own mirror image
#   about the carrier (correlation 1 between +f and -f), half of the samples of a fit have no error,
#   and the residual's real part, from which the CRLB takes its variance, holds all of the noise:
#   the stated CRLB of the amplitude is 1.4 times what it is for complex noise of the same fidSNR().
# Matters: who tests a method for discs with it, or sets a limit of CRLB, has noise that no scanner
#   makes: an even one, in which the empty side of the spectrum is no independent witness.
# Right: Cavassila 2001, on which the package's CRLB rests: white, circular complex noise.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  pyAMARES==0.3.28 lmfit==1.3.4 numpy==2.4.6 pandas==2.3.3 matplotlib==3.11.2 nmrglue==0.12
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, logging, sys
from pathlib import Path

import numpy as np

logging.disable(logging.CRITICAL)
quiet = io.StringIO()
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    import pyAMARES
    from pyAMARES.kernel.fid import fidSNR, simulate_fid
    from pyAMARES.kernel.PriorKnowledge import generateparameter

Path("table.csv").write_text(
    "Index,PG\nInitial Values,\namplitude,1\nchemicalshift,2\nlinewidth,10\nphase,0\ng,0\n"
    'Bounds,\namplitude,"(0,"\nchemicalshift,"(1.8,2.2)"\nlinewidth,"(0.5,200)"\n'
    'phase,"(-180,180)"\ng,0\n'
)
n, width, mhz = 2048, 2000.0, 127.7
scan = {"MHz": mhz, "sw": width, "deadtime": 0.0}
np.random.seed(0)
rng = np.random.default_rng(0)


def crlb(fid):
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        made = pyAMARES.initialize_FID(fid, "table.csv", preview=False, **scan)
        options = {"method": "leastsq", "initialize_with_lm": True, "ifplot": False}
        fit = pyAMARES.fitAMARES(made, made.initialParams, **options)
    return float(fit.result_multiplets["CRLB(%)"].iloc[0])


with contextlib.redirect_stdout(quiet):
    line = generateparameter("table.csv", MHz=mhz, g_global=0.0, preview=False)[0]
pure = simulate_fid(line, fid_len=n, snr_target=None, **scan)
noisy = simulate_fid(line, fid_len=n, snr_target=20, **scan)
noise = noisy - pure
print(f"noise: {noise.real.std():.4f} in the real part, {noise.imag.std():.4f} in the imaginary")
spectrum = np.fft.fft(noise)
mirror = float(np.corrcoef(spectrum.real[1:], spectrum.real[:0:-1])[0, 1])
print(f"correlation of its spectrum with its mirror image: {mirror:.3f}")
parts = rng.normal(size=(2, n)) * noise.real.std() / np.sqrt(2)
both = pure + parts[0] + 1j * parts[1]
stated = crlb(noisy), crlb(both)
print(f"fidSNR {fidSNR(noisy):.0f}, CRLB {stated[0]:.2f} %; complex noise:", end=" ")
print(f"fidSNR {fidSNR(both):.0f}, CRLB {stated[1]:.2f} %")
if noise.imag.any() or mirror < 0.999 or not 1.3 < stated[0] / stated[1] < 1.5:
    sys.exit("pyAMARES has changed: it adds noise to the imaginary part as well.")
print("A receiver's noise has no mirror image.")
PYTHON
