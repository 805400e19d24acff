#!/usr/bin/env bash
# spec2nii 0.8.15: inserting a header into a plain NIfTI file mirrors the spectrum.
# Guess: "spec2nii insert FILE JSON" puts the header extension into the file; the samples stay as
#   they are, whether FILE is NIfTI-MRS already or a complex NIfTI that lost its extension.
# Found: into a NIfTI-MRS file it does. Of a plain NIfTI ("not compliant", "attempting to convert")
#   every sample is written as its conjugate: the line at 2.0 ppm is at 7.3. Extract followed by
#   insert is therefore no way back for a file that lost its header.
# Matters: the extension is lost in any tool that makes a new image of data and affine. Mending such
#   a disc with the command meant for it puts proteoglycan and lactate where nothing is looked for.
# Right: its change log, 0.6.7 and 0.6.11 (insert a compliant header into a non-compliant file; fix
#   such files); NIfTI-MRS, appendix A: one sign for the stored samples, which were right.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import subprocess, sys

import nibabel, numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs
from nifti_mrs.nifti_mrs import NIFTI_MRS

N, DWELL, MHZ = 1024, 5e-4, 127.7
PLACE = np.diag([30.0, 20, 8, 1])


def spec2nii(*arguments):
    command = ["env/bin/spec2nii", *arguments, "-o", "."]
    subprocess.run(command, check=True, capture_output=True)


def line(name):
    mrs = NIFTI_MRS(name)
    spectrum = np.fft.fftshift(np.fft.fft(mrs[:].ravel()))
    return round(float(mrs.axes.ppmAxisShift[abs(spectrum).argmax()]), 1)


time = np.arange(N) * DWELL
fid = np.exp(2j * np.pi * (2.0 - 4.65) * MHZ * time - 12 * time).reshape(1, 1, 1, N)
gen_nifti_mrs(fid, DWELL, MHZ, affine=PLACE).save("disc.nii.gz")
stored = np.asanyarray(nibabel.load("disc.nii.gz").dataobj)
plain = nibabel.Nifti2Image(stored, PLACE)
plain.header.set_xyzt_units("mm", "sec")
plain.header["pixdim"][4] = DWELL
nibabel.save(plain, "plain.nii.gz")

spec2nii("extract", "disc.nii.gz")
spec2nii("insert", "disc.nii.gz", "disc.json", "-f", "again")
spec2nii("insert", "plain.nii.gz", "disc.json", "-f", "mended")
found = {name: line(f"{name}.nii.gz") for name in ("disc", "again", "mended")}
print("line in ppm: original, inserted into NIfTI-MRS, inserted into NIfTI:", found)
mended = np.asanyarray(nibabel.load("mended.nii.gz").dataobj)
if found != {"disc": 2.0, "again": 2.0, "mended": 7.3} or not np.allclose(mended, stored.conj()):
    sys.exit("spec2nii has changed: the mended file is no longer the conjugate.")
print("The samples given to insert were the same in both files.")
PYTHON
