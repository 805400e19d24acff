"""Logistic, cutoffs and structure index: against closed forms, and where they give no number."""

from __future__ import annotations

from math import erf, exp, log, sqrt

import numpy as np
import pytest

from mrs_disc.data import Quantities, Quantity
from mrs_disc.models.relaxation import load_relaxation_model
from mrs_disc.models.scores import load_score_model, score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.scoring import score_discs

SCOPE = {
    "components": ["PG", "LAC"],
    "echo_time_s": [0.02, 0.04],
    "field_t": [3.0],
    "source": "a test",
    "status": "P",
}
HEAD = {
    "name": "trial",
    "intended_use": "tests",
    "scope": SCOPE,
    "training": {"data": "nothing", "source": "a test", "status": "P"},
}
OPTIONS = ScoreOptions()


def quantities(**values: tuple[float, float]) -> Quantities:
    names = tuple(values)
    return Quantities(
        values={n: Quantity(value=v, sd=s) for n, (v, s) in values.items()},
        names=names,
        covariance=tuple(map(tuple, np.diag([s**2 for _, s in values.values()]))),
    )


def logistic(*terms: dict, intercept: float = -1.0) -> object:
    content = {
        **HEAD,
        "kind": "logistic",
        "intercept": intercept,
        "prevalence": 0.3,
        "term": list(terms),
        "source": "a test",
        "status": "P",
    }
    return score_model(content, "trial.toml")


def test_logistic_probability_is_the_mean_over_the_error(disc):
    model = logistic({"quantity": "x", "coefficient": 2.0, "centre": 1.0, "scale": 0.5})
    one = disc(0.3, 1.0, quantities=quantities(x=(1.4, 0.3)))
    score = score_discs([one], model, OPTIONS)[0]
    draws = -1 + 2 * (1.4 + 0.3 * np.random.default_rng(0).standard_normal(400_000) - 1) / 0.5
    assert score.value == pytest.approx(float(np.mean(1 / (1 + np.exp(-draws)))), abs=2e-3)
    assert score.low < score.value < score.high


def test_logistic_takes_logarithms_with_their_error(disc):
    model = logistic({"quantity": "x", "coefficient": 1.0, "transform": "log"}, intercept=0.0)
    one = disc(0.3, 1.0, quantities=quantities(x=(2.0, 0.002)))
    assert score_discs([one], model, OPTIONS)[0].value == pytest.approx(2 / 3, abs=1e-3)


def test_logistic_prevalence_is_a_shift_of_the_logit(disc):
    model = logistic({"quantity": "x", "coefficient": 1.0}, intercept=0.0)
    one = disc(0.3, 1.0, quantities=quantities(x=(0.0, 1e-9)))
    value = score_discs([one], model, ScoreOptions(prevalence=0.6))[0].value
    assert value / (1 - value) == pytest.approx(0.6 / 0.4 / (0.3 / 0.7), rel=1e-6)


@pytest.mark.parametrize("name", ["logistic", "cutoffs", "structure_index"])
def test_a_missing_quantity_gives_no_number_but_its_reason(disc, name):
    models = {
        "logistic": logistic({"quantity": "x", "coefficient": 1.0}),
        "cutoffs": load_score_model("lactate_cutoff"),
        "structure_index": load_score_model("structure_index"),
    }
    key = {"logistic": "x", "cutoffs": "LAC/PG", "structure_index": "log(structure/water)"}[name]
    empty = Quantities(values={key: Quantity(value=None, reason="no water reference")})
    score = score_discs([disc(0.3, 1.0, quantities=empty)], models[name], OPTIONS)[0]
    assert (score.value, score.label) == (None, "indeterminate")
    assert "no water reference" in score.reasons[0]


def test_cutoff_value_is_the_chance_to_pass_it(disc):
    model = load_score_model("lactate_cutoff")
    limit = model.cutoff[0].limit
    for z in (-1.5, 0.0, 0.7, 3.0):
        one = disc(0.3, 1.0, quantities=quantities(**{"LAC/PG": (limit + z * 0.05, 0.05)}))
        score = score_discs([one], model, OPTIONS)[0]
        assert score.value == pytest.approx(0.5 * (1 + erf(z / sqrt(2))), abs=0.012)  # 8000 draws


def test_structure_index_never_labels(disc):
    model = load_score_model("structure_index")
    healthy, degenerated = (c.mean for c in model.disc_class)
    for value, side in ((healthy, False), (degenerated, True)):
        one = disc(0.3, 1.0, quantities=quantities(**{"log(structure/water)": (value, 0.05)}))
        score = score_discs([one], model, OPTIONS)[0]
        assert score.label == "indeterminate"
        assert score.value is None
        assert (score.inputs["degeneration"] > 0.5) is side


def test_structure_index_is_bayes_with_normal_classes(disc):
    model = load_score_model("structure_index")
    value, sd = 5.0, 0.2
    one = disc(0.3, 1.0, quantities=quantities(**{"log(structure/water)": (value, sd)}))
    weights = {}
    for c in model.disc_class:
        spread = sqrt(c.sd**2 + sd**2)
        weights[c.degenerated] = c.share / spread * exp(-0.5 * ((value - c.mean) / spread) ** 2)
    found = score_discs([one], model, OPTIONS)[0].inputs["degeneration"]
    assert log(found / (1 - found)) == pytest.approx(log(weights[True] / weights[False]))


def test_structure_index_stays_true_and_alive_where_the_t2_of_pg_is_not_known(disc):
    """T2 drawn from 27 to 100 ms, TE 30 ms: of discs called degenerated with p, p are.

    Nine tenths of structure are PG; its amount is off by exp(TE / prior - TE / T2). The prior of
    80 ms and 20 % that stood before called .89 what was true of .62. Tolerance: twice the standard
    error of a share of 300 discs.
    """
    model, rng = load_score_model("structure_index"), np.random.default_rng(6)
    prior = load_relaxation_model("relaxation").of("PG").t2[0]
    spread, other = 0.92 * prior.log_sd * 0.030 / prior.seconds, 0.12
    told, true = [], []
    for c in model.disc_class:
        for _ in range(round(1200 * c.share)):
            t2 = exp(rng.uniform(log(0.027), log(0.100)))
            value = c.mean + c.sd * rng.standard_normal() + other * rng.standard_normal()
            value += 0.92 * 0.030 * (1 / prior.seconds - 1 / t2)
            known = quantities(**{"log(structure/water)": (value, sqrt(spread**2 + other**2))})
            score = score_discs([disc(0.3, 1.0, quantities=known)], model, OPTIONS)[0]
            told.append(score.inputs["degeneration"])
            true.append(c.degenerated)
    told, true = np.array(told), np.array(true)
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        inside = (told >= low) & (told < high)
        assert true[inside].mean() == pytest.approx(told[inside].mean(), abs=0.06)
    assert np.mean((told < 0.2) | (told > 0.8)) > 0.6
