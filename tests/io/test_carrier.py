"""Two files of one disc count from carriers of their own; what they hold lies where it lies."""

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.io.formats.scan import Scan, read_only
from mrs_disc.recipe import Recipe
from mrs_disc.steps.preprocessing import preprocess

MHZ, DWELL = 127.75, 1 / 2000


@pytest.fixture
def scan(spectrum):
    def make(water, n=2, seed=1, *, carrier_hz=0.0, carrier_ppm=4.65, water_hz=0.0, form="a"):
        """Lines that stay where they are, seen from a carrier so far above that of the others."""
        time = DWELL * np.arange(512)
        rows = spectrum(n, water=water, seed=seed).astype(complex)
        seen = water_hz - carrier_hz - (carrier_ppm - 4.65) * MHZ
        return Scan(
            format=form,
            reader=form,
            signal=read_only((rows * np.exp(2j * np.pi * seen * time))[None]),
            nucleus="1H",
            spectrometer_mhz=MHZ + carrier_hz * 1e-6,
            dwell_time_s=DWELL,
            reference_ppm=carrier_ppm,
            echo_time_s=0.03,
        )

    return make


def paired(metabolite, water):
    sources = (Source(scan=metabolite, name="m"), Source(scan=water, name="w"))
    acquired = to_acquisition("L4-L5", *sources, Given())
    noted = [one.values["note"] for one in acquired.findings if one.kind == "of_the_water"]
    return acquired, {one.kind: one.values["hz"] for one in noted}


@pytest.mark.parametrize("residual", [0.0, 5.0])
@pytest.mark.parametrize("where", [{"carrier_hz": h} for h in (-40, -20, -6, 6, 40)])
def test_the_water_of_another_carrier_is_seen_from_that_of_the_metabolites(where, residual, scan):
    metabolite = scan(residual, seed=2)
    expected, nothing = paired(metabolite, scan(5000.0))
    found, noted = paired(metabolite, scan(5000.0, **where))
    assert nothing == {}
    assert noted == {"carrier_moved": pytest.approx(where["carrier_hz"])}
    assert found.water.sampling == expected.water.sampling
    largest = np.abs(expected.water.signal).max()
    assert np.abs(found.water.signal - expected.water.signal).max() < 1e-6 * largest


def test_a_carrier_declared_in_ppm_counts_too(scan):
    metabolite = scan(5.0, seed=2)
    expected, _ = paired(metabolite, scan(5000.0))
    found, noted = paired(metabolite, scan(5000.0, carrier_ppm=3.0))
    assert noted == {"carrier_moved": pytest.approx(-1.65 * MHZ)}
    assert found.water.sampling == expected.water.sampling
    largest = np.abs(expected.water.signal).max()
    assert np.abs(found.water.signal - expected.water.signal).max() < 1e-6 * largest


def test_a_carrier_that_followed_the_field_is_left(scan):
    """The field drifted by 40 Hz between the scans, and each was set on its own water."""
    water = scan(5000.0, carrier_hz=40, water_hz=40)
    found, noted = paired(scan(5.0, seed=2), water)
    assert noted == {"carrier_doubted": pytest.approx(40)}
    assert np.array_equal(found.water.signal, water.signal[0])


@pytest.mark.parametrize("rounded_hz", [-48.0, 30.0])
def test_two_formats_that_round_do_not_move_the_water(rounded_hz, scan):
    water = scan(5000.0, form="b")
    water = replace(water, spectrometer_mhz=MHZ + rounded_hz * 1e-6)
    found, noted = paired(scan(5.0, seed=2), water)
    assert noted == {"carrier_doubted": pytest.approx(rounded_hz)}
    assert np.array_equal(found.water.signal, water.signal[0])


@pytest.mark.parametrize("carrier", ["-40", "-20", "-6", "+6"])
def test_a_real_water_from_another_carrier_gives_the_same_spectrum(carrier, real_data):
    folder = real_data / "found" / "reduced"
    metabolite = read_scan(folder / "press.nii.gz")

    def cleaned(name):
        acquired, _ = paired(metabolite, read_scan(folder / f"water_carrier_{name}.nii.gz"))
        return preprocess(acquired, Recipe())

    expected, found = cleaned("+0"), cleaned(carrier)
    for one in ("fid", "water"):
        a, b = getattr(expected, one).signal, getattr(found, one).signal
        assert np.abs(a - b).max() < 1e-5 * np.abs(a).max()
