#!/usr/bin/env bash
# spec2nii 0.8.15: a Philips data/list scan with dynamics and averages gets two dimensions of one
# name, DIM_DYN; nifti-mrs finds the first.
# Guess: 3 dynamics of 4 averages are 12 transients: either one DIM_DYN of 12, or two dimensions
#   that can be told apart.
# Found: dimensions 6 and 7 are both tagged DIM_DYN and the file passes the validator. Whatever asks
#   nifti-mrs 1.4.1 for "DIM_DYN" gets the averages: iterate_over_dims() gives blocks of 4, split()
#   of the second half takes the second half of each dynamic, copy(remove_dim="DIM_DYN") leaves a
#   DIM_DYN; reorder() by the tags raises. The dynamics have no name by which to reach them.
# Matters: a disc is measured in several dynamics, to drop those in which the patient moved. An
#   average "over DIM_DYN" leaves one spectrum a dynamic; what then takes the one FID of the file
#   takes the first, a third of the signal, and drift is followed within four transients only.
# Right: the list file: 12 vectors a coil. A tag is there to find a dimension by; DIM_USER_0, which
#   the reader gives to other loops, was free.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1, pandas 2.3.3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from itertools import product
from pathlib import Path

import numpy as np
from nifti_mrs.tools import reorder, split
from nifti_mrs.validator import validate_nifti_mrs

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Philips.philips_data_list import read_data_list_pair

N, COILS, DYNAMICS, AVERAGES = 64, 2, 3, 4
spar = {
    "examination_name": "x", "scan_id": "press", "patient_name": "x", "samples": N, "rows": 1,
    "synthesizer_frequency": 127700000, "offset_frequency": 0, "sample_frequency": 2000,
    "echo_time": 144, "repetition_time": 2000, "averages": 12, "spectrum_inversion_time": 0,
    "nucleus": "1H", "patient_position": "head_first", "patient_orientation": "supine",
    "volume_selection_enable": "yes", "ap_size": 18, "lr_size": 30, "cc_size": 8,
    "ap_off_center": 0, "lr_off_center": 0, "cc_off_center": 0,
    "ap_angulation": 0, "lr_angulation": 0, "cc_angulation": 0,
}
Path("act.SPAR").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))
rows = ["# typ mix dyn card echo loca chan extr1 extr2 kx ky kz aver sign rf grad enc rtop rr size"]
vectors = []
loops = product(range(DYNAMICS), range(AVERAGES), range(COILS))
for count, (dynamic, average, coil) in enumerate(loops):
    place = f"{8 * N} {8 * N * count}"
    rows.append(f"STD 0 {dynamic} 0 0 0 {coil} 0 0 0 0 0 {average} 1 0 0 0 0 0 {place}")
    vectors.append(np.full(N, 10 * dynamic + average + 1, "<c8"))  # tens: the dynamic
Path("act.list").write_text("\n".join(rows) + "\n")
Path("act.data").write_bytes(np.concatenate(vectors).tobytes())

mrs = read_data_list_pair(Path("act.data"), Path("act.list"), Path("act.SPAR"))[0][0]
validate_nifti_mrs(mrs)
print("shape", mrs.shape, "tags", mrs.dim_tags)
blocks = [block.shape for block, _ in mrs.iterate_over_dims(dim="DIM_DYN")]
print("iterate_over_dims: blocks of", {shape[-1] for shape in blocks})
kept, cut = (one[:].real[0, 0, 0, 0, 0].ravel().astype(int) for one in split(mrs, "DIM_DYN", 1))
print("split after the second: ", kept, "and", cut, "of 1-4, 11-14, 21-24")
left = mrs.copy(remove_dim="DIM_DYN")
print("without DIM_DYN: shape", left.shape, "tags", left.dim_tags)
try:
    reorder(mrs, ["DIM_DYN", "DIM_COIL", "DIM_DYN"])
    ordered = "made"
except ValueError as error:
    ordered = f"ValueError: {error}"
print("reorder:", ordered)
twice = mrs.dim_tags == ["DIM_COIL", "DIM_DYN", "DIM_DYN"]
if not twice or mrs.shape[4:] != (COILS, AVERAGES, DYNAMICS):
    sys.exit("spec2nii has changed: dynamics and averages have names of their own.")
if {shape[-1] for shape in blocks} != {AVERAGES} or cut.tolist() != [3, 13, 23, 4, 14, 24]:
    sys.exit("nifti-mrs has changed: DIM_DYN is another dimension of the two.")
if left.dim_tags[:2] != ["DIM_COIL", "DIM_DYN"]:
    sys.exit("nifti-mrs has changed: it takes both dimensions of that name away.")
print("The first of two is all that the name reaches.")
PYTHON
