"""What mutants of real files once broke, each as the smallest file that did it."""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc import models
from mrs_disc.errors import InputError
from mrs_disc.io import read_scan
from mrs_disc.io.formats.scan import Scan
from mrs_disc.io.gate import examine
from mrs_disc.models.basis import read_basis_fid
from mrs_disc.models.scores import load_score_model
from mrs_disc.record.signals import read_signals


def test_a_twix_record_of_no_channels_and_no_length_ends(tmp_path):
    """The library follows such a record to itself, for ever."""
    head = struct.pack("<2I", 10240, 4) + b"Config\0"
    record = struct.pack("<I", 1) + bytes(124)
    path = tmp_path / "meas.dat"
    path.write_bytes(head.ljust(10240, b"\0") + record + bytes(4096))
    with pytest.raises(InputError, match="record at byte 10240 has 0 bytes"):
        read_scan(path)


@pytest.mark.parametrize("word", ["inf", "-inf", "nan", "1e400"])
def test_a_number_that_is_none_is_refused_without_a_warning(tmp_path, word):
    text = tmp_path / "spectrum.txt"
    text.write_text(f"{word} 1.0\n" + "1.0 2.0\n" * 2000)
    with pytest.raises(InputError):
        read_scan(text)
    raw = tmp_path / "spectrum.RAW"
    raw.write_text(f" $NMID ID='x', FMTDAT='(2E15.6)'\n $END\n {word} 1.0\n" + " 1.0 2.0\n" * 500)
    with pytest.raises(InputError):
        read_basis_fid(raw)


def test_a_signalling_not_a_number_is_refused_without_a_warning(rda):
    content = rda.read_bytes()
    rda.write_bytes(content[:-16] + b"\1\0\0\0\0\0\xf0\x7f" + content[-8:])
    with pytest.raises(InputError, match="not numbers"):
        read_scan(rda)


def test_a_voxel_beyond_all_numbers_has_no_size(rda):
    affine = np.eye(4) * 1e200
    assert replace(read_scan(rda), voxel_affine=affine).voxel_size_mm is None


@pytest.mark.parametrize("name", ["dwell_time_s", "spectrometer_mhz"])
def test_a_zero_is_no_division(rda, name):
    scan: Scan = replace(read_scan(rda), **{name: 0.0})
    examine(scan)


def test_water_beside_the_metabolites_is_looked_at_as_they_are(rda, monkeypatch):
    """A signalling not-a-number in the reference of a file that holds both."""
    scan = read_scan(rda)
    water = scan.signal.copy()
    water[0, 0, 7] = np.frombuffer(b"\1\0\x80\x7f", np.float32)[0]
    monkeypatch.setattr(
        "mrs_disc.io.formats.rda.read", lambda _: replace(scan, water=replace(scan, signal=water))
    )
    with pytest.raises(InputError, match="samples of its water reference are not num"):
        read_scan(rda)


@pytest.mark.parametrize(
    "header",
    ["{'descr': '<c8', 'shape': (", "{'descr': '<c8', 'fortran_order': False, 'shape': (2**70,)}",
     "{'descr': '<c8', 'fortran_order': False, 'shape': (9999999999999,)}", "[" * 9000, "{}"],
)  # fmt: skip
def test_an_array_whose_header_is_none_is_refused(tmp_path, header):
    text = header.encode() + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    path = tmp_path / "signals.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("L4-L5/data.npy", array)
    with pytest.raises(InputError, match="is damaged"):
        read_signals(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_spread_beyond_all_numbers_is_refused(tmp_path):
    """Its square overflowed."""
    whole = Path(models.__file__).with_name("acidity_structure.toml").read_text()
    path = tmp_path / "model.toml"
    path.write_text(re.sub(r"(?m)^sd = .*$", "sd = 1e308", whole))
    with pytest.raises(InputError, match="less than or equal to 100"):
        load_score_model(str(path))


@pytest.fixture
def rda(tmp_path) -> Path:
    from mrs_disc.simulate import simulate_study
    from mrs_disc.simulate.dataset import write_study

    study, _ = simulate_study(1, levels=["L4-L5"], anatomy=False)
    return write_study(tmp_path / "study", study, None, form="rda") / "L4-L5_press.rda"


@pytest.mark.parametrize("value", [1e308, -1e200, float("inf"), float("nan"), 0.0])
@pytest.mark.parametrize("place", range(4))
def test_no_direction_or_place_overflows(value, place):
    from mrs_disc.io.formats.scan import lps_affine

    told = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [20.0, 20.0, 20.0]]
    told[place] = [value, value, value]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        affine = lps_affine(*told[:3], tuple(told[3]))
    assert affine is None or np.all(np.isfinite(affine))


@pytest.mark.parametrize("revision", [float("nan"), float("inf"), -float("inf")])
def test_a_revision_that_is_no_number_is_refused(tmp_path, revision):
    from mrs_disc.io.formats import ge

    path = tmp_path / "P00001.7"
    path.write_bytes(struct.pack("<f", revision) + bytes(200_000))
    with pytest.raises(InputError, match="no number"):
        ge._header(path, path.read_bytes(), revision)


def test_a_dwell_time_that_is_no_number_counts_no_early_samples():
    from mrs_disc.io.formats.scan import Scan

    signal = np.ones((1, 1, 8), dtype=complex)
    scan = Scan(
        format="plain-text",
        reader="text",
        signal=signal,
        nucleus="1H",
        dwell_time_s=float("nan"),
        start_time_s=-0.01,
    )
    assert scan.n_early == 0


@pytest.mark.parametrize("minutes", [60.0, 1e300, float("nan")])
def test_a_time_zone_of_bruker_that_is_none_gives_no_day(minutes):
    from mrs_disc.io.formats import bruker

    class Values:
        def text(self, name):
            return ""

        def word(self, *names):
            return ""

        def of_first(self, name, at):
            return {0: 1.0e9, 2: minutes}[at]

    assert (bruker._identity(Values()).date is not None) == (minutes == 60.0)
