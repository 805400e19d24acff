"""A plan in words."""

from __future__ import annotations

from mrs_disc.planning import LevelPlan, Need, Plan
from mrs_disc.planning.expected import LINEAR_SNR
from mrs_disc.planning.labels import LABELS
from mrs_disc.planning.setting import R


def plan_text(plan: Plan) -> str:
    """Return a plan as tables of text."""
    one = plan.examination
    head = [
        f"{one.field_t:.2g} T, PRESS, TE {1e3 * one.echo_time_s:g} ms, TR "
        f"{1e3 * one.repetition_time_s:g} ms; SNR {one.snr:.3g} of {_count(one.averages)}, "
        f"linewidth {one.linewidth_hz:.3g} Hz",
        f"{_count(one.transients)} a disc: {_of_all(one.minutes, one.discs)}",
        "",
        "Expected errors, one standard deviation (r = ln(acidity/structure): absolute)",
    ]
    assumed = ["", "Assumed:", *(f"  {line}" for line in plan.assumed)]
    parts = (head, _errors(plan), _labels(plan), _needs(plan), _levels(plan), assumed)
    return "\n".join(line for part in parts for line in part)


def _count(transients: int) -> str:
    return "one transient" if transients == 1 else f"{transients} transients"


def _minutes(minutes: float) -> str:
    return f"{60 * minutes:.0f} s" if minutes < 1 else f"{minutes:.1f} min"


def _of_all(minutes: float, discs: int) -> str:
    """Return the time of one disc, and of all."""
    together = "" if discs == 1 else f"; {discs} discs: {_minutes(discs * minutes)}"
    return _minutes(minutes) + together


def _error(name: str, value: float, snr: float) -> str:
    """Return an expected error; below `LINEAR_SNR` it is larger than that."""
    weak = "≥ " if snr < LINEAR_SNR else ""
    if name == R:
        return f"{weak}{value:.2f}" if value < 10 else "over 10"
    return f"{weak}{100 * value:.0f} %" if value < 1 else "over 100 %"


def _errors(plan: Plan) -> list[str]:
    classes = list(plan.errors)
    rows = [f"  {'':<14}" + "".join(f"{name:>14}" for name in classes)]
    rows.append(f"  {'SNR of PG':<14}" + "".join(f"{plan.snr[name]:>14.1f}" for name in classes))
    for quantity in next(iter(plan.errors.values())):
        cells = (_error(quantity, plan.errors[name][quantity], plan.snr[name]) for name in classes)
        rows.append(f"  {quantity:<14}" + "".join(f"{cell:>14}" for cell in cells))
    return rows


def _labels(plan: Plan) -> list[str]:
    rows = ["", "Expected labels of discs alone, simulated population"]
    rows.append(f"  {'':<14}" + "".join(f"{name:>20}" for name in LABELS))
    for truth, found in plan.labels.items():
        rows.append(f"  {truth:<14}" + "".join(f"{100 * found[n]:>18.0f} %" for n in LABELS))
    return rows


def _needs(plan: Plan) -> list[str]:
    if not plan.needs:
        return []
    return [
        "",
        "Needed of a typical painful disc",
        *(f"  {need.aim}: {_need(need, plan.examination.discs)}" for need in plan.needs),
    ]


def _need(need: Need, discs: int) -> str:
    if need.transients is None or need.minutes is None:
        return f"not within an hour, which gives {need.at_most:.2g}"
    return f"{_count(need.transients)}, {_of_all(need.minutes, discs)}"


def _levels(plan: Plan) -> list[str]:
    if not plan.levels:
        return []
    rows = ["", "The levels as measured: error of r"]
    rows.append(f"  {'':<10}{'SNR':>8}{'transients':>12}{'quoted':>9}{'expected':>10}  needed")
    return rows + [_level(one) for one in plan.levels]


def _level(one: LevelPlan) -> str:
    snr = "–" if one.snr is None else f"{one.snr:.1f}"
    quoted = "–" if one.quoted is None else f"{one.quoted:.2f}"
    found = "–" if one.expected is None else _error(R, one.expected, one.snr or 0.0)
    needed = _count(one.needed) if one.needed else one.reason or "–"
    return f"  {one.level:<10}{snr:>8}{one.transients:>12}{quoted:>9}{found:>10}  {needed}"
