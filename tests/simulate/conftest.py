"""A small study that the tests of files share."""

import pytest

from mrs_disc.simulate import Scan, simulate_study

SMALL = Scan(n_points=1024, spectral_width_hz=2000.0, n_coils=3, n_transients=8, n_water=2)


@pytest.fixture(scope="session")
def small_study():
    levels = ("L3-L4", "L4-L5")
    kinds = {"L3-L4": "H", "L4-L5": "P"}
    return simulate_study(9, levels=levels, scan=SMALL, kinds=kinds, snr=30.0, provocation=True)
