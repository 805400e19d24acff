"""The accuracy table: bias, RMSE and coverage of the public path against known truth.

Each disc goes through `steps.preprocess` and `steps.fit`, ratios and the log through
`steps.quantify`. Errors are counted in units of the disc's own bound before they are averaged. A
disc that is refused, or whose fit does not converge, counts as not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import process_time
from typing import Any

import numpy as np

from mrs_disc.data import FitResult, Quantities
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.models.relaxation import RelaxationModel, load_relaxation_model
from mrs_disc.recipe import FitOptions, Recipe
from mrs_disc.steps import fit, preprocess, quantify
from mrs_disc.threads import one_blas_thread
from mrs_disc.validate.regimes import LOG, REGIMES, Case, Regime

_MAX_LOG_BOUND = 0.7
"""Above this bound of a logarithm its error is far from normal: an upper limit is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One judged quantity of one regime; RMSE and bias in units of the bound.

    `holds` says whether RMSE and coverage lie where the regime expects them.
    """

    regime: str
    quantity: str
    n: int
    n_errors: int
    failures: int
    bias: float
    rmse: float
    coverage_percent: float
    rmse_limit: float | None
    coverage_range: tuple[float, float]
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The whole table, with the mean processor time of one disc in ms by regime."""

    seed: int
    discs: int
    lines: tuple[Line, ...]
    milliseconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "seed": self.seed,
            "discs": self.discs,
            "holds": all(line.holds for line in self.lines),
            "regimes": {name: REGIMES[name].text for name in self.milliseconds},
            "milliseconds_per_disc": self.milliseconds,
            "lines": [asdict(line) for line in self.lines],
        }


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What has been counted of one quantity."""

    errors: list[float]
    covered: list[bool]
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tools:
    """Models that are loaded once for all discs."""

    recipe: Recipe
    model: MetaboliteModel
    relaxation: RelaxationModel


@one_blas_thread
def validate_fit(
    seed: int = 0,
    discs: int = 200,
    *,
    regimes: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Accuracy:
    """Run simulated discs of every regime through the public path.

    Parameters
    ----------
    seed : int
        Decides all discs.
    discs : int
        Discs of each regime.
    regimes : sequence of str, optional
        Names of `REGIMES`; default all.
    progress : callable, optional
        Called with the regime's name, the number of discs done and of all.

    Raises
    ------
    InputError
        If a regime does not exist.
    """
    names = list(regimes or REGIMES)
    for name in names:
        if name not in REGIMES:
            raise InputError(
                f"no regime is named '{name}'.{did_you_mean(name, REGIMES)} "
                f"Regimes: {', '.join(REGIMES)}."
            )
    lines: list[Line] = []
    times = {}
    for name in names:
        tallies, seconds = _run(REGIMES[name], seed, discs, progress)
        times[name] = round(1e3 * seconds / discs, 2)
        lines += [_line(REGIMES[name], q, t, discs) for q, t in tallies.items()]
    return Accuracy(seed=seed, discs=discs, lines=tuple(lines), milliseconds=times)


def _run(
    regime: Regime, seed: int, discs: int, progress: Callable[[str, int, int], None] | None
) -> tuple[dict[str, _Tally], float]:
    """Return the tallies of one regime and the seconds that the public path took."""
    tallies: dict[str, _Tally] = {}
    tools: Tools | None = None
    seconds = 0.0
    for index in range(discs):
        case = regime.make(seed, index)
        tools = tools or load_tools(case.model)
        start = process_time()
        try:
            result, quantities = through(case, tools)
        except InputError:
            result = None
        seconds += process_time() - start
        for quantity, truth in case.truth.items():
            tally = tallies.setdefault(quantity, _Tally(errors=[], covered=[]))
            if result is None or not result.converged:
                tally.failures += 1
                tally.covered.append(False)
                continue
            _count(tally, quantity, truth, case.bound[quantity], result, quantities)
        if progress is not None:
            progress(regime.name, index + 1, discs)
    return tallies, seconds


def load_tools(model: str) -> Tools:
    """Return recipe and models for a case."""
    recipe = Recipe(fit=FitOptions(model=model))
    return Tools(
        recipe=recipe,
        model=load_metabolite_model(model),
        relaxation=load_relaxation_model(recipe.quantify.relaxation),
    )


def through(case: Case, tools: Tools) -> tuple[FitResult, Quantities | None]:
    """Take one disc through the public path, as far as what is judged of it needs."""
    pre = preprocess(case.acquisition, tools.recipe)
    result = fit(pre, tools.recipe, tools.model)
    if set(case.truth) <= set(result.names):
        return result, None
    morphology = case.acquisition.morphology
    quantities = quantify(
        result, pre, tools.recipe, relaxation=tools.relaxation, morphology=morphology
    )
    return result, quantities


def _count(
    tally: _Tally,
    quantity: str,
    truth: float,
    bound: float,
    result: FitResult,
    quantities: Quantities | None,
) -> None:
    """Add one disc's error and whether its interval holds the truth."""
    if quantities is None or quantity in result.names:
        index = result.index(quantity)
        value: float | None = float(result.amplitude[index])
        low, high = float(result.low[index]), float(result.high[index])
    elif quantity != LOG:
        # Ratios of the amplitudes as fitted: a quantity cut at zero would hide the error's half.
        upper, lower = (result.index(name) for name in quantity.split("/"))
        value = float(result.amplitude[upper] / result.amplitude[lower])
        low, high = _interval(quantities, quantity)
    else:
        found = quantities[quantity]
        value = found.value if found.limit is None and bound < _MAX_LOG_BOUND else None
        if found.value is None and found.high is None:
            tally.failures += 1
            tally.covered.append(False)
            return
        low, high = _interval(quantities, quantity)
    if value is not None and np.isfinite(value):
        tally.errors.append((value - truth) / bound)
    tally.covered.append(low <= truth <= high)


def _interval(quantities: Quantities, name: str) -> tuple[float, float]:
    found = quantities[name]
    low = -np.inf if found.low is None or found.limit == "upper" else found.low
    return low, np.inf if found.high is None else found.high


def _line(regime: Regime, quantity: str, tally: _Tally, discs: int) -> Line:
    errors = np.array(tally.errors)
    rmse = float(np.sqrt(np.mean(errors**2))) if errors.size else float("nan")
    coverage = 100.0 * float(np.mean(tally.covered))
    limit = regime.rmse.get(quantity)
    low, high = regime.coverage
    # What a finite number of discs lets through: two standard errors on each side.
    slack = 200.0 * float(np.sqrt(0.05 * 0.95 / discs))
    room = 1.0 + 2.0 / np.sqrt(2.0 * max(errors.size, 1))
    holds = low - slack <= coverage <= high + slack and (limit is None or rmse <= limit * room)
    return Line(
        regime=regime.name,
        quantity=quantity,
        n=discs,
        n_errors=int(errors.size),
        failures=tally.failures,
        bias=float(errors.mean()) if errors.size else float("nan"),
        rmse=rmse,
        coverage_percent=coverage,
        rmse_limit=limit,
        coverage_range=regime.coverage,
        holds=bool(holds),
    )


def accuracy_text(table: Accuracy) -> str:
    """Return the table as text."""
    head = (
        f"{'regime':<10}{'quantity':<24}{'bias':>7}{'RMSE':>7}{'≤':>6}{'over':>7}{'coverage':>10}"
    )
    head += f"{'expected':>11}{'failures':>10}"
    rows = [
        f"Accuracy against simulated truth: {table.discs} discs a regime, seed {table.seed}.",
        "bias and RMSE in units of each disc's Cramér-Rao bound; coverage of the 95 % intervals.",
        "",
        head,
    ]
    for name, milliseconds in table.milliseconds.items():
        rows.append(f"{name}: {REGIMES[name].text}")
        rows.append(f"{'':<10}{milliseconds:.1f} ms of processor time a disc")
        for line in table.lines:
            if line.regime == name:
                limit = "–" if line.rmse_limit is None else f"{line.rmse_limit:.2f}"
                low, high = line.coverage_range
                expected = f"{low:g}–{high:g} %"
                rows.append(
                    f"{'':<10}{line.quantity:<24}{line.bias:>7.2f}{line.rmse:>7.2f}{limit:>6}{line.n_errors:>7}"
                    f"{line.coverage_percent:>8.1f} %{expected:>11}{line.failures:>10}"
                    + ("" if line.holds else "   outside")
                )
    return "\n".join(rows)
