#!/usr/bin/env bash
# nmrglue 0.12: removing Bruker's digital filter from a spectrum turns it upside down where the
# group delay is odd.
# Guess: remove_digital_filter() on a FID and remove_digital_filter(..., post_proc=True) on its
#   spectrum do the same; a line in phase stays in phase and positive.
# Found: on the FID it does. On the spectrum the phase is counted from its left edge and not from
#   the carrier, which leaves 180 degrees times the group delay: nothing at 66, -1 at 67. The delay
#   is cut down to a whole number by default, so the usual 67.98 is 67. With truncate=False a delay
#   of 76.125 leaves 22.5 degrees, one of 67.5 makes the real part dispersive.
# Matters: at TE 144 ms the doublet of lactate hangs down and lipid stands up: that is how the two
#   are told apart in a disc. After this call lipid hangs down and is read as lactate.
# Right: a delay of d samples is the phase -2 pi f d / width with f counted from the carrier (shift
#   theorem of the Fourier transform); its own time-domain route; the docstring: the same filter is
#   removed, "after fourier transformation".
# Versions: nmrglue 0.12 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nmrglue==0.12 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import nmrglue as ng
import numpy as np

n, width, hertz = 4096, 4000.0, 0.0
samples = np.arange(n)


def phases(delay, **options):
    """Phase of a line in degrees after removal from the FID, and from its spectrum."""
    time = (samples - delay) / width
    fid = np.where(time >= 0, np.exp(2j * np.pi * hertz * time - 40 * time), 0)
    dic = {"acqus": {"DECIM": 1, "DSPFVS": 20, "GRPDLY": float(delay)}}
    first = ng.proc_base.fft(ng.bruker.remove_digital_filter(dic, fid, **options))
    last = ng.proc_base.fft(fid)
    last = ng.bruker.remove_digital_filter(dic, last, post_proc=True, **options)
    tops = [spectrum[np.argmax(abs(spectrum))] for spectrum in (first, last)]
    return [round(float(np.degrees(np.angle(top)))) for top in tops]


found = {delay: phases(delay) for delay in (66, 67, 67.98, 68, 71)}
for delay, (fid, spectrum) in found.items():
    print(f"group delay {delay}: line at {fid} degrees by the FID, {spectrum} by the spectrum")
exact = {delay: phases(delay, truncate=False)[1] for delay in (67.5, 76.125)}
print("truncate=False, by the spectrum:", exact)
upright = all(abs(fid) < 10 for fid, _ in found.values())
odd = all((abs(phase) > 160) == (int(delay) % 2 == 1) for delay, (_, phase) in found.items())
if not upright or not odd or abs(abs(exact[67.5]) - 90) > 5 or abs(exact[76.125] - 22) > 5:
    sys.exit("nmrglue has changed: the sign no longer goes with the group delay.")
print("The FIDs are the same but for the delay.")
PYTHON
