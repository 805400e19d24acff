#!/usr/bin/env bash
# spec2nii 0.8.15: the complex 2dseq of a Bruker spectroscopy scan becomes an FID of 2.6 ms at TE 0.
# Guess: width and echo time of the file are those of the scan: 5000 Hz and 20 ms, as method, the
#   extent in visu_pars (12.49 ppm at 400.3 MHz) and the fid of the same scan have them.
# Found: the dwell time is one over VisuAcqPixelBandwidth times the points. ParaVision writes
#   390.625 there for scans of 5000 Hz and of 6010 Hz alike, so 2048 points become 800 kHz wide:
#   1.25 us. EchoTime is VisuAcqEchoTime, which is 0 in both. The points of the spectrum are taken
#   for the FID (for CSI they are transformed back). nifti-mrs validates the file.
# Matters: 2dseq is what ParaVision exports and archives keep of animal discs. At 800 kHz every line
#   lies within 0.1 ppm of water, and TE 0 makes every T2 correction one.
# Right: VisuCoreExtent with VisuCoreUnits [ppm] times VisuAcqImagingFrequency is PVM_SpecSWH (as in
#   both scans); NIfTI-MRS definitions: EchoTime in seconds; NIfTI-MRS 2: the data are FIDs.
# Versions: spec2nii 0.8.15, nifti-mrs 1.4.1. visu_pars has the entries of ParaVision 6.0.1 and 360
#   V3.5 with the two frames of a complex reconstruction.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import subprocess, sys
from pathlib import Path

import numpy as np
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.validator import validate_nifti_mrs

N, WIDTH, MHZ = 2048, 5000.0, 400.264
HEAD = "##TITLE=Parameter List, ParaVision 6.0.1\n##JCAMPDX=4.24\n"
time = np.arange(N) / WIDTH
spectrum = 20 * np.fft.fftshift(np.fft.fft(np.exp(2j * np.pi * 1060 * time - 30 * time)))
reco = Path("study") / "9" / "pdata" / "1"
reco.mkdir(parents=True)
pairs = np.concatenate([spectrum.real, spectrum.imag]).round().astype("<i2")
(reco / "2dseq").write_bytes(pairs.tobytes())
visu = {
    "VisuVersion": 3, "VisuCreatorVersion": "( 65 )\n<6.0.1>", "VisuCoreFrameCount": 2,
    "VisuCoreDim": 1, "VisuCoreSize": f"( 1 )\n{N}", "VisuCoreDimDesc": "( 1 )\nspectroscopic",
    "VisuCoreExtent": f"( 1 )\n{WIDTH / MHZ}", "VisuCoreUnits": "( 1, 65 )\n<[ppm]>",
    "VisuCoreDataOffs": "( 2 )\n0 0", "VisuCoreDataSlope": "( 2 )\n0.5 0.5",
    "VisuCoreFrameType": "( 2 )\nREAL_IMAGE IMAGINARY_IMAGE", "VisuFGOrderDescDim": 1,
    "VisuFGOrderDesc": "( 1 )\n(2, <FG_COMPLEX>, <>, 0, 1)", "VisuCoreByteOrder": "littleEndian",
    "VisuCoreWordType": "_16BIT_SGN_INT", "VisuSubjectName": "( 65 )\n<disc>",
    "VisuSubjectId": "( 65 )\n<disc>", "VisuStudyNumber": 1, "VisuExperimentNumber": 9,
    "VisuStudyDate": "<2026-01-01T10:00:00,000+0000>", "VisuProcessingNumber": 1,
    "VisuAcqSoftwareVersion": "( 65 )\n<6.0.1>", "VisuAcqSequenceName": "( 40 )\n<Bruker:PRESS>",
    "VisuAcqImagingFrequency": MHZ, "VisuAcqImagedNucleus": "( 8 )\n<1H>",
    "VisuAcqPixelBandwidth": 390.625, "VisuAcqEchoTime": "( 1 )\n0",
    "VisuAcquisitionProtocol": "( 65 )\n<PRESS>",
}
method = {
    "Method": "<Bruker:PRESS>", "PVM_EchoTime": 20, "PVM_RepetitionTime": 2000,
    "PVM_SpecSWH": f"( 1 )\n{WIDTH}", "PVM_SpecMatrix": f"( 1 )\n{N}", "PVM_EncNReceivers": 1,
    "PVM_FrqWorkOffsetPpm": "( 8 )\n0 0 0 0 0 0 0 0", "PVM_FrqRef": f"( 8 )\n{MHZ} 0 0 0 0 0 0 0",
}
acqp = {
    "ACQ_sw_version": "( 65 )\n<PV 6.0.1>", "SW_h": WIDTH, "BF1": MHZ, "NR": 1, "NI": 1, "NA": 1,
    "ACQ_dim": 1, "ACQ_dim_desc": "( 1 )\nSpectroscopic", "ACQ_size": f"( 1 )\n{2 * N}",
    "ACQ_repetition_time": "( 1 )\n2000",
}
scan = reco.parents[1]
entries = {reco / "visu_pars": visu, scan / "method": method, scan / "acqp": acqp}
for path, values in {**entries, reco / "reco": {"RECO_mode": "SPECTROSCOPY"}}.items():
    text = "".join(f"##${key}={value}\n" for key, value in values.items())
    path.write_text(HEAD + text + "##END=\n")
command = ["env/bin/spec2nii", "bruker", "-m", "2DSEQ", "-f", "out", "-o", "made", reco / "2dseq"]
subprocess.run(command, check=True, capture_output=True)
mrs = NIFTI_MRS(next(Path("made").glob("*.nii.gz")))
validate_nifti_mrs(mrs)
stored = mrs.image[:][0, 0, 0]
width = float(mrs.hdr_ext["SpectralWidth"])
echo = mrs.hdr_ext["EchoTime"]
print(f"valid: dwell time {mrs.dwelltime:.3g} s ({width:.0f} Hz), EchoTime {echo} s;", end=" ")
print(f"the FID is largest at point {np.argmax(abs(stored))} of {stored.size}")
print(f"visu_pars: {WIDTH / MHZ:.2f} ppm at {MHZ} MHz; method: TE 20 ms, 5000 Hz")
if not np.allclose(stored, 0.5 * np.round(spectrum), atol=1):
    sys.exit("spec2nii has changed: the spectrum is no longer handed on as it stands.")
if round(width) != 800000 or echo != 0.0:
    sys.exit("spec2nii has changed: width or echo time of a 2dseq are taken from elsewhere.")
print("800 kHz is 390.625 Hz times 2048.")
PYTHON
