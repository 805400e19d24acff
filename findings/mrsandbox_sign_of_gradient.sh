#!/usr/bin/env bash
# mrsandbox 0.1.3 and spec2nii 0.8.15 disagree on the transients of a Philips data/list pair: one
#   multiplies them by the "sign" column, the other does not.
# Guess: both give the samples that are in the .data file.
# Found: mrsandbox's DataList.vectors turns each vector whose row says -1 over, as "the receiver's
#   phase cycle". Of eight equal transients with signs 1 and -1 in turn its mean is 0, spec2nii's
#   the signal. `signed=False` turns it off; spec2nii reads the column and never uses it.
# Matters: where the column alternates, averaging one tool's output cancels the disc's signal that
#   the other adds up; a scan whose row says -1 throughout comes out upside down in one of the two.
# Right: the legend at the head of every .list file: "sign of measurement gradient used for this
#   data vector (1 = positive, -1 = negative)". A gradient's sign reverses the order of samples
#   (which mrsandbox does from .lab files) and not the sign of the signal. At most one of the two
#   is right.
# Versions: mrsandbox 0.1.3 with jax 0.10.2 and keras 3.15.1 (without a backend it does not import),
#   spec2nii 0.8.15, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'mrsandbox[jax]==0.1.3' jax==0.10.2 \
  keras==3.15.1 spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys
from pathlib import Path

import numpy as np

with contextlib.redirect_stderr(io.StringIO()):
    from mrsandbox.io.philips import DataList
    from spec2nii.Philips.philips_data_list import read_data_list_pair

N, COILS, TRANSIENTS = 512, 2, 8
spar = {
    "examination_name": "x", "scan_id": "L45", "patient_name": "x", "samples": N, "rows": 1,
    "synthesizer_frequency": 127700000, "offset_frequency": 0, "sample_frequency": 2000,
    "echo_time": 35, "repetition_time": 2000, "averages": TRANSIENTS,
    "spectrum_inversion_time": 0, "nucleus": "1H", "patient_position": "head_first",
    "patient_orientation": "supine", "volume_selection_enable": "yes", "ap_size": 18,
    "lr_size": 30, "cc_size": 8, "ap_off_center": 0, "lr_off_center": 0, "cc_off_center": 0,
    "ap_angulation": 0, "lr_angulation": 0, "cc_angulation": 0,
}
Path("disc.SPAR").write_text("".join(f"{key} : {value}\n" for key, value in spar.items()))
fid = np.exp(-20 * np.arange(N) / 2000).astype("<c8")
Path("disc.data").write_bytes(np.tile(fid, COILS * TRANSIENTS).tobytes())


def means(signs):
    """Return the first point of the mean transient of coil 0 by each of the two."""
    rows = [
        "# sign = sign of measurement gradient used for this data vector (1 = pos, -1 = neg)",
        "# typ mix dyn card echo loca chan extr1 extr2 kx ky kz aver sign rf grad enc rtop rr size"
        " offset",
    ]
    for count in range(TRANSIENTS * COILS):
        transient, coil = divmod(count, COILS)
        row = f"STD 0 0 0 0 0 {coil} 0 0 0 0 0 {transient} {signs[transient]} 0 0 0 0 0"
        rows.append(f"{row} {8 * N} {8 * N * count}")
    Path("disc.list").write_text("\n".join(rows) + "\n")
    made = read_data_list_pair(Path("disc.data"), Path("disc.list"), Path("disc.SPAR"))
    read = DataList.load("disc.list")
    given = {
        "spec2nii": made[0][0][:].reshape(N, COILS, TRANSIENTS),
        "mrsandbox": read.vectors(),
        "mrsandbox, signed=False": read.vectors(signed=False),
    }
    return {name: float(one[0, 0].mean().real) for name, one in given.items()}


seen = {}
for name, signs in (("1", [1] * 8), ("1, -1 in turn", [1, -1] * 4), ("-1", [-1] * 8)):
    seen[name] = means(signs)
    print(f"sign {name}: first point of the mean transient: {seen[name]}")
if set(seen["1"].values()) != {1.0}:
    sys.exit("With every sign 1 not all give the signal: this comparison has lost its ground.")
unsigned = {one[name] for one in seen.values() for name in one if name != "mrsandbox"}
signed = [one["mrsandbox"] for one in seen.values()]
if unsigned != {1.0} or signed != [1.0, 0.0, -1.0]:
    sys.exit("One of the two has changed: they agree on the sign column.")
print("A gradient's sign, taken for a phase cycle by one and left by the other.")
PYTHON
