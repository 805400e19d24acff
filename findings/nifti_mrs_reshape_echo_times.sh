#!/usr/bin/env bash
# nifti-mrs 1.4.1: reshaping a series leaves its echo times where they were, or throws them away.
# Guess: tools.reshape carries the dynamic header along, or refuses: with eight echo times from 30
#   ms in steps of 10, laid out as 4 by 2, the second row begins at 50 ms.
# Found: the short form {"start": 0.03, "increment": 0.01} is kept as it is, so the second row says
#   40 ms, and the file validates. With d5= given (even the same tag) the header vanishes without a
#   word. Only the long form, a list, is refused, for its length.
# Matters: T2 of a disc's lines, and the correction of amounts for it, come from these times. Read
#   from the reshaped file the T2 is half of what it is.
# Right: NIfTI-MRS 2.3.5: dim_{N}_header states the value at each index of that dimension, in full
#   or by start and increment.
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
from nifti_mrs.create_nmrs import gen_nifti_mrs_hdr_ext
from nifti_mrs.hdr_ext import Hdr_Ext
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.tools import reshape
from nifti_mrs.validator import headerExtensionError, validate_nifti_mrs

ECHO_TIMES = 0.03 + 0.01 * np.arange(8)
T2 = 0.08


def series(echo_times):
    facts = Hdr_Ext(127.7, "1H")
    facts.set_dim_info("5th", "DIM_INDIRECT_0", hdr={"EchoTime": echo_times})
    decay = np.exp(-ECHO_TIMES / T2)
    samples = np.exp(-np.arange(256) / 64)[:, None] * decay + 0j
    return gen_nifti_mrs_hdr_ext(samples[None, None, None], 5e-4, facts)


def fitted(mrs):
    """Return T2 in ms of the first sample along dimension 5, with the header's echo times."""
    stated = mrs.hdr_ext["dim_5_header"]["EchoTime"]
    first = mrs[:].real[0, 0, 0, 0].reshape(mrs.shape[4], -1)[:, 0]
    times = stated["start"] + stated["increment"] * np.arange(first.size)
    print(f"shape {mrs.shape[4:]}: echo times stated in ms {np.round(times * 1e3, 1).tolist()}")
    return round(-1e3 / np.polyfit(times, np.log(first), 1)[0], 1)


short = series({"start": 0.03, "increment": 0.01})
before = fitted(short)
reshape(short, (4, 2), d6="DIM_EDIT").save("4by2.nii.gz")
read = NIFTI_MRS("4by2.nii.gz")
validate_nifti_mrs(read)
after = fitted(read)
print(f"T2 in ms: {before} from the series, {after} from the reshaped one (true: {T2 * 1e3})")
if (before, after) != (80.0, 40.0):
    sys.exit("nifti-mrs has changed: the echo times of the reshaped series are other ones.")
tagged = reshape(short, (4, 2), d5="DIM_INDIRECT_0", d6="DIM_EDIT")
print("header of dimension 5 when its tag is given:", "dim_5_header" in tagged.hdr_ext)
if "dim_5_header" in tagged.hdr_ext:
    sys.exit("nifti-mrs has changed: the header stays when the tag is given.")
try:
    reshape(series(ECHO_TIMES.tolist()), (4, 2), d6="DIM_EDIT")
except headerExtensionError as refusal:
    print("long form:", refusal)
else:
    sys.exit("nifti-mrs has changed: the long form is no longer refused.")
PYTHON
