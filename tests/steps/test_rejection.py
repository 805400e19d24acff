"""Transients left out of whole measurements, against what the simulator spoilt."""

import numpy as np
import pytest

from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.simulate.population import KINDS, draw_disc
from mrs_disc.simulate.scanner import Scan
from mrs_disc.simulate.study import acquire, plan
from mrs_disc.steps import preprocess


def departure(measured, n_transients):
    """How far each transient is from the sound ones, in deviations of noise and jitter."""
    d, signal = measured.disturbance, measured.clean.components.sum(axis=0)
    noise = measured.average_sd * np.sqrt(n_transients)
    energy = np.sum(np.abs(signal) ** 2) / noise**2
    own = np.hypot(np.radians(10), 1.5 / np.sqrt(energy))  # the frequency is unknown too
    return np.hypot(d.phase_rad / own, (1 - d.gain) * np.sqrt(energy))


@pytest.mark.parametrize(
    ("discs", "scan"),
    [
        (12, Scan(n_coils=4, n_transients=32, n_water=2)),
        pytest.param(40, Scan(n_coils=8, n_transients=64, n_water=2), marks=pytest.mark.slow),
    ],
)
def test_spoilt_transients_of_the_generative_model(discs, scan):
    """Motion of 20 degrees is within the jitter of sound transients: only what is clear must go."""
    model = load_metabolite_model("disc_1h")
    clear_found, right, left_out = [], 0, 0
    for index in range(discs):
        rng = np.random.default_rng([91, index])
        kind = KINDS[index % len(KINDS)]
        disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False)
        measured = plan(rng, disc, scan, model)
        found = preprocess(acquire(rng, rng, scan, measured), Recipe())
        rejected = np.isin(np.arange(scan.n_transients), list(found.rejected))
        spoilt = measured.disturbance.spoilt
        right += int(np.sum(rejected & spoilt))
        left_out += int(np.sum(rejected))
        clear = spoilt & (departure(measured, scan.n_transients) > 8)
        clear_found += list(rejected[clear])
    assert right / left_out >= 0.9
    assert len(clear_found) > 8
    assert np.mean(clear_found) >= 0.95
