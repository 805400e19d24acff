#!/usr/bin/env bash
# bids-validator-deno 3.0.2: an MRS sidecar may contradict its own NIfTI file in everything.
# Guess: what the validator does for BOLD (RepetitionTime against pixdim[4]: an error) it does for
#   svs files (SpectralWidth against pixdim[4], points against dim[4]).
# Found: 0 errors with half the spectral width, the wrong number of points, the frequency in Hz,
#   another nucleus than the header extension, an echo time of 30 s, and a ReferenceSignal that
#   points to a file of a subject who does not exist. The BOLD mismatch is an error.
# Matters: these keys scale the ppm axis and the amounts of a disc; "passes the BIDS validator" says
#   nothing of them, and a water reference that is missing is found only by the analysis.
# Right: BIDS 1.10, MRS: sidecar keys describe the file beside them; ReferenceSignal is the path to
#   the reference file. NIfTI-MRS holds the same values.
# Versions: bids-validator-deno 3.0.2 (wheel), nifti-mrs 1.4.1, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  bids-validator-deno==3.0.2 nifti-mrs==1.4.1 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import json, subprocess, sys
from pathlib import Path

import nibabel, numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs

RIGHT = {
    "SpectrometerFrequency": 127.7, "ResonantNucleus": "1H", "EchoTime": 0.03,
    "RepetitionTime": 2.0, "SpectralWidth": 2000, "NumberOfSpectralPoints": 256,
    "PulseSequenceType": "PRESS", "WaterSuppression": True, "MagneticFieldStrength": 3,
    "Manufacturer": "Siemens",
}


def dataset(name):
    top = Path(name)
    top.mkdir()
    facts = {"Name": "disc", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    (top / "dataset_description.json").write_text(json.dumps({**facts, "Authors": ["A", "B"]}))
    (top / "README").write_text("One disc, made to see what the validator compares. " * 5)
    return top


def errors(top):
    done = subprocess.run(
        ["env/bin/bids-validator-deno", top, "--json"], capture_output=True, text=True
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    return sorted({issue["code"] for issue in issues if issue["severity"] == "error"})


def spectrum(name, changes):
    top = dataset(name)
    stem = top / "sub-01" / "mrs" / "sub-01_voi-L4L5_svs"
    stem.parent.mkdir(parents=True)
    data = np.ones((1, 1, 1, 256, 4), complex)
    image = gen_nifti_mrs(data, 5e-4, 127.7, dim_tags=["DIM_DYN", None, None])
    image.save(f"{stem}.nii.gz")
    Path(f"{stem}.json").write_text(json.dumps({**RIGHT, **changes}))
    return errors(top)


def bold(name, repetition):
    top = dataset(name)
    stem = top / "sub-01" / "func" / "sub-01_task-rest_bold"
    stem.parent.mkdir(parents=True)
    image = nibabel.Nifti1Image(np.ones((4, 4, 4, 5), np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2.0
    nibabel.save(image, f"{stem}.nii.gz")
    Path(f"{stem}.json").write_text(json.dumps({"TaskName": "rest", "RepetitionTime": repetition}))
    return errors(top)


wrong = {
    "nothing": {}, "SpectralWidth": {"SpectralWidth": 4000},
    "NumberOfSpectralPoints": {"NumberOfSpectralPoints": 2048},
    "SpectrometerFrequency": {"SpectrometerFrequency": 127.7e6},
    "ResonantNucleus": {"ResonantNucleus": "31P"}, "EchoTime": {"EchoTime": 30.0},
    "ReferenceSignal": {"ReferenceSignal": "bids::sub-99/mrs/sub-99_voi-L4L5_mrsref.nii.gz"},
}
found = {key: spectrum(key, changes) for key, changes in wrong.items()}
for key, codes in found.items():
    print(f"svs, wrong: {key:24} errors: {codes}")
contrast = bold("bold_right", 2.0), bold("bold_wrong", 3.0)
print("bold, RepetitionTime right:", contrast[0], " wrong:", contrast[1])
if any(found.values()) or "REPETITION_TIME_MISMATCH" not in contrast[1]:
    sys.exit("bids-validator-deno has changed: it compares MRS sidecars now, or BOLD no more.")
print("No contradiction of an MRS sidecar is seen.")
PYTHON
