"""Discs whose lines are not those of the model: other shapes, places and ratios.

The discs are closed forms of their own: nothing of the package draws them.
"""

from __future__ import annotations

from math import comb, log, pi

import numpy as np
import pytest

from mrs_disc.data import Sampling
from mrs_disc.models import Part, load_metabolite_model
from mrs_disc.signal.fit.fit import fit_fid
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import Scan
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.steps.basis import basis_of, ratios_of

MHZ, DWELL, POINTS, ECHO = 127.7, 1 / 2000, 1024, 0.030
TIME = DWELL * np.arange(POINTS)
GAUSS = pi**2 / (4 * log(2))
MODEL = load_metabolite_model("disc_1h")
SCAN = Scan(dwell_time_s=DWELL, window_hz=((0.5 - 4.65) * MHZ, (4.2 - 4.65) * MHZ))
RINGS = ((3.40, 1, 0.10), (3.60, 1, 0.10), (3.76, 3, 0.12), (3.92, 1, 0.10), (4.03, 2, 0.12))
MARROW = ((0.90, 8.7), (1.30, 69.3), (2.10, 12.8), (2.76, 0.4), (4.31, 3.9), (5.30, 4.8))


def line(ppm, area, lorentz, gauss, j=0.0, n=0):
    """Return a multiplet born in phase, that evolved for the echo time."""
    decay = -pi * lorentz * TIME - GAUSS * (gauss * TIME) ** 2
    base = area * np.exp(2j * pi * (ppm - 4.65) * MHZ * TIME + decay)
    offsets = [(k - n / 2) * j for k in range(n + 1)]
    split = [comb(n, k) / 2**n * np.exp(2j * pi * o * (TIME + ECHO)) for k, o in enumerate(offsets)]
    return base * sum(split)


def disc(rng, kind, creatine=0.0):
    """Return an FID with noise, and the true amounts; `creatine` is the area of its methyl."""

    def spread(sd):
        return float(np.exp(sd * rng.standard_normal()))

    gauss, lorentz = rng.uniform(12, 24), rng.uniform(1.5, 5)
    amount = {"PG": 30.0, "LAC": 8 * spread(0.5), "CHO": 3 * spread(0.4), "COL": 7 * spread(0.35)}
    off = rng.uniform(2, 3) * rng.choice([-1, 1]) if kind == "ratios" else None
    amount["ALA"] = 0.18 * amount["LAC"] * (spread(0.5) if off is None else np.exp(0.7 * off))
    amount["PA"] = 0.13 * amount["LAC"] * (spread(0.6) if off is None else np.exp(0.9 * off))
    amount["CARB"] = 1.33 * 30 * spread(0.2)
    amount["LIP"] = 30 * np.exp(rng.uniform(np.log(0.1), np.log(2))) * (rng.random() < 0.5)
    moved = rng.choice([-1, 1]) * rng.uniform(0.01, 0.03) if kind == "acetyl beside" else 0.0
    broad = lorentz + rng.uniform(5, 8)
    populations = {
        "acetyl in two": ((2.04, 0.5, lorentz + 6), (2.02, 0.5, lorentz + 18)),
        "acetyl partly broad": ((2.04, 0.56, broad), (2.00, 0.14, broad), (2.03, 0.3, 40.0)),
    }.get(kind, ((2.04 + moved, 0.8, broad), (2.00 + moved, 0.2, broad)))
    fid = sum(line(ppm, 30 * share, width, gauss) for ppm, share, width in populations)
    for name, middle, j, partner in (
        ("LAC", 1.3142, 6.933, 4.0974),
        ("ALA", 1.4667, 7.234, 3.7746),
    ):
        fid = fid + line(middle, amount[name], lorentz, gauss, j, 1)
        fid = fid + line(partner, amount[name] / 3, lorentz, gauss, j, 3)
    fid = fid + line(1.05, 0.6 * amount["PA"], lorentz, gauss, 7.7, 2)
    fid = fid + line(2.17, 0.4 * amount["PA"], lorentz, gauss, 7.7, 3)
    fid = fid + line(3.21, amount["CHO"], lorentz, gauss)
    for ppm, share in ((1.712, 0.25), (3.018, 0.25), (3.36, 0.5)):
        fid = fid + line(ppm, share * amount["COL"], lorentz + 6, gauss)
    for ppm, protons in ((3.027, 3), (3.913, 2)):
        fid = fid + line(ppm, creatine * protons / 3, lorentz, gauss)
    if kind == "sugars":
        count = rng.integers(5, 9)
        shares = rng.dirichlet(2 * np.ones(count))
        places = rng.uniform(3.45, 4.15, count)
        for ppm, share in zip(places, shares, strict=True):
            fid = fid + line(ppm, share * amount["CARB"], lorentz + 12, gauss)
    else:
        for ppm, weight, wide in RINGS:
            area = amount["CARB"] * weight / 8
            fid = fid + line(ppm, area, lorentz + 6, np.hypot(gauss, wide * MHZ))
    for ppm, weight in MARROW:
        fid = fid + line(ppm, amount["LIP"] * weight / 99.9, lorentz, np.hypot(gauss, 0.1 * MHZ))
    for _ in range(rng.poisson(1.5)):
        area = 15 * np.exp(rng.uniform(np.log(0.03), 0)) * spread(0.5)
        fid = fid + line(rng.uniform(0.5, 4.1), area, 0, rng.uniform(45, 90))
    noise = rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS)
    turned = np.exp(1j * rng.normal(0, 0.1) + 2j * pi * rng.normal(0, 1) * TIME)
    return fid * turned + 30 / rng.uniform(14, 25) * noise, amount


def basis(model=MODEL):
    sampling = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ, reference_ppm=4.65, nucleus="1H")
    return basis_of(model, Evolution(echo_time_s=ECHO), sampling, POINTS)


def coverage(kind, n, seed):
    """Return the share of intervals that hold, by component."""
    rng = np.random.default_rng([seed, *kind.encode()])
    found, of = [], basis()
    for _ in range(n):
        fid, amount = disc(rng, kind)
        fit = fit_fid(fid, of, SCAN, baseline_hz=SCAN.window_hz).amplitudes
        truth = np.array([amount[name] for name in of.reported])
        found.append((fit.low <= truth) & (truth <= fit.high))
    return dict(zip(of.reported, np.mean(found, axis=0), strict=True))


KINDS = ("usual", "sugars", "acetyl beside", "acetyl in two", "acetyl partly broad")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_where_lines_have_other_shapes(kind):
    """90 % are wanted; of 150 discs 83 % or less come by chance in one of a hundred."""
    held = coverage(kind, 150, 2026)
    assert min(held[name] for name in ("PG", "LAC", "ALA", "PA")) > 0.83, held


def test_a_region_of_another_shape_takes_nothing_from_proteoglycan():
    """With one fixed shape PG lost 14 % and held in 61 %."""
    held = coverage("sugars", 30, 5)
    assert held["PG"] >= 0.8


def test_much_creatine_takes_nothing_from_acids_and_choline():
    """Held to .05 of PG, creatine of .4 narrowed all lines: LAC 1.2 errors too low, CHO 4.5."""
    rng, off = np.random.default_rng(12), []
    of = basis(MODEL.model_copy(update={"component": (*MODEL.component, *MODEL.foreign)}))
    acids_and_choline = [of.reported.index(name) for name in ("LAC", "CHO")]
    for _ in range(20):
        fid, amount = disc(rng, "usual", creatine=12.0)
        fit = fit_fid(fid, of, SCAN, baseline_hz=SCAN.window_hz).amplitudes
        truth = [amount[of.reported[k]] for k in acids_and_choline]
        off.append((fit.mean[acids_and_choline] - truth) / fit.sd[acids_and_choline])
    assert np.all(np.abs(np.mean(off, axis=0)) < 0.8)


def test_what_a_model_knows_of_the_common_width_reaches_the_fit():
    assert basis().spread_odds == MODEL.line_shape.spread_odds > 100
    assert basis(load_metabolite_model("brain_1h_singlets")).spread_odds == 1.0


def test_parts_of_a_component_are_one_amount():
    of = basis()
    assert of.reported == tuple(component.name for component in MODEL.component)
    assert of.names[:2] == ("PG", "PG_2")
    assert np.array_equal(of.gather.sum(axis=0), np.ones(len(of.names)))
    rng = np.random.default_rng(4)
    fid, _ = disc(rng, "usual")
    fit = fit_fid(fid, of, SCAN, baseline_hz=SCAN.window_hz)
    assert fit.amplitudes.mean.shape == fit.lines.shift_hz.shape == (len(of.reported),)
    # What is drawn of a component is what is counted: its first point is its amount.
    phase = np.exp(-1j * np.angle(fit.components[0, 0]))
    assert (fit.components[0, 0] * phase).real == pytest.approx(fit.amplitudes.mean[0], rel=0.02)


def test_a_prior_of_a_whole_falls_on_its_parts():
    """As of sugars in two parts, and of what is held to proteoglycan, which has two."""
    sugar = next(c for c in MODEL.component if c.name == "CARB")
    lines = sugar.resonance
    parts = tuple(
        Part(share=share, log_sd=0.7, resonance=of)
        for share, of in ((0.25, lines[:2]), (0.75, lines[2:]))
    )
    changed = tuple(
        c.model_copy(update={"part": parts}) if c is sugar else c for c in MODEL.component
    )
    ratios = ratios_of(MODEL.model_copy(update={"component": changed}))
    held = {(r.numerator, r.denominator): r for r in ratios}
    median = next(p.median for p in MODEL.prior if p.numerator == "CARB")
    assert held["CARB", "PG"].median == pytest.approx(0.25 * median)
    assert held["CARB_2", "PG"].median == pytest.approx(0.75 * median)
    assert ("PG_2", "PG") in held
    assert ("ALA", "LAC") in held


def test_wholes_have_to_be_named_for_every_component():
    with pytest.raises(ValueError, match="2 wholes for 1 components"):
        FitBasis(
            names=("A",),
            fids=np.ones((1, 8), complex),
            shift_sd_hz=np.zeros(1),
            extra_width_sd_hz=np.zeros(1),
            wholes=("A", "B"),
        )
