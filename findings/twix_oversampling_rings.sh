#!/usr/bin/env bash
# pymapvbvd 0.7.0, twixtools 0.24: without oversampling a FID starts at 3/4 and ends in water.
# Guess: taking the twofold oversampling away (pymapvbvd does so unless told otherwise) leaves every
#   other sample of the FID as it was, with less noise.
# Found: the band is cut in one whole transform, for which the end of the FID is the neighbour of
#   its start. The step between them rings: the first sample is 0.75 of the signal's, the next
#   ones 1.07, 0.96, ..., and the last ones, long after the signal has gone, are 7 % of it again.
# Matters: water amplitudes taken from the first sample are a quarter too small. The end of the FID
#   is where noise is measured: of unsuppressed water with a signal-to-noise ratio of 21,000 it
#   says 109. Coils weighted by that noise are weighted by the inverse of their signal.
# Right: the same file with oversampling kept, which flagRemoveOS and remove_os allow.
# Versions: pymapvbvd 0.7.0, twixtools 0.24, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  pymapvbvd==0.7.0 twixtools==0.24 numpy==2.4.6 scipy==1.17.1
cd "$work"
cat > write.py <<'PYTHON'
import struct

AVERAGE = 1  # place of a loop counter


def write(path, transients):
    """Write a twix file of VE, one coil."""
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
        loops = [0 if is_end or k != AVERAGE else number for k in range(14)]
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
from write import write

TIME = np.arange(4096) * 2.5e-4
NOISE = 0.05
rng = np.random.default_rng(0)
water = 1000 * np.exp(-TIME / 0.03)
noise = NOISE * (rng.normal(size=TIME.size) + 1j * rng.normal(size=TIME.size)) / np.sqrt(2)
write("scan.dat", (water + noise)[None])

found = {}
scan = mapVBVD("scan.dat", quiet=True)
for removed in (True, False):
    image = map_twix("scan.dat", verbose=False)[-1]["image"]
    image.flags["remove_os"] = removed
    if not removed:
        scan.image.flagRemoveOS = False
    found["pymapvbvd", removed] = np.asarray(scan.image[""]).ravel()
    found["twixtools", removed] = image[:].ravel()
for (name, removed), fid in found.items():
    starts = fid[:4].real / water[:: 2 if removed else 1][:4]
    noise = np.std(fid[-100:])
    kind = "without" if removed else "with"
    print(f"{name} {kind:7} oversampling: {fid.size} samples, first by truth {starts.round(2)},")
    print(f"  noise by the last 100: {noise:.3f}, so signal to noise {1000 / noise:,.0f}")
kept, cut = (found["pymapvbvd", removed] for removed in (False, True))
if not np.allclose(kept, found["twixtools", False]) or np.std(kept[-100:]) > 2 * NOISE:
    sys.exit("With oversampling the FID is no longer what the file holds.")
for name in ("pymapvbvd", "twixtools"):
    cut = found[name, True]
    if abs(cut[0].real / 1000 - 0.75) > 0.01 or np.std(cut[-100:]) < 50 * NOISE:
        sys.exit(f"{name} has changed: taking oversampling away leaves start and end of the FID.")
PYTHON
