#!/usr/bin/env bash
# nifti-mrs 1.4.1: a dwell time in milliseconds is read right, and made wrong when it is set.
# Guess: obj.dwelltime = obj.dwelltime changes nothing; a file that opens can be saved and
#   validated.
# Found: the getter follows the unit in the header, the setter writes seconds into a field of
#   milliseconds: 0.5 ms becomes 0.5 us. save() refuses a right SpectralWidth ("does not match 1 /
#   dwelltime (2.00 Hz)"), and a file in microseconds ("unrealistic") although both open. obj.axes
#   keeps the old dwell time and chemical shift after either is set.
# Matters: the frequency axis of a disc spectrum, and with it every linewidth in Hz, is 1000 times
#   off after a harmless-looking line; a converter that writes msec cannot be re-saved.
# Right: NIfTI-MRS specification 2.1: the unit of pixdim[4] is that of xyzt_units, one of seconds,
#   milliseconds or microseconds.
# Versions: nifti-mrs 1.4.1, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nifti-mrs==1.4.1 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import json, sys

import nibabel, numpy as np
from nifti_mrs.nifti_mrs import NIFTI_MRS

KEYS = {"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"], "SpectralWidth": 2000.0}


def write(path, unit, dwell, **keys):
    image = nibabel.Nifti2Image(np.ones((1, 1, 1, 256), np.complex64), np.diag([20, 20, 8, 1.0]))
    image.header["pixdim"][4] = dwell
    image.header.set_xyzt_units("mm", unit)
    image.header["intent_name"] = b"mrs_v0_11"
    text = json.dumps({**KEYS, **keys}).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, text))
    nibabel.save(image, path)


def refusal(image):
    try:
        image.save("again.nii.gz")
    except Exception as error:
        return f"{type(error).__name__}: {error}"


write("ms.nii.gz", "msec", 0.5)
write("us.nii.gz", "usec", 500.0)
opened = {unit: NIFTI_MRS(f"{unit}.nii.gz") for unit in ("ms", "us")}
print("read:", {unit: f"{image.dwelltime:.6g} s" for unit, image in opened.items()})
refused = {unit: refusal(image) for unit, image in opened.items()}
for unit, words in refused.items():
    print(f"save a file in {unit}: {words}")
image = opened["ms"]
image.dwelltime = image.dwelltime
after = float(image.dwelltime)
print(f"after obj.dwelltime = obj.dwelltime: {after:.6g} s; axes: {image.axes.dwelltime:.6g} s")
image.dwelltime = 0.5
image.add_hdr_field("SpecFreqChemShift", 3.0)
shifts = image.SpecFreqChemShift, image.axes.SpecFreqChemShift
print("SpecFreqChemShift set to 3.0: obj says", shifts[0], "and obj.axes", shifts[1])
same = np.isclose(after, 5e-7) and all(refused.values()) and shifts == (3.0, 4.65)
if not same:
    sys.exit("nifti-mrs has changed: units, setter, save or axes behave otherwise now.")
print("Read right, set wrong, and refused on saving.")
PYTHON
