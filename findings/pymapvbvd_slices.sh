#!/usr/bin/env bash
# pymapvbvd 0.7.0: image[:, 0] is one transient of a coil, and image[:, :, ::-1] is none.
# Guess: the data are sliced like an array: image[:, 0] has all transients of the first coil,
#   image[:, :, ::-1] all in reverse order, and what a slice gives is what the file holds.
# Found: dimensions that are left out are taken at their first index: of eight transients one comes
#   back, with no axis missing that would tell. image[:, :] lays coils and transients along one
#   axis. With a falling slice, indices are replaced one after the other in place, so that some
#   are replaced twice: half of the transients come out as zeros, and the others as the mean of two.
# Matters: a coil's spectrum looks right and has the noise of one transient, 2.8 times that of
#   eight; a mean over the last axis of image[:, :] adds coils against their phases. Reversed, as
#   for a comparison of a scan's start and end, nothing is a measured transient.
# Right: its README ("data = twixObj.image[0::2,0,:]" for slices); the same indices into the array
#   that image[''] gives.
# Versions: pymapvbvd 0.7.0, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  pymapvbvd==0.7.0 numpy==2.4.6 scipy==1.17.1
cd "$work"
cat > write.py <<'PYTHON'
import struct

AVERAGE = 1  # place of a loop counter


def write(path, transients):
    """Write a twix file of VE: transients by coils by points."""
    lines = {
        "alTE[0]": 30000, "sRXSPEC.alDwellTime[0]": 250000,
    }
    yaps = "\n".join(f"{k} = {v}" for k, v in lines.items())
    yaps = f"### ASCCONV BEGIN ###\n{yaps}\n### ASCCONV END ###\n"
    dicom = '<ParamString."SoftwareVersions">  { "syngo MR E11"  }\n'
    blocks = {"Config": dicom, "Dicom": dicom, "Meas": dicom, "MeasYaps": yaps, "Phoenix": yaps}
    body = b"".join(
        n.encode() + b"\0" + struct.pack("<I", len(t)) + t.encode() for n, t in blocks.items()
    )
    size = 10240
    scan = (struct.pack("<II", size, len(blocks)) + body).ljust(size, b"\0")
    for number in range(len(transients) + 1):
        is_end = number == len(transients)
        coils = transients[0][:1, :16] if is_end else transients[number]
        loops = [0 if is_end or k != AVERAGE else number for k in range(14)]
        start = struct.pack(
            "<5I20x2I2H14H", 192 + len(coils) * (32 + 8 * coils.shape[1]), 1, number, 0, 0,
            is_end, 0, coils.shape[1], len(coils), *loops,
        )
        scan += start.ljust(192, b"\0")
        scan += b"".join(bytes(32) + c.astype("<c8").tobytes() for c in coils)
    scan += bytes(-len(scan) % 512)
    table = struct.pack("<IIIIQQ", 0, 1, 1, 2, 10240, len(scan)).ljust(10240, b"\0")
    with open(path, "wb") as file:
        file.write(table + scan)
PYTHON
env/bin/python -W ignore - 2>errors.txt <<'PYTHON' || { cat errors.txt && exit 1; }
import sys

import numpy as np
from mapvbvd import mapVBVD
from write import write

TIME = np.arange(512) * 2.5e-4
COILS = np.array([1.0, 0.8 * np.exp(2.5j)])
fid = np.exp(-20 * TIME)
true = np.array([np.outer(COILS, (1 + k) * fid) for k in range(8)])
write("scan.dat", true)

scan = mapVBVD("scan.dat", quiet=True).image
scan.flagRemoveOS, scan.squeeze = False, True
whole = scan[""]
if not np.allclose(whole, true.T, atol=1e-5):
    sys.exit("pymapvbvd has changed: the whole array is no longer what the file holds.")
print("whole:", dict(zip(scan.sqzDims, whole.shape, strict=True)), "first samples 1 to 8")
one, flat, back = scan[:, 0], scan[:, :], scan[:, :, ::-1]
print("image[:, 0]      :", one.shape, "by numpy", whole[:, 0].shape)
print("image[:, :]      :", flat.shape, "by numpy", whole[:, :].shape)
firsts = abs(back[0, 0]).round(2).tolist()
print("image[:, :, ::-1]:", back.shape, "first samples", firsts)
if one.shape != (512,) or not np.allclose(one, whole[:, 0, 0]):
    sys.exit("pymapvbvd has changed: image[:, 0] is no longer one transient.")
if flat.shape != (512, 16):
    sys.exit("pymapvbvd has changed: image[:, :] no longer joins coils and transients.")
if not np.allclose(firsts, [0, 0, 0, 0, 4.5, 4.5, 4.5, 4.5]):
    sys.exit("pymapvbvd has changed: a falling slice gives other transients.")
PYTHON
