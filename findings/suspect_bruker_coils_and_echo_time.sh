#!/usr/bin/env bash
# suspect 0.6.2: a Bruker scan has TE 30 ms whatever it says, and its coils follow one another in
# time.
# Guess: load_svs_bruker() gives a FID for each receiver or repetition in the file, with the echo
#   and repetition time of method and the voxel it states, as the other readers of suspect do.
# Found: all numbers of the file become one FID: of four receivers of 1024 points it has 4096 minus
#   the filter's delay, the second coil beginning at 0.256 s of "time". te is 30 (the default of the
#   class) where PVM_EchoTime says 20, tr is -1, the voxel 10 x 10 x 10 mm. te goes into the ECHOT
#   of LCModel files and into relaxation factors. Nothing warns.
# Matters: FIDs in a row cut every line of a disc into a comb; a T2 correction for 30 ms in place of
#   20 is 10 % off at a T2 of 100 ms.
# Right: PVM_EncNReceivers and ACQ_size of the same files; PVM_EchoTime in ms; suspect's SPAR, RDA
#   and DICOM readers, which take te and tr from the file.
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import sys, warnings
from pathlib import Path

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from suspect.io.bruker import load_svs_bruker
    from suspect.io.lcmodel import save_raw

N, WIDTH, DELAY = 1024, 4000.0, 68
time = np.arange(N - DELAY) / WIDTH
fid = np.concatenate([np.zeros(DELAY), np.exp(2j * np.pi * 500 * time - 30 * time)])


def read(coils):
    fids = 10000 * np.arange(1, coils + 1)[:, None] * fid
    pairs = np.stack([fids.real, fids.imag], -1).round().astype("<i4")
    Path("fid").write_bytes(pairs.tobytes())
    method = {
        "Method": "<Bruker:PRESS>", "PVM_EchoTime": 20, "PVM_RepetitionTime": 2500,
        "PVM_EncNReceivers": coils, "PVM_DigDw": 1e3 / WIDTH, "PVM_DigShift": DELAY,
        "PVM_VoxArrSize": "( 1, 3 )\n30 20 8",
    }
    acqp = {"BF1": 400.3, "ACQ_size": f"( 1 )\n{2 * N}", "BYTORDA": "little"}
    for name, entries in (("method", method), ("acqp", acqp)):
        text = "".join(f"##${key}={value}\n" for key, value in entries.items())
        Path(name).write_text("##TITLE=Parameter List, ParaVision 6.0.1\n" + text + "##END=\n")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        data = load_svs_bruker("./fid")
    points = np.asarray(data)
    steps = np.flatnonzero(abs(points[1:]) - abs(points[:-1]) > 5000) + 1
    print(f"{coils} receivers: shape {points.shape}, te {data.te}, tr {data.tr},", end=" ")
    print(f"voxel {data.voxel_dimensions}; another FID begins at {steps * data.dt} s")
    return points.shape, data.te, data.tr, data.voxel_dimensions, len(said), data


one, four = read(1), read(4)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    save_raw("disc.RAW", one[-1])
echo = [line.strip() for line in Path("disc.RAW").read_text().splitlines() if "ECHOT" in line]
print("LCModel file of it:", echo)
same = (30, -1, (10, 10, 10), 0)
if one[:5] != ((N - DELAY,), *same) or four[:5] != ((4 * N - DELAY,), *same) or len(echo) != 1:
    sys.exit("suspect has changed: coils are told apart, or TE, TR or voxel are read.")
print("method says TE 20 ms, TR 2500 ms, 30 x 20 x 8 mm.")
PYTHON
