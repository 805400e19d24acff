#!/usr/bin/env bash
# spec2nii 0.8.15: the echo time of a Varian/Agilent scan is the length of its pulse, in seconds.
# Guess: te of procpar becomes EchoTime, as tr becomes RepetitionTime and ti InversionTime.
# Found: te is read and then overwritten by pw + alfa, and by p1 + alfa where there is a p1: a pulse
#   of 40 and a receiver delay of 10 microseconds are an EchoTime of 50 s, whatever te says. The
#   validator of nifti-mrs accepts 50 s.
# Matters: excised and animal discs are measured on these systems. Corrected for T2 with 50 s every
#   amount overflows or is refused; taken for milliseconds, 50 is so plausible that nobody looks.
# Right: VnmrJ Command and Parameter Reference: pw, p1 and alfa are pulse-type parameters, held in
#   microseconds; te is a delay, in seconds. NIfTI-MRS definitions: EchoTime, "Units: Seconds", from
#   the centroid of excitation to the centre of the echo.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import struct, subprocess, sys
from pathlib import Path

import numpy as np
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.validator import validate_nifti_mrs

N = 256
REAL = {"np": 2 * N, "arraydim": 1, "sw": 2000.0, "sfrq": 399.8, "tr": 2.0, "ti": 0.9, "alfa": 10.0}
KINDS = {"np": 7, "arraydim": 7, "sw": 5, "sfrq": 5, "te": 3, "tr": 3, "ti": 3}  # the others: pulse
TEXT = {"rcvrs": "y", "tn": "H1", "seqfil": "semilaser", "comment": "x", "rfcoil": "vol"}


def write(folder, **more):
    """Write a Varian folder: parameters as text, samples as big-endian floats."""
    folder.mkdir()
    lines = []
    for name, value in {**REAL, **more, **TEXT}.items():
        text = isinstance(value, str)
        kinds, shown = ("2 2", f'"{value}"') if text else (f"{KINDS.get(name, 6)} 1", str(value))
        lines += [f"{name} {kinds} 1e9 0 0 2 1 0 1 64", f"1 {shown}", "0"]
    (folder / "procpar").write_text("\n".join(lines) + "\n")
    samples = np.tile([1.0, 0.5], N).astype(">f4").tobytes()
    header = struct.pack(">6i2hi", 1, 1, 2 * N, 4, 8 * N, 8 * N + 28, 0, 0x19, 1)
    block = struct.pack(">4hi4f", 0, 0x19, 1, 0, 1, 0, 0, 0, 0)
    (folder / "fid").write_bytes(header + block + samples)


def times(name, **more):
    write(Path(f"{name}.fid"), **more)
    command = ["env/bin/spec2nii", "varian", f"{name}.fid", "-f", name, "-o", "."]
    subprocess.run(command, check=True, capture_output=True)
    mrs = NIFTI_MRS(f"{name}.nii.gz")
    validate_nifti_mrs(mrs)
    found = {key: mrs.hdr_ext[key] for key in ("EchoTime", "RepetitionTime", "InversionTime")}
    print(f"te 0.02 s, {more}: {found}")
    return found["EchoTime"]


if times("alone", te=0.02) != 0.02:
    sys.exit("Without pw, te is no longer taken.")
if times("pulse", te=0.02, pw=40.0) != 50.0 or times("both", te=0.02, pw=40.0, p1=80.0) != 90.0:
    sys.exit("spec2nii has changed: EchoTime is no longer the pulse length plus alfa.")
print("Every procpar has pw and alfa.")
PYTHON
