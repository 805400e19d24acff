#!/usr/bin/env bash
# Vespa-Suite 1.1.0: a VE twix file of 30 ms has an echo time of 0.03 ms, its voxel is not turned,
# and with oversampling removed its signal is twice as large.
# Guess: the echo time is in ms, as of every other reader ("seqte: [ms]"), the voxel lies as the
#   header says, and removing oversampling keeps the size of the signal.
# Found: echo and repetition time are microseconds times 1e-6, so 0.03 and 2 stand where an RDA file
#   of the scan gives 30 and 2000. The rotation in plane is looked for under a name that no header
#   has, so it is 0 for VD and VE. Where the protocol asks for removed oversampling, the transform
#   back over half as many points divides by half of what it should.
# Matters: corrections for T2 do nothing at 0.03 ms. A disc voxel turned by 14 degrees is masked
#   unturned. A metabolite scan with oversampling removed and a water scan without give amounts
#   twice as large.
# Right: its own documentation of seqte and its RDA reader; the header's alTE (us) and dInPlaneRot;
#   the samples of the same file read without the flag.
# Versions: Vespa-Suite 1.1.0 with numpy 1.23.5, scipy 1.10.1, configobj 5.0.9. Vespa is of Python
#   3.7: a module that later ones dropped (xml.etree.cElementTree, since long the same as
#   ElementTree) is given its old name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  Vespa-Suite==1.1.0 numpy==1.23.5 scipy==1.10.1 configobj==5.0.9
cd "$work"
cat > write.py <<'PYTHON'
import struct

SET = 7  # place of a loop counter
FIRST = 1 << 28  # flag of the first readout


def write(path, transients, *more):
    """Write a twix file of VE: transients by coils by points."""
    lines = {
        "tSequenceFileName": '"%SiemensSeq%\\svs_se"', "alTE[0]": 30000, "alTR[0]": 2000000,
        "sProtConsistencyInfo.tBaselineString": '"N4_VE11C_LATEST_20160120"',
        "sTXSPEC.asNucleusInfo[0].tNucleus": '"1H"', "sRXSPEC.alDwellTime[0]": 250000,
        "sTXSPEC.asNucleusInfo[0].lFrequency": 123200000, "lAverages": len(transients),
        "sSpecPara.lAutoRefScanMode": 1, "sSpecPara.lAutoRefScanNo": 0,
        "sSpecPara.lPreparingScans": 0, "sSpecPara.sVoI.sNormal.dTra": 1,
        "sSpecPara.sVoI.dInPlaneRot": 0.25, "sSpecPara.sVoI.dReadoutFOV": 30,
        "sSpecPara.sVoI.dPhaseFOV": 20, "sSpecPara.sVoI.dThickness": 8, **dict(more),
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
        loops = [0 if is_end or k != SET else number for k in range(14)]
        start = struct.pack(
            "<5I20x2I2H14H", 192 + len(coils) * (32 + 8 * coils.shape[1]), 1, number, 0, 0,
            is_end or FIRST * (number == 0), 0, coils.shape[1], len(coils), *loops,
        )
        scan += start.ljust(192, b"\0")
        scan += b"".join(bytes(32) + c.astype("<c8").tobytes() for c in coils)
    scan += bytes(-len(scan) % 512)
    table = struct.pack("<IIIIQQ", 0, 1, 1, 2, 10240, len(scan)).ljust(10240, b"\0")
    with open(path, "wb") as file:
        file.write(table + scan)
PYTHON
env/bin/python -W ignore - <<'PYTHON'
import sys
import xml.etree.ElementTree

sys.modules["xml.etree.cElementTree"] = xml.etree.ElementTree
import numpy as np
from vespa.analysis.fileio.siemens_twix_svs_se import RawReaderSiemensTwixSvsSe
from write import write

TIME = np.arange(1024) * 2.5e-4
fid = 100 * np.exp((2j * np.pi * 300 - 20) * TIME)
transients = np.array([np.stack([fid, 0.5j * fid])] * 4)
found = {}
for name, more in (("kept", ()), ("removed", (("sSpecPara.ucRemoveOversampling", "0x1"),))):
    write(f"{name}.dat", transients, *more)
    found[name] = RawReaderSiemensTwixSvsSe().read_raw(f"{name}.dat")[0]
    samples = abs(found[name].data[0, 0, 0])
    found[name].at = samples[40 if name == "kept" else 20]  # the sample at 10 ms
    print(f"oversampling {name}: TE {found[name].seqte}, TR {found[name].seqtr},", end=" ")
    print(f"{samples.size} points, at 10 ms {found[name].at:.1f} of {abs(fid[40]):.1f}")
turned = np.degrees(np.arctan2(*abs(found["kept"].transform[[1, 0], 0])))
print(f"row of the voxel turned by {turned:.1f} degrees of {np.degrees(0.25):.1f}")
if found["kept"].seqte != 0.03 or found["kept"].seqtr != 2:
    sys.exit("Vespa has changed: echo and repetition time are other numbers.")
if turned != 0:
    sys.exit("Vespa has changed: the rotation in plane is read.")
if abs(found["kept"].at / abs(fid[40]) - 1) > 0.01:
    sys.exit("With oversampling the samples are no longer those of the file.")
if abs(found["removed"].at / abs(fid[40]) - 2) > 0.1:
    sys.exit("Vespa has changed: removing oversampling does not double the signal.")
PYTHON
