"""What an examination will tell, before it is made or made again: errors, labels, transients.

`plan` starts from a measured study or from stated numbers. `expected` predicts the errors of the
fit, `labels` what the score makes of them, `setting` joins them to a protocol, `text` says it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from math import isfinite
from operator import ge, le
from pathlib import Path
from typing import Any, Unpack, cast

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.errors import InputError
from mrs_disc.models.scores import PopulationScore, load_score_model
from mrs_disc.planning.expected import LINEAR_SNR, Lines, expected, gauss_of, noise_of
from mrs_disc.planning.labels import LABELS, shares
from mrs_disc.planning.setting import (
    LONGEST_S,
    Examination,
    R,
    Setting,
    Stated,
    error_of,
    fewest,
    gradient,
)
from mrs_disc.recipe import Recipe, load_recipe
from mrs_disc.record.findings import sentences
from mrs_disc.record.level import Level, best_runs
from mrs_disc.scoring.disc import Disc, exploratory, out_of_scope
from mrs_disc.simulate import Kind, Scan
from mrs_disc.steps.quantification import SUMS
from mrs_disc.threads import one_blas_thread

QUANTITIES = ("PG", "LAC", "ALA", "PA", "CHO", "LAC/PG", "acidity", "structure", R)
CLASSES: dict[Kind, str] = {"H": "healthy", "D": "degenerated", "P": "painful"}
TRUTHS: dict[str, tuple[Kind, ...]] = {"painful": ("P",), "painless": ("H", "D")}
WANTED = {R: 0.35}
"""What is planned for where nothing is asked: the error at which simulated discs are told apart as
well as the published test did (Gornet 2019: sensitivity 82 %, specificity 88 %) [D]."""
NO_LABEL: dict[str, float] = {name: float(name == "indeterminate") for name in LABELS}
PROBABILITY = 0.8
DRAWN = 60
"""Discs of either truth that labels are counted over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an aim takes.

    Parameters
    ----------
    aim : str
        In words.
    transients, minutes : int and float, or None
        Of one disc; `None` where an hour is not enough.
    at_most : float
        What is reached in that hour: an error, or a probability.
    """

    aim: str
    transients: int | None
    minutes: float | None
    at_most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """A measured level: its error of r as quoted and as expected, and what the wanted one takes."""

    level: str
    snr: float | None
    transients: int
    quoted: float | None
    expected: float | None
    needed: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an examination will tell.

    Parameters
    ----------
    examination : Examination
        As stated, or as the study was measured.
    snr : mapping
        Class to SNR of its typical disc.
    errors : mapping
        Class to quantity to its expected error, one standard deviation: absolute of r, relative
        (1 = 100 %) of all others.
    labels : mapping
        ``"painful"`` and ``"painless"`` to label to its expected share.
    needs : tuple of Need
        For a typical painful disc.
    levels : tuple of LevelPlan
        Of a measured study.
    assumed : tuple of str
        What was taken for known.
    """

    examination: Examination
    snr: Mapping[str, float]
    errors: Mapping[str, Mapping[str, float]]
    labels: Mapping[str, Mapping[str, float]]
    needs: tuple[Need, ...]
    levels: tuple[LevelPlan, ...] = ()
    assumed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"schema_version": "1", **asdict(self), "minutes": self.examination.minutes}


@one_blas_thread
def plan(
    source: str | os.PathLike[str] | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    wanted: Mapping[str, float] | None = None,
    **stated: Unpack[Stated],
) -> Plan:
    """Return what an examination will tell, and how many transients an aim takes.

    Parameters
    ----------
    source : path, optional
        A study, which is analysed, or results of one: their SNR, linewidth and protocol count
        unless they are stated. The median disc is taken for a degenerated one.
    recipe : str, Path, Recipe or None
        Its fit model, priors of ratios and limits of labels.
    wanted : mapping, optional
        Quantity to the error that is wanted, one standard deviation: absolute of ``"r"``, relative
        of others (0.2 is 20 %). Default ``{"r": 0.35}``.
    snr, averages : float and int
        SNR of PG in a typical degenerated disc, and of how many transients (default 1).
    linewidth_hz : float
        Full width at half maximum of PG, Hz (default 26).
    echo_time_s, repetition_time_s, field_t : float
        Seconds and tesla (defaults 0.028, 1.5, 3).
    transients : int
        Transients of each disc (default: what the study has, else 128).
    discs : int
        Discs of the examination (default: those of the study that could be measured, else 1).

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If a number is impossible, a quantity does not exist, or a study says too little.

    Notes
    -----
    Errors are Cramér-Rao bounds with the baseline unknown and the fit's priors (`expected`), for
    the discs of the simulator's population: proposals without a cohort behind them.
    """
    chosen = load_recipe(recipe)
    behind = (*SUMS["acidity"], *SUMS["structure"])
    if needed := [name for name in behind if name in chosen.fit.exclude]:
        raise InputError(
            f"recipe {chosen.name}, [fit] exclude: labels are planned from log(acidity/structure), "
            f"which needs {', '.join(needed)}; plan with a recipe that fits it"
        )
    model = load_score_model(chosen.score.model)
    if not isinstance(model, PopulationScore):
        raise InputError(
            f"score model {model.name} is of the kind {model.kind}: labels are planned for the "
            "kind population alone; choose another recipe"
        )
    aims = _checked(WANTED if wanted is None else wanted)
    levels: Sequence[Level] = () if source is None else _levels(Path(source), chosen)
    given = dict(_measured(levels, source)) if source is not None else {}
    given |= {name: value for name, value in stated.items() if value is not None}
    if "snr" not in given:
        raise InputError("no SNR: name a measured study, or state the SNR of PG")
    setting = Setting(examination=Examination(**cast("Any", given)), recipe=chosen)
    typical = {kind: setting.typical(kind) for kind in CLASSES}
    now = setting.examination.transients
    refused, remarks = _scope(setting.examination, model)
    at_hand = {kind: setting.expected(lines, now) for kind, lines in typical.items()}
    snr = {CLASSES[kind]: setting.snr(lines, now) for kind, lines in typical.items()}
    return Plan(
        examination=setting.examination,
        snr=snr,
        errors={
            CLASSES[kind]: {
                name: error_of(name, disc) for name in dict.fromkeys((*QUANTITIES, *aims))
            }
            for kind, disc in at_hand.items()
        },
        labels={
            name: NO_LABEL if refused else _shares(setting, kinds, now, model)
            for name, kinds in TRUTHS.items()
        },
        needs=_needs(setting, typical["P"], aims, None if refused else model),
        levels=tuple(_level_plan(level, chosen, aims) for level in levels),
        assumed=(*remarks, *_assumed(source is not None, (*snr.values(), *map(_snr, levels)))),
    )


def _checked(wanted: Mapping[str, float]) -> dict[str, float]:
    for name, error in wanted.items():
        if not (isfinite(error) and 0.001 <= error <= 10):
            raise InputError(f"an error of {error:g} of {name}: from 0.001 to 10 expected")
    return dict(wanted)


def _assumed(measured: bool, snrs: Iterable[float]) -> tuple[str, ...]:
    told = (
        "the median disc of the study is a typical degenerated one"
        if measured
        else "the SNR is that of PG in a typical degenerated disc"
    )
    weak = (
        f"below an SNR of {LINEAR_SNR:g} errors are larger than expected, by a fifth or more: they "
        "are marked ≥, labels are fewer and transients more than said"
    )
    return (
        told,
        "amounts, relaxation times and baselines are those of the simulator's population: "
        "proposals, no cohort stands behind them",
        "transients average as independent ones do; no motion, no marrow lipid in typical discs",
        "labels are those of a disc alone, at the prevalence of the recipe or its model",
        *([weak] if min(snrs) < LINEAR_SNR else []),
    )


def _scope(one: Examination, model: PopulationScore) -> tuple[bool, tuple[str, ...]]:
    """Return whether the score refuses such discs, and what it says of them."""
    disc = Disc(
        level="L4-L5",
        components=model.scope.components,
        echo_time_s=one.echo_time_s,
        repetition_time_s=one.repetition_time_s,
        field_t=one.field_t,
    )
    if (reason := out_of_scope(disc, model)) is not None:
        return True, (f"no disc gets a label: {sentences([reason])[0]}",)
    return False, sentences(exploratory(disc, model))


def _shares(
    setting: Setting, kinds: tuple[Kind, ...], transients: int, model: PopulationScore
) -> dict[str, float]:
    drawn = setting.discs(kinds, DRAWN, transients)
    found = shares(drawn, model, setting.recipe.score)
    return dict(zip(LABELS, found.tolist(), strict=True))


def _needs(
    setting: Setting, painful: Lines, aims: Mapping[str, float], model: PopulationScore | None
) -> tuple[Need, ...]:
    """Return what each aim takes of a typical painful disc."""
    one, options = setting.examination, setting.recipe.score

    @cache
    def at(transients: int) -> Any:
        return setting.expected(painful, transients)

    def need(aim: str, value: Callable[[int], float], enough: Callable[[float], bool]) -> Need:
        found = fewest(lambda n: enough(value(n)), one.most)
        return Need(
            aim=aim,
            transients=found,
            minutes=None if found is None else one.minutes_of(found),
            at_most=value(one.most),
        )

    needs = []
    for name, error in aims.items():
        unit = f"{error:g}" if name == R else f"{100 * error:g} %"

        def reached(n: int, name: str = name) -> float:
            return error_of(name, at(n))

        needs.append(need(f"error of {name} of {unit}", reached, partial(ge, error)))
    if model is None:
        return tuple(needs)
    words = f"labelled likely painful (LR >= {options.likely:g}) with probability {PROBABILITY:g}"

    def likely(n: int) -> float:
        return float(shares([at(n)], model, options)[LABELS.index("likely painful")])

    needs.append(need(words, likely, partial(le, PROBABILITY)))
    return tuple(needs)


# --------------------------------------------------------------------------- measured studies


def _levels(path: Path, recipe: Recipe) -> tuple[Level, ...]:
    """Return the usable levels of results, or of a study that is analysed for it."""
    from mrs_disc.analysis import analyze
    from mrs_disc.io import read_study
    from mrs_disc.record.file import read_results

    record = path / "results.json" if path.is_dir() else path
    if record.name == "results.json" and record.is_file():
        levels: Sequence[Level] = read_results(record).levels
    else:
        levels = tuple(level.record for level in analyze(read_study(path), recipe).levels)
    usable = tuple(one for one in best_runs(levels).values() if one.usable and _snr(one))
    if not usable:
        raise InputError(f"{path.name}: no level could be measured; state SNR and linewidth")
    return usable


def _snr(level: Level) -> float:
    assert level.measured is not None
    return level.measured.quality.snr or 0.0


def _transients(level: Level) -> int:
    """Return how many transients stand behind a level's average."""
    assert level.measured is not None
    quality, averages = level.measured.quality, level.measured.protocol.n_averages or 1
    return max(1, (quality.n_transients - quality.n_rejected) * averages)


def _measured(levels: Sequence[Level], source: object) -> Stated:
    """Return what a study says of how it was measured: medians over its levels."""
    measured = [level.measured for level in levels if level.measured is not None]
    counts = np.array([_transients(level) for level in levels])
    count = round(float(np.median(counts)))
    single = float(np.median([_snr(level) for level in levels] / np.sqrt(counts)))
    found: Stated = {
        "snr": single * float(np.sqrt(count)),
        "averages": count,
        "transients": count,
        "discs": len(levels),
        "linewidth_hz": _median([m.quality.linewidth_hz for m in measured]) or 26.0,
    }
    echo = _median([m.protocol.echo_time_s for m in measured])
    repetition = _median([m.protocol.repetition_time_s for m in measured])
    mhz = _median([m.protocol.spectrometer_mhz for m in measured])
    if echo is not None:
        found["echo_time_s"] = echo
    if repetition is not None:
        found["repetition_time_s"] = repetition
    if mhz is not None:
        found["field_t"] = mhz / GAMMA_1H_MHZ_PER_T
    return found


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _level_plan(level: Level, recipe: Recipe, aims: Mapping[str, float]) -> LevelPlan:
    """Return what is expected of a level as it was measured, and what the wanted error takes."""
    assert level.measured is not None
    measured, count = level.measured, _transients(level)
    stated = measured.quantities.values.get("log(acidity/structure)")
    quoted = stated.sd if stated is not None and stated.limit is None else None

    def row(
        error: float | None, needed: int | None, reason: str = "", quoted: float | None = quoted
    ) -> LevelPlan:
        return LevelPlan(
            level=level.level,
            snr=measured.quality.snr,
            transients=count,
            quoted=quoted,
            expected=error,
            needed=needed,
            reason=reason,
        )

    try:
        lines, scan = _lines_of(level, recipe)
        noise = noise_of(_snr(level), lines, scan, recipe)

        @cache
        def error(n: int) -> float:
            at = expected(lines, noise * float(np.sqrt(count / n)), scan, recipe)
            return error_of(R, at)

        most = int(LONGEST_S / scan.repetition_time_s)
        aim = aims.get(R)
        needed = None if aim is None else fewest(lambda n: error(n) <= aim, most)
        reason = "" if aim is None or needed else f"{error(most):.2f} after an hour"
        return row(error(count), needed, reason)
    except InputError as problem:
        return row(None, None, str(problem))


def _lines_of(level: Level, recipe: Recipe) -> tuple[Lines, Scan]:
    """Return the lines that were measured; an amount below its error counts as its error."""
    assert level.measured is not None
    measured, protocol = level.measured, level.measured.protocol
    width, echo = measured.quality.linewidth_hz, protocol.echo_time_s
    if width is None or echo is None or protocol.spectrometer_mhz is None:
        raise InputError("linewidth, echo time or frequency is not known")
    scan = Scan(
        spectrometer_mhz=protocol.spectrometer_mhz,
        echo_time_s=echo,
        repetition_time_s=protocol.repetition_time_s or 1.5,
        n_points=1024,
        spectral_width_hz=2000.0 * max(1.0, protocol.spectrometer_mhz / 128),
    )
    amplitude = {
        name: max(one.amplitude, one.sd, 0.0) for name, one in measured.fit.metabolites.items()
    }
    gradient(R, tuple(amplitude), np.array(list(amplitude.values())))  # has acidity and structure
    bare = Lines(amplitude=amplitude, lorentz_hz=1.4, gauss_hz=0.0)
    return Lines(
        amplitude=amplitude, lorentz_hz=1.4, gauss_hz=gauss_of(width, bare, scan, recipe)
    ), scan
