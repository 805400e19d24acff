"""Priors of ratios: switched off on request, and told with how far a disc lies from them."""

from __future__ import annotations

from math import log

import pytest

from mrs_disc.analysis import load_models
from mrs_disc.recipe import FitOptions, Recipe
from mrs_disc.simulate import simulate_study
from mrs_disc.steps import fit, preprocess
from mrs_disc.steps.basis import ratios_of


@pytest.fixture(scope="module")
def fits():
    """The same weak disc with and without priors."""
    study, _ = simulate_study(12, levels=["L4-L5"], kinds={"L4-L5": "P"}, snr=6.0, anatomy=False)
    found = {}
    for held in (True, False):
        recipe = Recipe(fit=FitOptions(ratio_priors=held))
        found[held] = fit(preprocess(study["L4-L5"], recipe), recipe)
    return found


def test_every_prior_is_told_with_its_source_and_its_distance(fits):
    model = load_models(Recipe()).fit
    told = {prior.name: prior for prior in fits[True].ratio_priors}
    assert set(told) == {f"{p.numerator}/{p.denominator}" for p in model.prior}
    for name, prior in told.items():
        above, below = (fits[True].amplitude[fits[True].index(n)] for n in name.split("/"))
        assert prior.source
        assert prior.status in "VRDP"
        if above > 0 < below:
            expected = log(above / below / prior.median) / prior.log_sd
            assert prior.deviation_sd == pytest.approx(expected)
        else:
            assert prior.deviation_sd is None


def test_without_priors_nothing_ties_the_acids(fits):
    """Parts of one component stay together: that is its shape, no ratio of amounts."""
    assert fits[False].ratio_priors == ()
    free = load_models(Recipe()).fit.model_copy(update={"prior": ()})
    tied = {(ratio.numerator, ratio.denominator) for ratio in ratios_of(free)}
    assert tied == {("PG_2", "PG")}
    k = fits[True].index("PA")
    assert fits[False].amplitude[k] != pytest.approx(fits[True].amplitude[k], rel=1e-3)
