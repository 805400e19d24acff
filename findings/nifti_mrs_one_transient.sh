#!/usr/bin/env bash
# nifti-mrs 1.4.1: with one transient, the position of a dimension is no axis of the data.
# Guess: obj[:].mean(axis=obj.dim_position("DIM_DYN")) averages the transients, one or sixty-four;
#   obj.shape is the shape of obj[:].
# Found: with one transient dim_position says 4 and shape has five entries, but obj[:] has four
#   axes: AxisError. And obj[:] is the conjugate of obj.image[:], which no name tells.
# Matters: a scanner that averages gives discs with one transient; code written on raw data fails on
#   them, or, with axis=-1, averages the points of the FID away.
# Right: NumPy's meaning of shape: the trailing axis of one that the image below drops belongs back
#   into both, or into neither.
# Versions: nifti-mrs 1.4.1, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nifti-mrs==1.4.1 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs
from nifti_mrs.nifti_mrs import NIFTI_MRS

outcome = {}
for count in (64, 1):
    data = np.exp(1j * np.arange(256.0 * count)).reshape(1, 1, 1, 256, count)
    gen_nifti_mrs(data, 5e-4, 127.7, dim_tags=["DIM_DYN", None, None]).save("a.nii.gz")
    obj = NIFTI_MRS("a.nii.gz")
    axis = obj.dim_position("DIM_DYN")
    try:
        outcome[count] = str(obj[:].mean(axis=axis).shape)
    except np.exceptions.AxisError as error:
        outcome[count] = f"AxisError: {error}"
    print(f"{count} transients: shape {obj.shape}, obj[:].shape {obj[:].shape}, axis {axis}:")
    print("  mean over that axis:", outcome[count])
last = obj[:].mean(axis=-1).shape
stored = obj.image[:]
conjugate = np.array_equal(obj[:], stored.conj()) and not np.array_equal(obj[:], stored)
print("one transient, shape of the mean over axis=-1:", last)
print("obj[:] is the conjugate of obj.image[:]:", conjugate)
same = outcome[64] == "(1, 1, 1, 256)" and "AxisError" in outcome[1] and last == (1, 1, 1)
if not (same and conjugate):
    sys.exit("nifti-mrs has changed: one transient keeps its axis, or obj[:] is not conjugated.")
print("shape promises an axis that the data do not have.")
PYTHON
