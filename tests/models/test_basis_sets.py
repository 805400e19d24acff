"""Basis sets of other programs: their lines lie where chemistry has them, whatever the form."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.analysis.own_sum import own_sum
from mrs_disc.cli import run
from mrs_disc.errors import ReadError
from mrs_disc.models import load_metabolite_model
from mrs_disc.models.basis_sets import read_basis_set

SAMPLE = Path(__file__).parents[2] / "sample_data" / "basis" / "three.basis"
MHZ, DWELL, N = 127.7, 5e-4, 1024
LINES = {"PG": 2.04, "LAC": 1.31, "CHO": 3.21}


def fids(sign=1.0):
    time = DWELL * np.arange(N)
    return {
        name: np.exp(sign * 2j * np.pi * (ppm - 4.65) * MHZ * time - np.pi * time)
        for name, ppm in LINES.items()
    }


def fsl(folder, sign, dwell=DWELL):
    folder.mkdir(exist_ok=True)
    for name, fid in fids(sign).items():
        part = {"basis_re": fid.real.tolist(), "basis_im": fid.imag.tolist(), "basis_name": name}
        part |= {"basis_dwell": dwell, "basis_centre": MHZ}
        (folder / f"{name}.json").write_text(json.dumps({"basis": part, "seq": {}}))
    return folder


def osprey(folder, sign):
    from scipy.io import savemat

    folder.mkdir(exist_ok=True)
    one = fids(sign)
    basis = {"fids": np.array(list(one.values())).T, "name": list(one), "dwelltime": DWELL}
    savemat(folder / "set.mat", {"BASIS": basis | {"txfrq": 1e6 * MHZ}})
    return folder / "set.mat"


def raw(folder, sign):
    folder.mkdir(exist_ok=True)
    for name, fid in fids(-sign).items():  # as in a NIfTI-MRS file
        lines = "\n".join(f" {point.real:.8E} {point.imag:.8E}" for point in fid)
        head = f" $SEQPAR\n HZPPPM = {MHZ}\n DELTAT = {DWELL}\n $END\n $NMID\n ID='{name}'\n $END\n"
        (folder / f"{name}.RAW").write_text(head + lines)
    return folder


def jmrui_text(signals, names=""):
    blocks = "".join(
        f"Signal {n} out of {len(signals)} in file\n"
        + "".join(f"{point.real:.6E}\t{point.imag:.6E}\t0\t0\n" for point in fid)
        for n, fid in enumerate(signals, 1)
    )
    return (
        f"jMRUI Data Textfile\n\nFilename: set\n\nPointsInDataset: {N}\nDatasetsInFile: "
        f"{len(signals)}\nSamplingInterval: {1e3 * DWELL}\nTransmitterFrequency: {1e6 * MHZ:.6E}\n"
        f"{names}\nSignal and FFT\nsig(real)\tsig(imag)\tfft(real)\tfft(imag)\n{blocks}"
    )


def jmrui(folder, sign):
    folder.mkdir(exist_ok=True)
    one = fids(sign)
    names = f"SignalNames: {';'.join(one)};\n"
    (folder / "set.txt").write_text(jmrui_text(list(one.values()), names))
    return folder / "set.txt"


def jmrui_files(folder, sign):
    """A folder as BasisREMY writes it."""
    folder.mkdir(exist_ok=True)
    for name, fid in fids(sign).items():
        (folder / f"{name}.txt").write_text(jmrui_text([fid]))
    (folder / "basis_sidecar.json").write_text('{"format": "jmrui_txt"}')
    return folder


def jmrui_binary(folder, sign):
    folder.mkdir(exist_ok=True)
    for name, fid in fids(sign).items():
        header = np.zeros(64, ">f8")
        header[[1, 2, 5]] = N, 1e3 * DWELL, 1e6 * MHZ
        (folder / f"{name}.mrui").write_bytes(header.tobytes() + fid.astype(">c16").tobytes())
    return folder


FORMS = (fsl, osprey, raw, jmrui, jmrui_files, jmrui_binary)


def peak_ppm(fid, dwell_s, mhz=MHZ):
    size = 8 * fid.size
    spectrum = np.abs(np.fft.fft(fid, size))
    return 4.65 + np.fft.fftfreq(size, dwell_s)[np.argmax(spectrum)] / mhz


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("form", FORMS)
def test_lines_lie_below_water_whatever_sign_the_program_has(form, sign, tmp_path):
    found = read_basis_set(form(tmp_path / "set", sign))
    assert sorted(found.fids) == sorted(LINES)
    for name, fid in found.fids.items():
        assert peak_ppm(fid, found.dwell_time_s) == pytest.approx(LINES[name], abs=0.01)
    assert found.spectrometer_mhz == pytest.approx(MHZ)
    assert bool(found.remarks) is (sign < 0)


def test_a_set_of_lcmodel_becomes_a_model_that_finds_its_own_sum(tmp_path, capsys):
    out = tmp_path / "three.toml"
    assert run(["model", "import", str(SAMPLE), "-o", str(out)]) == 0
    assert "3 components; their own sum is found" in capsys.readouterr().err
    model = load_metabolite_model(str(out))
    assert [c.name for c in model.component] == ["PG", "LAC", "CHO"]
    for component, ppm, area in zip(model.component, (2.04, None, 3.21), (3, 3, 9), strict=True):
        fid = component.simulated.fid
        assert abs(fid[0]) == pytest.approx(area, rel=1e-4)  # of the format: five digits
        if ppm:
            assert peak_ppm(fid, component.simulated.dwell_time_s) == pytest.approx(ppm, abs=0.01)
    assert run(["model", "check", str(out)]) == 0
    assert run(["model", "import", str(SAMPLE), "-o", str(out)]) == 2  # nothing is overwritten


def test_a_component_twice_is_not_found_in_the_sum(tmp_path, capsys):
    folder = fsl(tmp_path / "set", 1.0)
    (folder / "TWIN.json").write_text((folder / "PG.json").read_text().replace("PG", "TWIN"))
    assert run(["model", "import", str(folder), "-o", str(tmp_path / "two.toml")]) == 3
    assert "their sum cannot be fitted: components PG and TWIN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.basis", "nothing", r"a\.basis: holds no \$BASIS"),
        ("a.basis", " $BASIS\n METABO='A' $END\n 1. 2. 3.\n", "A: 3 numbers"),
        ("a.basis", " $BASIS\n METABO='A' $END\n 1. 2.\n", "lacks BADELT"),
        ("a.mat", "nothing", "no basis set of Osprey"),
        ("set/a.json", "{}", r"a\.json: is no basis of FSL-MRS"),
        ("set/a.csv", "", "holds no file of a basis set"),
        ("set/a.raw", " $NMID $END\n 1. 2.\n", "lacks DELTAT"),
        ("a.txt", jmrui_text([np.ones(N)] * 2), "2 signals and no SignalNames"),
        ("a.txt", "jMRUI Data Textfile\nPointsInDataset: 9\n", "holds 0 of 1 signals"),
    ],
)
def test_what_is_no_basis_set_is_said_in_one_line(name, content, message, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(ReadError, match=message):
        read_basis_set(path.parent if "/" in name else path)


def test_a_folder_of_two_kinds_of_files_is_no_set(tmp_path):
    folder = fsl(tmp_path / "set", 1.0)
    raw(folder, 1.0)
    with pytest.raises(ReadError, match=r"several kinds \(\.json, \.raw\)"):
        read_basis_set(folder)


def test_a_sidecar_beside_the_metabolites_is_no_metabolite(tmp_path):
    folder = fsl(tmp_path / "set", 1.0)
    (folder / "basis_sidecar.json").write_text('{"format": "fsl_json"}')
    assert sorted(read_basis_set(folder).fids) == sorted(LINES)


def test_files_of_several_dwell_times_are_no_set(tmp_path):
    folder = fsl(tmp_path / "set", 1.0)
    other = json.loads((folder / "PG.json").read_text())
    other["basis"]["basis_dwell"] = 1e-4
    (folder / "PG.json").write_text(json.dumps(other))
    with pytest.raises(ReadError, match="several dwell times"):
        read_basis_set(folder)


@pytest.mark.skipif("MRS_DISC_REAL_DATA" not in os.environ, reason="wants real files")
@pytest.mark.parametrize(
    "name", ["lcmodel/3t.basis", "fitting_challenge/basis_lcmodel/press3T_30ms.BASIS"]
)
def test_real_sets_have_their_lines_and_amounts(name, tmp_path):
    """Creatine's CH3 at 3.03 ppm with the CH2 beside it: five protons, NAA's singlet at 2.01."""
    path = Path(os.environ["MRS_DISC_REAL_DATA"]) / name
    if not path.exists():
        pytest.skip(f"no {name}")
    found = read_basis_set(path)
    mhz = found.spectrometer_mhz
    for metabolite, ppm in (("Cr", 3.03), ("NAA", 2.01)):
        place = peak_ppm(found.fids[metabolite], found.dwell_time_s, mhz)
        assert place == pytest.approx(ppm, abs=0.02)
    one = found.fids["Cr"]
    assert abs(one[0]) == pytest.approx(2 * abs(one[1]) - abs(one[2]), rel=0.1)  # not halved
    assert run(["model", "import", str(path), "-o", str(tmp_path / "real.toml")]) == 0
    assert own_sum(load_metabolite_model(str(tmp_path / "real.toml")), mhz).holds
