#!/usr/bin/env bash
# nmrglue 0.12: the axis that guess_udic makes of a Varian folder or a JCAMP-DX FID is invented.
# Guess: uc_from_udic(guess_udic(dic, data)) is the ppm axis of the file, as for Bruker folders:
#   read() has parsed sw, sfrq and the reference of procpar, and the times of the JCAMP-DX file.
# Found: for Varian the width is 999.99 Hz, the frequency 999.99 MHz and the carrier 999.99 Hz for
#   every scan, although all three lie in dic["procpar"]: the axis runs from 1.5 to 0.5 ppm. For a
#   JCAMP-DX FID "sw" is the length of the FID in seconds, 0.51 Hz for 2000, and the carrier 999.99.
#   Nothing warns; a Bruker folder gives its own numbers.
# Matters: excised discs are measured on such spectrometers. 1.5 to 0.5 ppm is a plausible window,
#   in which a peak picker finds "lactate" and lipid in every spectrum.
# Right: VnmrJ: sw in Hz, sfrq in MHz. JCAMP-DX 5.01 for NMR: the X of an FID is time in seconds, so
#   the width is (points - 1) / (LASTX - FIRSTX).
# Versions: nmrglue 0.12 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nmrglue==0.12 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python - <<'PYTHON'
import struct, sys, warnings
from pathlib import Path

import nmrglue as ng
import numpy as np

N, WIDTH, MHZ = 1024, 2000.0, 127.7
fid = 1e5 * np.exp(2j * np.pi * 337 * np.arange(N) / WIDTH - 12 * np.arange(N) / WIDTH)
pairs = np.stack([fid.real, fid.imag], -1).round().astype("<i4")


def varian():
    folder = Path("varian.fid")
    folder.mkdir()
    header = struct.pack(">6i2hi", 1, 1, 2 * N, 4, 8 * N, 8 * N + 28, 0, 0x19, 1)
    block = struct.pack(">4hi4f", 0, 0x19, 1, 0, 1, 0, 0, 0, 0)
    (folder / "fid").write_bytes(header + block + pairs.astype(">f4").tobytes())
    entries = {"np": 2 * N, "sw": WIDTH, "sfrq": MHZ, "reffrq": MHZ, "tof": 0.0, "arraydim": 1}
    lines = "".join(f"{k} 1 1 1e9 0 0 2 1 0 1 64\n1 {v}\n0\n" for k, v in entries.items())
    text = "".join(f'{k} 2 2 8 0 0 2 1 0 1 64\n1 "{v}"\n0\n' for k, v in (("array", ""),))
    (folder / "procpar").write_text(lines + text)
    return ng.varian, ng.varian.read(str(folder))


def bruker():
    folder = Path("bruker")
    folder.mkdir()
    (folder / "fid").write_bytes(pairs.tobytes())
    entries = {
        "SW_h": WIDTH, "SFO1": MHZ, "BF1": MHZ, "O1": 0.0, "TD": 2 * N, "BYTORDA": 0, "DTYPA": 0,
        "AQ_mod": 3, "NUC1": "<1H>",
    }
    lines = "".join(f"##${key}= {value}\n" for key, value in entries.items())
    (folder / "acqus").write_text("##TITLE= Parameter file\n##JCAMPDX= 5.0\n" + lines + "##END=\n")
    return ng.bruker, ng.bruker.read(str(folder), read_pulseprogram=False, read_procs=False)


def jcamp():
    last = (N - 1) / WIDTH
    top = [
        "TITLE= disc", "JCAMP-DX= 5.01", "DATA TYPE= NMR FID", "DATA CLASS= NTUPLES",
        f".OBSERVE FREQUENCY= {MHZ}", ".OBSERVE NUCLEUS= ^1H", "NTUPLES= NMR FID",
        "VAR_NAME= TIME, FID/REAL, FID/IMAG", "SYMBOL= X, R, I", f"VAR_DIM= {N}, {N}, {N}",
        "UNITS= SECONDS, ARBITRARY UNITS, ARBITRARY UNITS", "FACTOR= 0.001, 1, 1",
        f"FIRST= 0, {pairs[0, 0]}, {pairs[0, 1]}", f"LAST= {last}, {pairs[-1, 0]}, {pairs[-1, 1]}",
    ]
    text = "".join(f"##{line}\n" for line in top)
    for page, (symbol, column) in enumerate((("R", 0), ("I", 1)), 1):
        text += f"##PAGE= N={page}\n##DATA TABLE= (X++({symbol}..{symbol})), XYDATA\n"
        text += "".join(f"{500 * i / 1000:.1f} {pairs[i, column]}\n" for i in range(N))
    Path("fid.jdx").write_text(text + "##END NTUPLES= NMR FID\n##END=\n")
    return ng.jcampdx, ng.jcampdx.read("fid.jdx")


found, said = {}, []
for build in (bruker, varian, jcamp):
    module, (dic, data) = build()
    with warnings.catch_warnings(record=True) as said_here:
        warnings.simplefilter("always")
        guessed = module.guess_udic(dic, data)
    axis = {key: round(float(guessed[0][key]), 2) for key in ("sw", "obs", "car", "size")}
    limits = ng.fileiobase.uc_from_udic(guessed).ppm_limits()
    found[build.__name__] = axis
    said += [] if build is bruker else said_here
    print(f"{build.__name__:7}", axis, f"ppm axis {limits[0]:.2f} to {limits[1]:.2f}")
    if build is varian:
        held = {key: dic["procpar"][key]["values"] for key in ("sw", "sfrq")}
        print("        procpar, as read:", held)
    if build is jcamp and not np.allclose(np.asarray(data).T, pairs):
        sys.exit("The JCAMP-DX file was not read as written.")
right = {"sw": WIDTH, "obs": MHZ, "car": 0.0, "size": N}
invented = dict.fromkeys(("sw", "obs", "car"), 999.99) | {"size": N}
length = {"sw": 0.51, "obs": MHZ, "car": 999.99, "size": N}
if said or found != {"bruker": right, "varian": invented, "jcamp": length}:
    sys.exit("nmrglue has changed: an axis is guessed from the file, or a warning is given.")
print("One FID of 2000 Hz at 127.7 MHz, three axes.")
PYTHON
