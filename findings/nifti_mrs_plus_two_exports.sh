#!/usr/bin/env bash
# nifti-mrs-plus 0.2.1: the HDF5 and the NIfTI export of one batch hold different values.
# Guess: batch[0] is the first scan itself; after `batch[0][:] *= 10` everything that asks the batch
#   for its data sees it.
# Found: once the data were asked for as an array, that array stays: `numpy()`, `get_data()` and
#   `save_hdf5` go on giving the scan as it was, `save_nifti`, `list()`, `copy()` and a slice of the
#   batch give it as it is. Which of the two a caller gets depends on whether anybody looked before
#   the change.
# Matters: a scan that is phased or scaled to its water in place is exported for training without
#   the correction, while the NIfTI files beside it, by which one would check, have it.
# Right: the file that load_hdf5 gives back should be the batch that was saved: the two exports of
#   one object at one time.
# Versions: nifti-mrs-plus 0.2.1, nifti-mrs 1.4.1, h5py 3.16.0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nifti-mrs-plus==0.2.1 nifti-mrs==1.4.1 numpy==2.4.6 h5py==3.16.0
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs_plus import NIfTI_MRS_Plus

time = np.arange(256) / 2000.0


def batch():
    fid = np.exp(-20 * time + 0j).reshape(1, 1, 1, -1)
    return NIfTI_MRS_Plus([gen_nifti_mrs(size * fid, 5e-4, 127.7) for size in (1.0, 2.0)])


seen = {}
for looked in (False, True):
    scans = batch()
    if looked:
        scans.numpy()
    scans[0][:] = 10 * scans[0][:]
    scans.save_hdf5("scans.h5")
    names = scans.save_nifti("scans")
    given = {
        "numpy()": scans.numpy(), "save_hdf5": NIfTI_MRS_Plus.load_hdf5("scans.h5").numpy(),
        "save_nifti": [NIFTI_MRS(names[0])[:]], "slice": scans[0:1].numpy(),
        "copy()": scans.copy().numpy(),
    }
    seen[looked] = {name: round(float(np.ravel(one[0])[0].real), 6) for name, one in given.items()}
    print("looked at before the change:" if looked else "not looked at:", seen[looked])
if set(seen[False].values()) != {10.0}:
    sys.exit("Without a look before, not all give 10: this comparison has lost its ground.")
kept = {"numpy()": 1.0, "save_hdf5": 1.0, "save_nifti": 10.0, "slice": 10.0, "copy()": 10.0}
if seen[True] != kept:
    sys.exit("nifti-mrs-plus has changed: a look before the change no longer keeps the old data.")
print("Two files of one batch, a factor of ten apart.")
PYTHON
