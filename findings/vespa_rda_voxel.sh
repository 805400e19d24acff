#!/usr/bin/env bash
# Vespa-Suite 1.1.0: the voxel of every Siemens RDA file is a cube of 20 mm at the isocentre.
# Guess: RawReaderSiemensRda gives the voxel of the file's header: 30 by 18 by 8 mm at L4/5, tilted.
# Found: [20.0, 20.0, 20.0] at (0, 0, 0) along the scanner's axes, whatever the file says. The
#   reader asks for three names that no RDA file has (image_normal_sagittal and so on: those of
#   another format), and an except without a condition puts the default in place, silently. Its
#   position it would have taken from ColumnVector.
# Matters: a disc voxel is 4.3 ml and is reported with 8; overlap with the disc and tissue fractions
#   are those of a cube elsewhere in the body. A phantom with a cube of 20 mm does not show it.
# Right: spec2nii 0.8.15 and suspect 0.6.2, which agree on the file to the micrometre, and the
#   header: PixelSpacingRow, PixelSpacingCol, VOIThickness, VOIPosition*.
# Versions: Vespa-Suite 1.1.0 with numpy 1.23.5, scipy 1.10.1, configobj 5.0.9; beside it spec2nii
#   0.8.15 and suspect 0.6.2. Vespa is of Python 3.7: a module that later ones dropped
#   (xml.etree.cElementTree, since long the same as ElementTree) is given its old name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
python3 -m venv "$work/others"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  Vespa-Suite==1.1.0 numpy==1.23.5 scipy==1.10.1 configobj==5.0.9
"$work/others/bin/pip" install -q --disable-pip-version-check \
  spec2nii==0.8.15 suspect==0.6.2 nifti-mrs==1.4.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
others/bin/python -W ignore - <<'PYTHON'
import contextlib, io, json
from pathlib import Path

import numpy as np
import suspect

with contextlib.redirect_stderr(io.StringIO()):
    from spec2nii.Siemens.rda import convert_rda

N, TILT = 1024, np.radians(15)
rda = {
    "PatientName": "x", "TR": 2000.0, "TE": 144.0, "TM": 0.0, "TI": 0.0, "DwellTime": 500,
    "MRFrequency": 123.25, "Nucleus": "1H", "FlipAngle": 90.0, "VectorSize": N, "ModelName": "M",
    "DeviceSerialNumber": 1, "SoftwareVersion[0]": "syngo MR E11", "InstitutionName": "x",
    "TransmitCoil": "Body", "SequenceName": "svs_se", "ProtocolName": "L45",
    "VOIPositionSag": 2.0, "VOIPositionCor": 45.0, "VOIPositionTra": -60.0, "VOIThickness": 8.0,
    "VOIPhaseFOV": 18.0, "VOIReadoutFOV": 30.0, "PixelSpacingRow": 18.0, "PixelSpacingCol": 30.0,
    "PixelSpacing3D": 8.0, "SliceThickness": 8.0,
}
vectors = {
    "RowVector": (1.0, 0.0, 0.0), "ColumnVector": (0.0, np.cos(TILT), np.sin(TILT)),
    "PositionVector": (2.0, 45.0, -60.0),
}
for axis in range(3):
    rda[f"CSIMatrixSize[{axis}]"] = 1
    rda |= {f"{name}[{axis}]": f"{vector[axis]:.6f}" for name, vector in vectors.items()}
lines = [">>> Begin of header <<<", *(f"{key}: {value}" for key, value in rda.items())]
header = "\r\n".join([*lines, ">>> End of header <<<", ""]).encode()
Path("disc.rda").write_bytes(header + np.ones(2 * N, "<f8").tobytes())

ras = np.diag([-1, -1, 1, 1])
nifti = convert_rda(Path("disc.rda"), None, False)[0][0].getAffine("voxel", "world")
places = {"spec2nii": ras @ nifti, "suspect": suspect.io.load_rda("disc.rda").transform}
for name, place in places.items():
    sides = np.linalg.norm(place[:3, :3], axis=0)
    print(f"{name}: sides {sides.round(2)} mm, centre {place[:3, 3].round(2)} mm (LPS)")
gap = np.abs(np.abs(places["spec2nii"]) - np.abs(places["suspect"])).max()
Path("agreed.json").write_text(json.dumps({"gap": gap, "sides": sides.tolist()}))
PYTHON
env/bin/python -W ignore - <<'PYTHON'
import json, sys
import xml.etree.ElementTree
from pathlib import Path

sys.modules["xml.etree.cElementTree"] = xml.etree.ElementTree
import numpy as np
from vespa.analysis.fileio.siemens_rda import RawReaderSiemensRda

agreed = json.loads(Path("agreed.json").read_text())
raw = RawReaderSiemensRda().read_raw("disc.rda")[0]
sides = np.linalg.norm(raw.transform[:3, :3], axis=0)
print(f"Vespa: sides {raw.voxel_dimensions} mm, centre {raw.transform[:3, 3]} mm;", end="")
print(f" TE {raw.seqte:.0f} ms, {raw.frequency} MHz as in the file")
volumes = np.prod(raw.voxel_dimensions) / 1e3, np.prod(agreed["sides"]) / 1e3
print("volume: {:.1f} ml for {:.1f}".format(*volumes))
if agreed["gap"] > 1e-3 or not np.allclose(sorted(agreed["sides"]), [8, 18, 30]):
    sys.exit("The other two no longer agree: this comparison has lost its ground.")
cube = list(raw.voxel_dimensions) == [20.0] * 3 and not raw.transform[:3, 3].any()
if not (cube and np.allclose(sides, 20) and raw.seqte == 144):
    sys.exit("Vespa has changed: it reads the voxel of an RDA file.")
print("A cube of 20 mm at the isocentre.")
PYTHON
