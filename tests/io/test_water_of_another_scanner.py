"""Water of another scanner is noticed by maker, model or serial number, and left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.io.formats.scan import Identity, Scan, digest
from mrs_disc.io.gate import false_pair

SIGNAL = np.ones((1, 1, 64), complex)


def scan(**facts):
    known = {"manufacturer": "Siemens", "scanner": "Skyra", "identity": Identity()}
    serial = facts.pop("serial", "")
    fields = known | facts | ({"identity": Identity(device=digest(serial))} if serial else {})
    return Scan(format="x", reader="x", signal=SIGNAL * (1 + len(facts)), **fields)


@pytest.mark.parametrize(("metabolite", "water", "kind"), [
    ({}, {"manufacturer": "Philips"}, "other_maker"),
    ({}, {"scanner": "Prisma"}, "other_model"),
    ({"serial": "111"}, {"serial": "777", "software": "E11"}, "other_device"),
])  # fmt: skip
def test_another_scanner_is_noticed(metabolite, water, kind):
    assert false_pair(scan(**metabolite), scan(**water)).kind == kind


@pytest.mark.parametrize("silent", ["manufacturer", "scanner", "identity"])
def test_what_one_file_does_not_say_is_no_difference(silent):
    one = scan(serial="111")
    other = replace(
        scan(serial="111"),
        signal=2 * SIGNAL,
        **{silent: Identity() if silent == "identity" else None},
    )
    assert false_pair(one, other) is None
    assert false_pair(other, one) is None
