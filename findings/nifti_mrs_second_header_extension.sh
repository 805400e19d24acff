#!/usr/bin/env bash
# nifti-mrs 1.4.1: a comment in the NIfTI header makes a valid file invalid, or is thrown away.
# Guess: the reader looks for extension 44 among all, so the validator does too, and saving keeps
#   what other programs wrote.
# Found: NIFTI_MRS opens the file, validate_nifti_mrs reads extension number 0, whatever its code,
#   and says "not json deserialisable". save() clears every other extension without a word.
# Matters: a pipeline that notes the disc level or the software in a NIfTI comment (code 6, or
#   AFNI's code 4) has files that open and fail validation, or loses the note on the first save.
# Right: NIfTI-1 header documentation and NIfTI-MRS 2: one or more extensions may follow the header,
#   each with its code; 44 is the one of NIfTI-MRS.
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
from nifti_mrs.validator import headerExtensionError, validate_nifti_mrs

keys = json.dumps({"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"]}).encode()
verdicts = {}
for name, order in (("before", (6, 44)), ("after", (44, 6))):
    image = nibabel.Nifti2Image(np.ones((1, 1, 1, 256), np.complex64), np.diag([20, 20, 8, 1.0]))
    image.header["pixdim"][4] = 5e-4
    image.header.set_xyzt_units("mm", "sec")
    image.header["intent_name"] = b"mrs_v0_11"
    for code in order:
        text = keys if code == 44 else b"level L4-L5"
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, text))
    nibabel.save(image, f"{name}.nii.gz")
    opened = NIFTI_MRS(f"{name}.nii.gz")
    try:
        validate_nifti_mrs(opened)
        verdicts[name] = "valid"
    except headerExtensionError as error:
        verdicts[name] = str(error)
    print(f"comment {name} extension 44: opens; validator: {verdicts[name]}")
opened.save("saved.nii.gz")
left = nibabel.load("saved.nii.gz").header.extensions.get_codes()
print("codes after save():", left)
if "json" not in verdicts["before"] or verdicts["after"] != "valid" or left != [44]:
    sys.exit("nifti-mrs has changed: other extensions no longer disturb it, or survive saving.")
print("The order of two extensions decides what is valid, and one of them does not survive.")
PYTHON
