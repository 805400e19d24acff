"""More of a component elsewhere in the field: let in by evidence, counted to the component."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mrs_disc.data import DiscAcquisition, Fid, Protocol, Sampling
from mrs_disc.models import Component, load_metabolite_model
from mrs_disc.recipe import load_recipe
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.steps import fit, preprocess
from mrs_disc.steps.basis import basis_of
from mrs_disc.steps.chosen import without
from mrs_disc.validate.second import signals

MODEL = load_metabolite_model("disc_1h")
SAMPLING = Sampling(dwell_time_s=4e-4, spectrometer_mhz=127.74)
TIME = SAMPLING.time_s(2048)
PULSED = Evolution(echo_time_s=0.030)


def disc_with_lipid(pools_hz, area=80.0, seed=0, field_hz=6.0):
    """Return PG of area 100 and lipid, from lines that share nothing with the model."""
    table = signals.load_tables().lines["lipid"]
    total = signals.singlets(
        TIME, hz=signals.hz_of([2.04], 127.74), area=[100.0], lorentz_hz=[10.0], gauss_hz=[field_hz]
    )
    for hz in pools_hz:
        total = total + signals.singlets(
            TIME,
            hz=signals.hz_of(table.ppm, 127.74) + hz,
            area=area / len(pools_hz) * table.protons / table.protons.sum(),
            lorentz_hz=4.0,
            gauss_hz=np.hypot(field_hz, 13.0),
        )
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(TIME.size) + 1j * rng.standard_normal(TIME.size)
    protocol = Protocol(
        sequence="PRESS", echo_time_s=0.030, repetition_time_s=1.5, spectrometer_mhz=127.74
    )
    fid = Fid(signal=(total + 5.0 * noise).astype(np.complex64), sampling=SAMPLING)
    return DiscAcquisition(level="L4-L5", metabolite=fid, protocol=protocol)


@pytest.mark.parametrize("pools_hz", [(0.0,), (-9.0, 9.0), (10.0,)])
def test_lipid_in_other_fields_is_lipid_and_no_lactate(pools_hz):
    recipe = load_recipe()
    fitted = fit(preprocess(disc_with_lipid(pools_hz), recipe), recipe)
    assert [name for name in fitted.names if name.startswith("LIP")] == ["LIP"]
    lipid, lactate = fitted.index("LIP"), fitted.index("LAC")
    # The nine peaks of fat hold 6 % that the model's six lack.
    assert abs(fitted.amplitude[lipid] - 80.0) < 3 * fitted.sd[lipid] + 8.0
    assert abs(fitted.amplitude[lactate]) < 2.5 * fitted.sd[lactate]


@pytest.mark.parametrize("field_hz", [30.0, 50.0, 70.0])
def test_pools_like_their_component_where_lines_are_broad_do_not_stop_a_fit(field_hz):
    recipe = load_recipe()
    fitted = fit(preprocess(disc_with_lipid((0.0,), field_hz=field_hz), recipe), recipe)
    assert np.all(np.isfinite(fitted.amplitude))
    if field_hz < 45.0:  # from there on lines are as broad as the baseline's humps
        assert abs(fitted.amplitude[fitted.index("PG")] - 100.0) < 4 * fitted.sd[fitted.index("PG")]


def test_pools_are_no_part_of_the_usual_shape_and_go_with_their_component():
    basis = basis_of(MODEL, PULSED, SAMPLING, 512)
    assert basis.reported.count("LIP") == 1
    lipid = basis.reported.index("LIP")
    alone = basis.fids[basis.names.index("LIP")]
    assert np.array_equal(basis.whole_fids[lipid], alone)
    assert lipid in basis.sure
    less = basis_of(without(MODEL, ["LIP"]), PULSED, SAMPLING, 512)
    assert not [name for name in less.wholes if name == "LIP"]


def test_a_pool_is_the_components_own_lines_moved_and_widened():
    (component,) = (one for one in MODEL.component if one.name == "LIP")
    for pool in component.pool:
        for own, moved in zip(component.resonance, pool.lines_of(component.resonance), strict=True):
            assert moved.ppm - own.ppm == pytest.approx(pool.shift_ppm)
            assert moved.gauss_width_ppm**2 - own.gauss_width_ppm**2 == pytest.approx(
                pool.gauss_width_ppm**2
            )
            assert moved.weight == own.weight


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pool": ({"probability": 0.1, "ratio": 0.5},)}, "shift_ppm or gauss_width_ppm"),
        (
            {"pool": ({"shift_ppm": 0.1, "probability": 0.1, "ratio": 0.5},), "basis": "a.nii"},
            "either",
        ),
    ],
)
def test_a_pool_that_is_none_is_refused(change, said):
    plain = {"name": "A", "resonance": ({"ppm": 1.3, "weight": 1.0},)}
    with pytest.raises(ValidationError, match=said):
        Component.model_validate(plain | change)
