#!/usr/bin/env bash
# twixtools 0.24: map_twix gives the mean of all transients where it is asked for the data.
# Guess: averaging is one of the optional flags, so without it image[:] has every transient, as
#   pymapvbvd has from the same file, and as twixtools itself has with repetitions.
# Found: for averages (and segments) the flag is on from the start. Sixteen transients come out as
#   one, the shape says that there is one average, and nothing tells how many went in. Repetitions
#   in another counter are kept, so it depends on the software of the scanner whether they are lost.
# Matters: what drifts during the scan can no longer be aligned, and a transient in which the
#   patient moved can no longer be left out: with a drift of 1 Hz a transient the line has a third
#   of its height and four times its width; no scatter is left to take uncertainties from.
# Right: its README and docstring: "optional flags control additional features"; the scan's own
#   counter of averages; pymapvbvd 0.7.0.
# Versions: twixtools 0.24, pymapvbvd 0.7.0, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  twixtools==0.24 pymapvbvd==0.7.0 numpy==2.4.6 scipy==1.17.1
cd "$work"
cat > write.py <<'PYTHON'
import struct

AVERAGE, REPETITION = 1, 6  # places of two loop counters


def write(path, transients, counter):
    """Write a twix file of VE, one coil: `transients` counted by one loop counter."""
    lines = {
        "alTE[0]": 30000, "sRXSPEC.alDwellTime[0]": 250000, "sKSpace.ucDimension": "0x1",
        "sKSpace.lBaseResolution": 1, "sKSpace.lPhaseEncodingLines": 1,
        "sSliceArray.lSize": 1,
    }
    lines |= {f"sSliceArray.asSlice[0].{k}": 20 for k in ("dReadoutFOV", "dPhaseFOV", "dThickness")}
    yaps = "\n".join(f"{k} = {v}" for k, v in lines.items())
    yaps = f"### ASCCONV BEGIN ###\n{yaps}\n### ASCCONV END ###\n"
    config = '<ParamString."chronSliceIndices">  { "-1 -1 -1"  }\n'
    meas = '<ParamString."tPatientPosition">  { "HFS"  }\n'
    dicom = '<ParamString."SoftwareVersions">  { "syngo MR E11"  }\n'
    blocks = {"Config": config, "Dicom": dicom, "Meas": meas, "MeasYaps": yaps, "Phoenix": yaps}
    body = b"".join(
        n.encode() + b"\0" + struct.pack("<I", len(t)) + t.encode() for n, t in blocks.items()
    )
    size = 10240
    scan = (struct.pack("<II", size, len(blocks)) + body).ljust(size, b"\0")
    for number in range(len(transients) + 1):
        is_end = number == len(transients)
        samples = bytes(128) if is_end else transients[number].astype("<c8").tobytes()
        loops = [0 if is_end or k != counter else number for k in range(14)]
        start = struct.pack(
            "<5I20x2I2H14H", 192 + 32 + len(samples), 1, number, 0, 0, is_end, 0,
            len(samples) // 8, 1, *loops,
        )
        start = start.ljust(100, b"\0") + struct.pack("<7f", 0, 0, 0, 1, 0, 0, 0)
        scan += start.ljust(192 + 32, b"\0") + samples
    scan += bytes(-len(scan) % 512)
    table = struct.pack("<IIIIQQ", 0, 1, 1, 2, 10240, len(scan)).ljust(10240, b"\0")
    with open(path, "wb") as file:
        file.write(table + scan)
PYTHON
env/bin/python -W ignore - 2>errors.txt <<'PYTHON' || { cat errors.txt && exit 1; }
import sys

import numpy as np
from mapvbvd import mapVBVD
from twixtools import map_twix
from write import AVERAGE, REPETITION, write

TIME = np.arange(2048) * 2.5e-4
RATE = np.pi * 4  # of a line 4 Hz wide, 1/s
true = np.array([np.exp((2j * np.pi * (100 + k) - RATE) * TIME) for k in range(16)])


def line(fids):
    """Return height and width in Hz of the line."""
    spectrum = np.fft.fft(np.atleast_2d(fids).mean(axis=0), 1 << 16)
    half = np.flatnonzero(spectrum.real > spectrum.real.max() / 2)
    return abs(spectrum).max() * 2.5e-4 * RATE, (half[-1] - half[0]) / 2.5e-4 / (1 << 16)


write("averages.dat", true, AVERAGE)
write("repetitions.dat", true, REPETITION)
scan = mapVBVD("averages.dat", quiet=True)
scan.image.squeeze, scan.image.flagRemoveOS = True, False
peer = scan.image[""].T
found = {}
for name in ("averages", "repetitions"):
    image = map_twix(f"{name}.dat", verbose=False)[-1]["image"]
    found[name] = image[:].squeeze()
    sizes = {d: n for d, n in zip(image.dims, image.shape) if n > 1 or d == "Ave"}
    print(f"16 {name}: image[:] has shape {sizes}")
print("16 averages with pymapvbvd:", peer.shape)
if not np.allclose(peer, true, atol=1e-5):
    sys.exit("pymapvbvd has changed: it no longer gives every transient.")
if found["averages"].shape != (2048,) or found["repetitions"].shape != (16, 2048):
    sys.exit("twixtools has changed: averages are no longer put together.")
aligned = true * np.exp(-2j * np.pi * np.arange(16)[:, None] * TIME)
for name, fids in (("as given", found["averages"]), ("aligned from all", aligned)):
    height, width = line(fids)
    print(f"{name}: height {height:.2f}, width {width:.1f} Hz")
if line(found["averages"])[0] > 0.5:
    sys.exit("The mean is no longer that of the transients as they drift.")
PYTHON
