"""What half and double of each prior of the fit does: the table at the head of `signal/priors.py`.

The same simulated discs are fitted with every setting, so that differences of a few per cent show:

    python tests/tools/prior_halves.py [DISCS [SEED [NAME ...]]]
"""

from __future__ import annotations

import sys

import numpy as np

from mrs_disc.data import Preprocessed
from mrs_disc.signal.fit import fit as kernel
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.humps import hump_grid
from mrs_disc.steps import fit, preprocess
from mrs_disc.validate.accuracy import Tools, load_tools
from mrs_disc.validate.regimes import REGIMES, Case

REGIMES_ASKED = ("ensemble", "dirty", "in vivo")
SCALED = (
    "DELAY_SD_S",
    "LORENTZ_SD_HZ",
    "GAUSS2_MEAN_HZ2",
    "PRESENT_ODDS",
    "WEAK_SHIFT_HZ",
    "WEAK_LORENTZ_HZ",
    "WEAK_PHASE_RAD",
    "SHIFT_RANGE_HZ",
    "MAX_DELAY_S",
    "MAX_WIDTH_HZ",
    "OWN_SD",
    "NARROWER_SD",
    "HUMP_SPACING",
    "AREA_LOG_SD",
    "SOLVER_AREA",
)
_LOW, _HIGH = priors.STRENGTH_RANGE
CHANGES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    name: ({name: getattr(priors, name) / 2}, {name: getattr(priors, name) * 2}) for name in SCALED
} | {
    "SLOTS, EXPECTED_HUMPS": (
        {"SLOTS": priors.SLOTS // 2, "EXPECTED_HUMPS": priors.EXPECTED_HUMPS / 2},
        {"SLOTS": priors.SLOTS * 2, "EXPECTED_HUMPS": priors.EXPECTED_HUMPS * 2},
    ),
    "HUMP_WIDTHS_HZ": tuple(
        {
            "HUMP_WIDTHS_HZ": tuple(factor * w for w in priors.HUMP_WIDTHS_HZ),
            "SOLVER_HUMP_WIDTH_HZ": factor * priors.SOLVER_HUMP_WIDTH_HZ,
        }
        for factor in (0.5, 2.0)
    ),
    "HUMP_WIDTH_ODDS of 200 Hz": tuple(
        {"HUMP_WIDTH_ODDS": (*priors.HUMP_WIDTH_ODDS[:-1], factor * priors.HUMP_WIDTH_ODDS[-1])}
        for factor in (0.5, 2.0)
    ),
    "STRENGTH_RANGE, lower end": tuple(
        {"STRENGTH_RANGE": (factor * _LOW, _HIGH)} for factor in (0.5, 2.0)
    ),
    "STRENGTH_RANGE, upper end": tuple(
        {"STRENGTH_RANGE": (_LOW, factor * _HIGH)} for factor in (0.5, 2.0)
    ),
    "STRENGTHS": ({"STRENGTHS": priors.STRENGTHS // 2}, {"STRENGTHS": priors.STRENGTHS * 2}),
}


def measured(discs: list[tuple[Case, Preprocessed]], tools: Tools) -> tuple[float, float]:
    """Return RMS error in bounds and coverage in per cent of all amplitudes with a known truth."""
    errors, covered = [], []
    for case, preprocessed in discs:
        result = fit(preprocessed, tools.recipe, tools.model)
        for name in set(case.truth) & set(result.names):
            index, truth = result.index(name), case.truth[name]
            errors.append((result.amplitude[index] - truth) / case.bound[name])
            covered.append(result.low[index] <= truth <= result.high[index])
    return float(np.sqrt(np.mean(np.square(errors)))), 100 * float(np.mean(covered))


def row(discs: dict[str, list[tuple[Case, Preprocessed]]], tools: dict[str, Tools]) -> list[float]:
    """Return RMS error and coverage in each regime under the present priors."""
    hump_grid.cache_clear()
    kernel.fit_fid.__kwdefaults__ |= {
        "delay_sd_s": priors.DELAY_SD_S,
        "shift_range_hz": priors.SHIFT_RANGE_HZ,
    }
    return [value for name in REGIMES_ASKED for value in measured(discs[name], tools[name])]


def main() -> None:
    count, seed = (int(word) for word in (sys.argv[1:3] + ["120", "11"][len(sys.argv[1:3]) :]))
    discs, tools = {}, {}
    for name in REGIMES_ASKED:
        cases = [REGIMES[name].make(seed, index) for index in range(count)]
        tools[name] = load_tools(cases[0].model)
        discs[name] = [(case, preprocess(case.acquisition, tools[name].recipe)) for case in cases]
    now = row(discs, tools)
    say(f"{'now':28s}" + "".join(f"{rmse:6.2f} {c:4.0f} %" for rmse, c in pairs(now)))
    for name, both in CHANGES.items():
        if sys.argv[3:] and name not in sys.argv[3:]:
            continue
        for word, change in zip(("half", "double"), both, strict=True):
            kept = {key: getattr(priors, key) for key in change}
            for key, value in change.items():
                setattr(priors, key, value)
            new = row(discs, tools)
            for key, value in kept.items():
                setattr(priors, key, value)
            cells = zip(pairs(new), pairs(now), strict=True)
            text = "".join(f"{100 * (a / b - 1):+6.0f} % {c - d:+4.0f}" for (a, c), (b, d) in cells)
            say(f"{name:28s}{word:7s}{text}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def pairs(values: list[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


if __name__ == "__main__":
    main()
