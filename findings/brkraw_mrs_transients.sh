#!/usr/bin/env bash
# brkraw-mrs 0.2.4: transients and coils of a Bruker scan become combs of one another, and the voxel
# becomes 1 mm3 at the origin.
# Guess: rawdata.job0 with four transients of one coil (or four coils) becomes four FIDs; the size
#   and place of the voxel, which the plug-in reads as metadata, become the affine.
# Found: the file is cut with the points as the slowest index, though they are the fastest: "FID" k
#   takes every fourth sample, from sample k of the first transient on to the last one. Its line
#   stands four times as far from the carrier (2000 Hz, not 500), and all four look alike. The
#   affine is the identity, whatever PVM_VoxArrSize says. One transient of one coil comes out right;
#   nothing is said.
# Matters: excised and animal discs are measured on these systems with many transients and a few
#   coils. Averages of combs have lines, only not where the disc has them.
# Right: ParaVision's order, as brukerapi 0.4.6 reads the same file: points, then receivers, then
#   scans. NIfTI-MRS 2: one FID along the fourth dimension; the affine places the voxel.
# Versions: brkraw-mrs 0.2.4, brkraw 0.5.7, brukerapi 0.4.6, nibabel 5.4.2, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check brkraw-mrs==0.2.4 brkraw==0.5.7 \
  brukerapi==0.4.6 nibabel==5.4.2 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
export HOME="$work/home" # the plug-in is entered into a folder there
mkdir "$HOME"
env/bin/brkraw hook install brkraw-mrs >/dev/null 2>&1
env/bin/python -W ignore - <<'PYTHON'
import logging, sys
from pathlib import Path

import numpy as np
from brkraw.apps.loader import BrukerLoader
from brukerapi.dataset import Dataset

logging.disable()  # it finds no image in a spectrum
N, WIDTH = 1024, 4000.0
time = np.arange(N) / WIDTH
HEAD = "##TITLE=Parameter List, ParaVision 360 V3.5\n##JCAMPDX=4.24\n##OWNER=x\n"


def write(name, fids):
    """Write a study of one scan; fids are transients x coils x points."""
    n, coils = fids.shape[:2]
    scan = Path(name) / "1"
    reco = scan / "pdata" / "1"
    reco.mkdir(parents=True)
    pairs = np.stack([fids.real, fids.imag], -1)
    (scan / "rawdata.job0").write_bytes(np.round(pairs).astype("<i4").tobytes())
    (reco / "2dseq").write_bytes(bytes(8 * N))
    job = f"( 1 )\n({2 * N}, {n}, 0, {n}, 101, {WIDTH}, {n}, 1, <job0>)"
    files = {
        scan / "method": {
            "Method": "<Bruker:PRESS>", "PVM_EncSpectroscopy": "Yes", "PVM_EchoTime": 20,
            "PVM_RepetitionTime": 2000, "PVM_NAverages": n, "PVM_NRepetitions": 1,
            "PVM_SpecMatrix": f"( 1 )\n{N}", "PVM_SpecSWH": f"( 1 )\n{WIDTH}",
            "PVM_EncNReceivers": coils, "PVM_DigShift": 0, "PVM_VoxArrSize": "( 1, 3 )\n30 20 8",
            "PVM_VoxArrPosition": "( 1, 3 )\n1 2 3",
        },
        scan / "acqp": {
            "ACQ_sw_version": "( 65 )\n<PV-360.3.5>", "ACQ_dim_desc": "( 1 )\nSpectroscopic",
            "ACQ_size": f"( 1 )\n{2 * N}", "BYTORDA": "little", "ACQ_word_size": "_32_BIT",
            "NUCLEUS": "( 8 )\n<1H>", "BF1": 400.3, "ACQ_jobs": job, "ACQ_dim": 1,
        },
        reco / "visu_pars": {"VisuCoreWordType": "_32BIT_SGN_INT"},
        reco / "reco": {"RECO_mode": "SPECTROSCOPY"},
        Path(name) / "subject": {"SUBJECT_id": "( 60 )\n<disc>"},
    }
    for path, entries in files.items():
        path.write_text(HEAD + "".join(f"##${k}={v}\n" for k, v in entries.items()) + "##END=\n")


def hertz(fid):
    return int(np.fft.fftfreq(len(fid), 1 / WIDTH)[np.argmax(abs(np.fft.fft(fid)))])


found = {}
for name, shape in (("one", (1, 1)), ("transients", (4, 1)), ("coils", (1, 4))):
    amplitudes = 10000.0 * np.arange(1, 1 + np.prod(shape)).reshape(*shape, 1)
    write(name, amplitudes * np.exp(2j * np.pi * 500 * time - 30 * time))
    image = BrukerLoader(name).convert(1)
    fids = np.asarray(image.dataobj)[0, 0, 0].reshape(N, -1).T
    read = Dataset(f"{name}/1/rawdata.job0").data.reshape(N, -1, order="F").T
    found[name] = [abs(hertz(fid)) for fid in fids], [round(abs(fid[0])) for fid in fids]
    print(f"{name:10} brukerapi: lines at {[hertz(fid) for fid in read]} Hz,", end=" ")
    print(f"first samples {[round(abs(fid[0])) for fid in read]}")
    print(f"{name:10} brkraw-mrs: lines {found[name][0]} Hz from 0,", end=" ")
    print(f"first samples {found[name][1]}, voxel {np.diag(image.affine)[:3]} mm")
    if not np.array_equal(image.affine, np.eye(4)):
        sys.exit("brkraw-mrs has changed: it writes the voxel.")
comb = [2000] * 4, [10000, 9925, 9851, 9778]  # 10000 exp(-30 k / 4000)
if found != {"one": ([500], [10000]), "transients": comb, "coils": comb}:
    sys.exit("brkraw-mrs has changed: the FIDs are no longer combs of one another.")
print("Four FIDs went in with amplitudes 1 to 4 and one line at 500 Hz.")
PYTHON
