"""What mutants of real files once broke, each as the smallest file that did it."""

from __future__ import annotations

import hashlib
import re
import struct
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
