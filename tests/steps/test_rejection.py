"""Transients left out of whole measurements, against what the simulator spoilt."""

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.simulate.population import KINDS, draw_disc
from mrs_disc.simulate.scanner import Scan, draw_disturbance
from mrs_disc.simulate.study import acquire, plan
from mrs_disc.steps import preprocess


def left_out(acquisition, n_transients):
    return np.isin(np.arange(n_transients), list(preprocess(acquisition, Recipe()).rejected))


def measurement(index, scan):
    rng = np.random.default_rng([91, index])
    kind = KINDS[index % len(KINDS)]
    disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False)
    measured = plan(rng, disc, scan, load_metabolite_model("disc_1h"))
    return measured, acquire(rng, rng, scan, measured)


@pytest.mark.parametrize(
    ("discs", "scan"),
    [
        (40, Scan(n_coils=4, n_transients=32, n_water=2, snr_factor=1.0)),
        pytest.param(
            60, Scan(n_coils=8, n_transients=64, n_water=2, snr_factor=1.0), marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.slow
def test_spoilt_transients_of_the_generative_model(discs, scan):
    """All kinds, from what is clear to 20 degrees and a fifth of the amplitude."""
    hits = misses = alarms = 0
    for index in range(discs):
        measured, acquisition = measurement(index, scan)
        rejected, spoilt = left_out(acquisition, scan.n_transients), measured.disturbance.spoilt
        hits += int(np.sum(rejected & spoilt))
        misses += int(np.sum(~rejected & spoilt))
        alarms += int(np.sum(rejected & ~spoilt))
    assert hits + misses > 50
    assert hits / (hits + misses) >= 0.95
    assert hits / (hits + alarms) >= 0.9


@pytest.mark.parametrize("n_transients", [8, 16, 32])
def test_a_series_without_spoilt_transients_loses_none(n_transients):
    lost = []
    scan = Scan(n_coils=2, n_transients=n_transients, n_water=1, snr_factor=1.0)
    for index in range(20):
        measured, _ = measurement(index, scan)
        rng = np.random.default_rng(index)
        calm = draw_disturbance(rng, scan, measured.clean, spoilt_share=0.0)
        acquisition = acquire(rng, rng, scan, replace(measured, disturbance=calm))
        lost.append(int(left_out(acquisition, n_transients).sum()))
    assert np.mean(lost) <= 0.15


def test_the_order_of_coils_and_their_common_phase_change_nothing():
    scan = Scan(n_coils=6, n_transients=32, n_water=2, snr_factor=1.0)
    for index in range(4):
        _, acquisition = measurement(index, scan)
        order = np.random.default_rng(index).permutation(scan.n_coils)
        turned = []
        for part in (acquisition.metabolite, acquisition.water):
            signal = (3e-4 * np.exp(1.9j) * part.signal[order]).astype(np.complex64)
            turned.append(replace(part, signal=signal))
        other = replace(acquisition, metabolite=turned[0], water=turned[1])
        first = left_out(acquisition, scan.n_transients)
        assert first.any()
        np.testing.assert_array_equal(left_out(other, scan.n_transients), first)


def test_spoilt_transients_are_found_without_alignment_too():
    scan = Scan(n_coils=4, n_transients=32, n_water=2, snr_factor=1.0)
    recipe = Recipe.model_validate({"align": {"method": "none"}})
    hits = spoilt = alarms = 0
    for index in range(20):
        measured, acquisition = measurement(index, scan)
        found = preprocess(acquisition, recipe)
        rejected = np.isin(np.arange(scan.n_transients), list(found.rejected))
        bad = measured.disturbance.spoilt
        hits, spoilt = hits + int(np.sum(rejected & bad)), spoilt + int(bad.sum())
        alarms += int(np.sum(rejected & ~bad))
    assert hits / spoilt >= 0.85
    assert hits / (hits + alarms) >= 0.9
