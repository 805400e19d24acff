"""The error of repetition from transients drawn anew."""

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.analysis import load_models, measure_level
from mrs_disc.analysis.bootstrap import LEAST_TRANSIENTS
from mrs_disc.data import RawSignal
from mrs_disc.errors import InputError
from mrs_disc.recipe import FitOptions, Recipe
from mrs_disc.simulate import Scan, simulate_study

FORMULA = Recipe()
RECIPE = FORMULA.model_copy(update={"fit": FitOptions(bootstrap=20)})
MODELS = load_models(RECIPE)


def acquisition(n_transients=16, seed=71):
    study, _ = simulate_study(
        seed,
        levels=["L4-L5"],
        kinds={"L4-L5": "D"},
        snr=20.0,
        lipid=False,
        baseline=0.0,
        anatomy=False,
        scan=Scan(n_transients=n_transients, n_coils=2, n_points=1024),
    )
    return study["L4-L5"]


def kinds(measurement):
    return [one.kind for one in measurement.preprocessed.findings]


@pytest.mark.slow
def test_it_agrees_with_the_formula_where_noise_is_all():
    disc = acquisition()
    by_formula = measure_level(disc, FORMULA, MODELS)
    found = measure_level(disc, RECIPE, MODELS)
    assert np.array_equal(found.fit.amplitude, by_formula.fit.amplitude)
    assert np.array_equal(found.fit.covariance, by_formula.fit.covariance)
    ratio = np.diag(found.fit.repetition)[:4] / np.diag(by_formula.fit.repetition)[:4]
    # 20 repeats of 16 transients, which the true noise gave its own scatter.
    assert 0.5 < np.sqrt(ratio.mean()) < 2.0
    assert "bootstrapped" in kinds(found)


@pytest.mark.slow
def test_it_is_the_same_each_time():
    one, other = (measure_level(acquisition(), RECIPE, MODELS) for _ in range(2))
    assert np.array_equal(one.fit.repetition, other.fit.repetition)
    assert one.quantities["LAC/PG"].repetition_sd == other.quantities["LAC/PG"].repetition_sd


def test_it_sees_what_the_formula_cannot_know():
    """PG grows by 40 % during the measurement: halves differ, noise does not say so."""
    disc = acquisition()
    signal = disc.metabolite
    assert isinstance(signal, RawSignal)
    growing = np.linspace(0.5, 1.5, signal.signal.shape[1])[None, :, None]
    disc = replace(disc, metabolite=replace(signal, signal=signal.signal * growing))
    found = measure_level(disc, RECIPE, MODELS).fit
    by_formula = measure_level(disc, FORMULA, MODELS).fit
    assert found.repetition[0, 0] > 4 * by_formula.repetition[0, 0]


@pytest.mark.parametrize("n_transients", [1, LEAST_TRANSIENTS - 1])
def test_too_few_transients_keep_the_formula_and_are_said(n_transients):
    disc = acquisition(n_transients)
    found = measure_level(disc, RECIPE, MODELS)
    by_formula = measure_level(disc, FORMULA, MODELS).fit
    assert np.array_equal(found.fit.repetition, by_formula.repetition)
    assert "bootstrap_too_few" in kinds(found)


@pytest.mark.parametrize(("count", "allowed"), [(0, True), (19, False), (20, True), (1001, False)])
def test_the_number_of_repeats_is_checked(count, allowed):
    if allowed:
        assert FitOptions(bootstrap=count).bootstrap == count
    else:
        with pytest.raises((InputError, ValueError), match="bootstrap"):
            FitOptions(bootstrap=count)
