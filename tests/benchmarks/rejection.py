"""Spoilt transients found by preprocessing, beside the best that any detector can find.

::

    python tests/benchmarks/rejection.py [--seed 173205] [--write]

The ideal detector knows the disc, its baseline, the coils, the noise, the drift, the course and
size of the residual water, and the laws by which all that varies was drawn, of sound transients and
of spoilt ones. For each transient it takes the ratio of the two probabilities of its samples, the
unknown amplitude, frequency, phase and water of that transient integrated over by weighted draws
(Neyman and Pearson 1933: no other test finds more at the same price). One threshold for all discs
is then set so that nine tenths of what it leaves out are spoilt. "Any water" is the same without
the laws of the residual water: in each transient it may have any amplitude and phase.

``--write`` puts the table into tests/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import pi
from pathlib import Path

import numpy as np
from scipy.special import logsumexp, ndtr

from mrs_disc.constants import WATER_PPM
from mrs_disc.data import DiscAcquisition
from mrs_disc.models import load_metabolite_model
from mrs_disc.recipe import Recipe
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.reject import find_outliers
from mrs_disc.signal.transients.series import Series
from mrs_disc.simulate.population import KINDS, draw_disc
from mrs_disc.simulate.scanner import Scan, baseline, draw_disturbance
from mrs_disc.simulate.study import Measured, acquire, plan
from mrs_disc.steps import preprocess

ROOT = Path(__file__).resolve().parents[2]
CONDITIONS = ((4, 32, 240), (8, 64, 120), (16, 256, 30))  # coils, transients, discs
CLEAN = ((4, 200), (8, 200), (16, 150), (32, 100), (64, 60))  # transients, discs
SHARE, PRECISION = 0.05, 0.9
TEN = np.radians(10)
EARLY_S = 0.35  # lines of 10 Hz have fallen to a ten-thousandth


@dataclass(frozen=True)
class Judged:
    """One disc: what is spoilt, what was left out, and what the ideal detector thinks."""

    measured: Measured
    ours: np.ndarray
    log_odds: np.ndarray
    any_water: np.ndarray  # the same without the laws of the water
    effect: np.ndarray  # (rule, figure): none, ours, ideal, truth; amplitude, SNR, misfit

    @property
    def spoilt(self) -> np.ndarray:
        return self.measured.disturbance.spoilt


def discs(seed: int, scan: Scan, n_discs: int, share: float | None = None) -> Iterator[tuple]:
    model = load_metabolite_model("disc_1h")
    for index in range(n_discs):
        rng = np.random.default_rng([seed, scan.n_transients, index])
        kind = KINDS[index % len(KINDS)]
        disc = draw_disc(int(rng.integers(2**31)), 0, "L4-L5", kind=kind, gas=False)
        m = plan(rng, disc, scan, model)
        if share is not None:
            calm = draw_disturbance(rng, scan, m.clean, spoilt_share=share)
            m = replace(m, disturbance=calm)
        yield rng, m, acquire(rng, rng, scan, m)


def left_out(acquisition: DiscAcquisition, n_transients: int) -> np.ndarray:
    return np.isin(np.arange(n_transients), list(preprocess(acquisition, Recipe()).rejected))


# The ideal detector


def log_normal(away, sd):
    return -0.5 * (away / sd) ** 2 - np.log(sd * np.sqrt(2 * pi))


def log_phase(phase: np.ndarray, spoilt: bool) -> np.ndarray:
    """Log density of the phase: jitter of 10 degrees, in spoilt ones 20 to 90 to either side."""
    if not spoilt:
        return log_normal(phase, TEN)
    low, high = np.radians(20), np.radians(90)
    sides = [ndtr((s * phase - low) / TEN) - ndtr((s * phase - high) / TEN) for s in (-1, 1)]
    return np.log(np.maximum(sum(sides) / (2 * (high - low)), 1e-300))


def draw_phase(rng, shape, spoilt):
    jitter = TEN * rng.standard_normal(shape)
    away = np.radians(rng.uniform(20, 90, shape)) * rng.choice((-1.0, 1.0), shape)
    return jitter + away if spoilt else jitter


def half(rng, from_law, law, centre, sd):
    """Draw by halves from the law and from what the samples say; return draws and log weights."""
    draws = np.where(
        rng.random(from_law.shape) < 0.5,
        from_law,
        centre + sd * rng.standard_normal(from_law.shape),
    )
    known = law(draws)
    weight = known - np.logaddexp(known, log_normal(draws - centre, sd)) + np.log(2)
    return draws, weight


class Ideal:
    """All that is known of a series but the four unknowns of each transient."""

    def __init__(self, m: Measured, scan: Scan, combined: np.ndarray):
        d, sd = m.disturbance, m.average_sd * np.sqrt(len(combined))
        time = scan.sampling.time_s(scan.n_points)
        steady = m.clean.components.sum(axis=0) + baseline(d, time)
        early = time < EARLY_S
        time = time[early]
        eddy = np.exp(1j * (d.eddy_rad @ np.exp(-time / d.eddy_tau_s[:, None])))
        lines = steady[early] * eddy / sd
        water = np.exp((2j * pi * d.residual_offset_hz - pi * d.residual_width_hz) * time)
        water = water * eddy / sd
        sound, place = ~d.spoilt, np.arange(len(combined))
        course = np.polyval(np.polyfit(place[sound], d.frequency_hz[sound], 1), place)
        signal = combined[:, early] / sd * np.exp(-2j * pi * course[:, None] * time)
        self.offsets = np.arange(-25, 25.01, 0.02)
        turning = np.exp(-2j * pi * np.outer(time, self.offsets))
        self.on_lines = (signal * lines.conj()) @ turning
        self.on_water = (signal * water.conj()) @ turning
        self.energy = np.sum(np.abs(lines) ** 2), np.sum(np.abs(water) ** 2)
        self.cross = np.sum(lines.conj() * water)
        # the law of the water, from the truth of the sound transients
        self.water_phase = float(np.angle(d.residual[sound].sum()))
        along = d.residual[sound] * np.exp(-1j * self.water_phase)
        size = np.abs(along) * np.sign(along.real)
        self.water_size, self.water_jitter = float(size.mean()), float(size.std(ddof=1))

    def log_probability(
        self, rng: np.random.Generator, spoilt: bool, any_water: bool
    ) -> np.ndarray:
        """Log probability of the samples of each transient, but for one constant."""
        n = 1500
        (e_lines, e_water), cross = self.energy, self.cross
        shape = (len(self.on_lines), n)
        row = np.arange(shape[0])[:, None]
        det = e_lines * e_water - abs(cross) ** 2
        best = (e_water * self.on_lines - cross * self.on_water) / det
        best_water = (e_lines * self.on_water - np.conj(cross) * self.on_lines) / det
        fit = 0.5 * np.real(best.conj() * self.on_lines + best_water.conj() * self.on_water)
        # frequency
        law = log_normal(self.offsets, np.hypot(1.5, 5.0 if spoilt else 0.0))
        law = law - logsumexp(law)
        said = np.exp(fit + law - (fit + law).max(axis=1, keepdims=True))
        said = 0.6 * said / said.sum(axis=1, keepdims=True) + 0.4 * np.exp(law)
        ladder = np.cumsum(said, axis=1)
        steps = rng.random(shape) * ladder[:, -1:]
        node = np.stack([np.searchsorted(*pair) for pair in zip(ladder, steps, strict=True)])
        node = np.minimum(node, len(self.offsets) - 1)
        weight = law[node] - np.log(said[row, node])
        # phase and amplitude of the lines
        c, sd = best[row, node], np.sqrt(e_water / det)
        phase, more = half(
            rng,
            draw_phase(rng, shape, spoilt),
            lambda x: log_phase(x, spoilt),
            np.angle(c),
            np.minimum(sd / np.abs(c), 2.0),
        )
        weight += more
        amplitude = np.ones(shape)
        if spoilt:
            amplitude, more = half(
                rng,
                rng.uniform(0.3, 0.8, shape),
                lambda x: np.where((x >= 0.3) & (x <= 0.8), np.log(2.0), -1e9),
                np.real(c * np.exp(-1j * phase)),
                sd,
            )
            weight += more
        c = amplitude * np.exp(1j * phase)
        water = (self.on_water[row, node] - np.conj(cross) * c) / e_water
        weight += np.real(c.conj() * self.on_lines[row, node]) - e_lines * np.abs(c) ** 2 / 2
        weight += e_water * np.abs(water) ** 2 / 2
        if not any_water:
            weight += self.water(rng, water, phase, spoilt)
        return logsumexp(weight, axis=1) - np.log(n)

    def water(self, rng, water, phase, spoilt):
        """Log weight of the water that is left: its phase drawn, its amplitude integrated over."""
        sd, size = 1 / np.sqrt(self.energy[1]), self.water_size
        angle = np.angle(water * np.exp(-1j * (phase + self.water_phase)))
        angle = np.where(np.abs(angle) > pi / 2, angle - np.sign(angle) * pi, angle)  # negative
        wobble, weight = half(
            rng,
            TEN * rng.standard_normal(water.shape),
            lambda x: log_normal(x, TEN),
            angle,
            np.minimum(sd / np.maximum(np.abs(water), 1e-12), 2.0),
        )
        turned = water * np.exp(-1j * (phase + self.water_phase + wobble))
        width = np.hypot(self.water_jitter, sd)
        if spoilt:  # up to twice more
            steps = ndtr((turned.real - size) / width) - ndtr((turned.real - 3 * size) / width)
            along = np.log(np.maximum(steps / (2 * size), 1e-300))
        else:
            along = log_normal(turned.real - size, width)
        return weight - 0.5 * (turned.imag / sd) ** 2 + along


def combined(m: Measured, signal: np.ndarray) -> np.ndarray:
    """Combine coils by their true sensitivities and noise: units of the strongest coil."""
    covariance = m.coils.mixing @ m.coils.mixing.conj().T
    weights = np.linalg.solve(covariance, m.coils.sensitivity)
    return np.tensordot(weights.conj() / (m.coils.sensitivity.conj() @ weights), signal, 1)


def ideal_log_odds(rng, m: Measured, scan: Scan, signal: np.ndarray) -> list[np.ndarray]:
    """Return the log odds with the laws of the water, and without them."""
    ideal = Ideal(m, scan, combined(m, signal))
    return [
        np.log(SHARE / (1 - SHARE))
        + ideal.log_probability(rng, True, any_water)
        - ideal.log_probability(rng, False, any_water)
        for any_water in (False, True)
    ]


def at_precision(log_odds: np.ndarray, spoilt: np.ndarray) -> float:
    """Return the lowest threshold above which nine tenths are spoilt."""
    order = np.argsort(-log_odds)
    right = np.cumsum(spoilt[order]) / np.arange(1, len(order) + 1)
    return float(log_odds[order][np.flatnonzero(right >= PRECISION)[-1]])


# What it does to the average


def average_of(m: Measured, scan: Scan, keep: np.ndarray, frequency, phase) -> tuple:
    """Return amplitude, SNR and misfit of the metabolites in the noise-free average of the kept.

    The amplitude is that along the true signal at the best frequency and phase, the SNR is relative
    to perfectly aligned, unspoilt transients, as many as there are; the misfit is what is left.
    """
    d = m.disturbance
    time = scan.sampling.time_s(scan.n_points)
    true = m.clean.components.sum(axis=0)
    turn = (d.phase_rad - phase)[:, None] + 2 * pi * (d.frequency_hz - frequency)[:, None] * time
    mean = true * ((d.gain * keep) @ np.exp(1j * turn)) / keep.sum()
    grid = np.arange(-5, 5.01, 0.05)
    product = mean * true.conj()
    found = np.abs(np.exp(-2j * pi * np.outer(grid + np.median(d.frequency_hz), time)) @ product)
    amplitude = float(found.max() / np.sum(np.abs(true) ** 2))
    share = amplitude**2 * np.sum(np.abs(true) ** 2) / np.sum(np.abs(mean) ** 2)
    return amplitude, amplitude * np.sqrt(keep.mean()), float(np.sqrt(max(1 - share, 0)))


def judge(seed: int, scan: Scan, n_discs: int) -> list[Judged]:
    found = []
    hz = [(ppm - WATER_PPM) * scan.spectrometer_mhz for ppm in (0.2, 4.2, 4.4, 4.9)]
    for rng, m, acquisition in discs(seed, scan, n_discs):
        signal = np.asarray(acquisition.metabolite.signal)
        odds, any_water = ideal_log_odds(rng, m, scan, signal)
        ours = left_out(acquisition, scan.n_transients)
        one = combined(m, signal).astype(np.complex64)
        a = align(Series.of(one, scan.sampling.dwell_time_s), window_hz=hz[:2], water_hz=hz[2:])
        rules = (np.zeros(len(ours), bool), ours, odds > 0, m.disturbance.spoilt)
        effect = [average_of(m, scan, ~out, a.frequency_hz, a.phase_rad) for out in rules]
        found.append(Judged(m, ours, odds, any_water, np.array(effect)))
    return found


def rates(out: np.ndarray, spoilt: np.ndarray) -> str:
    return f"{out[spoilt].mean():6.3f} {spoilt[out].mean() if out.any() else np.nan:9.3f}"


def condition(n_coils: int, n_transients: int, n_discs: int, seed: int) -> list[str]:
    """Return the lines of one condition."""
    scan = Scan(n_coils=n_coils, n_transients=n_transients, n_water=2, snr_factor=1.0)
    found = judge(seed, scan, n_discs)
    spoilt, ours, odds, any_water = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("spoilt", "ours", "log_odds", "any_water")
    )
    rules = ours, odds >= at_precision(odds, spoilt), any_water >= at_precision(any_water, spoilt)
    d = [one.measured.disturbance for one in found]
    phase = np.concatenate([np.abs(np.degrees(x.phase_rad)) for x in d])
    gain = np.concatenate([x.gain for x in d])
    snr = np.concatenate([np.full(n_transients, one.measured.snr) for one in found])
    snr = snr / np.sqrt(n_transients)
    lines = ["", f"{n_coils} coils x {n_transients} transients, {n_discs} discs"]
    groups = {
        "all": phase >= 0,
        "phase off by under 30 degrees": phase < 30,
        "30 to 60 degrees": (phase >= 30) & (phase < 60),
        "over 60 degrees": phase >= 60,
        "amplitude .3 to .55": gain < 0.55,
        ".55 to .8": (gain >= 0.55) & (gain < 1),
        "PG's SNR in a transient under 1": snr < 1,
        "1 to 2": (snr >= 1) & (snr < 2),
        "over 2": snr >= 2,
    }
    for name, chosen in groups.items():
        chosen = chosen & spoilt
        if chosen.sum() >= 20:
            recall = "".join(f"{out[chosen].mean():12.3f}" for out in rules)
            lines.append(f"  {name:32s}{chosen.sum():6d}{recall}")
    right = "".join(f"{spoilt[out].mean():12.3f}" for out in rules)
    lines.append(f"  {'precision':38s}{right}")
    effect = np.mean([one.effect for one in found], axis=0)
    for name, (amplitude, relative, misfit) in zip(
        ("nothing", "ours", "ideal, even odds", "all spoilt"), effect, strict=True
    ):
        lines.append(
            f"  left out: {name:17s} average's amplitude {100 * (amplitude - 1):+5.2f} %, "
            f"SNR {100 * relative:5.1f} %, shape off by {100 * misfit:4.2f} %"
        )
    return lines


def clean(seed: int) -> list[str]:
    lines = ["", f"{'no spoilt transients':38s}  share lost  series that lose any"]
    for n_transients, n_discs in CLEAN:
        scan = Scan(n_coils=2, n_transients=n_transients, n_water=1, snr_factor=1.0)
        lost = [
            left_out(acquisition, n_transients).sum()
            for _, _, acquisition in discs(seed, scan, n_discs, share=0.0)
        ]
        share, any_lost = 100 * np.mean(lost) / n_transients, 100 * np.mean(np.array(lost) > 0)
        name = f"{n_transients} transients, {n_discs} discs"
        lines.append(f"  {name:36s}{share:10.2f} %{any_lost:20.1f} %")
    return lines


def kinds(seed: int) -> list[str]:
    """Other ways to be spoilt, as the tests of the kernel make them."""
    sys.path.insert(0, str(ROOT / "tests" / "signal"))
    import test_reject as made

    lines = [
        "",
        "one kind at a time: a tenth of 48 transients, 20 strong series and 20 weak ones",
        f"{'':38s}      strong              weak",
        f"{'':38s}  recall precision    recall precision",
    ]
    for kind in made.KINDS:
        figures = []
        for sd in (0.1, 0.4):
            out, bad = [], []
            for index in range(20):
                rng = np.random.default_rng([seed, index])
                data, spoilt = made.spoilt_series(rng, 48, sd, 0.1, (kind,))
                a = align(Series.of(data, made.DWELL_S), window_hz=made.WINDOW, water_hz=made.WATER)
                found = find_outliers(a, window_hz=made.WINDOW, water_hz=made.WATER)
                out.append(~found.keep)
                bad.append(spoilt)
            figures.append(rates(np.concatenate(out), np.concatenate(bad)))
        lines.append(f"  {kind:36s}  {figures[0]}    {figures[1]}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=173205)
    parser.add_argument("--write", action="store_true", help="put the table into tests/README.md")
    given = parser.parse_args()
    lines = [f"{'recall of spoilt transients':32s}  spoilt        ours       ideal   any water"]
    for n_coils, n_transients, n_discs in CONDITIONS:
        lines += condition(n_coils, n_transients, n_discs, given.seed)
    lines += clean(given.seed) + kinds(given.seed)
    print("\n".join(lines))  # noqa: T201
    if given.write:
        sys.path.insert(0, str(ROOT / "tests" / "tools"))
        import readme_tables as tables

        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        stamp = f"`python tests/benchmarks/rejection.py --seed {given.seed}`, {today}."
        text = "\n".join(lines)
        tables.fill(tables.FULL, "rejection", f"{stamp}\n\n```text\n{text}\n```")


if __name__ == "__main__":
    main()
