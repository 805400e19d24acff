"""Methods and provenance of a report: the MRSinMRS table, a citable paragraph, the model card.

Source of the table's items: Lin et al., NMR Biomed 2021;34:e4484, doi:10.1002/nbm.4484. What the
files do not say is "not reported"; what the user gave is marked so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.record.findings import words
from mrs_disc.record.level import Level, Results
from mrs_disc.report.citations import references, steps_taken
from mrs_disc.report.words import exact, harmless, number, rounded

ABSENT = "not reported"
Row = tuple[str, str]


def methods_table(results: Results) -> list[tuple[str, list[Row]]]:
    """Return the four parts of the MRSinMRS table, each a title and rows of item and content."""
    measured = [level for level in results.levels if level.measured]
    return [
        ("1. Hardware", _hardware(measured)),
        ("2. Acquisition", _acquisition(measured)),
        ("3. Analysis", _analysis(results, measured)),
        ("4. Quality", _quality(results)),
    ]


def _per_level(levels: list[Level], of: Callable[[Level], str | None]) -> str:
    """Return what holds for all levels once, else each level's own."""
    found = {level.title: of(level) or ABSENT for level in levels}
    if not found:
        return ABSENT
    groups: dict[str, list[str]] = {}
    for title, content in found.items():
        groups.setdefault(content, []).append(title)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(titles)}: {content}" for content, titles in groups.items())


def _milliseconds(seconds: float) -> str:
    return exact(1000 * seconds, "ms")


def _sides(value: tuple[float, float, float]) -> str:
    return " × ".join(exact(v) for v in value) + " mm"


def _size(value: tuple[float, float, float]) -> str:
    return f"{_sides(value)} ({number(value[0] * value[1] * value[2] / 1000, 2)} mL)"


_ITEMS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "spectrometer_mhz": ("Spectrometer frequency", lambda v: exact(v, "MHz")),
    "scanner.manufacturer": ("Manufacturer", str),
    "scanner.model": ("Model", str),
    "scanner.software": ("Scanner software", str),
    "n_coils": ("Receive coils (channels in the file)", lambda n: f"{n}, names not reported"),
    "sequence": ("Pulse sequence", str),
    "voxel_size_mm": ("Nominal voxel size", _size),
    "echo_time_s": ("Echo time", _milliseconds),
    "repetition_time_s": ("Repetition time", _milliseconds),
    "mixing_time_s": ("Mixing time", _milliseconds),
    "n_transients": ("Transients in the file", str),
    "n_averages": ("Averages", str),
    "spectral_width_hz": ("Spectral width", lambda v: exact(v, "Hz")),
    "n_points": ("Complex points", str),
    "refocusing_pulse": ("Refocusing pulses", lambda v: v.replace("_", "-")),
    "refocusing_bandwidth_hz": ("Refocusing bandwidth", lambda v: exact(v, "Hz")),
    "water_suppressed": ("Water suppression", lambda v: f"on, method {ABSENT}" if v else "off"),
}
"""Field of the protocol to its item of the table, and how its value is said."""


def _item(levels: list[Level], field: str, say: Callable[[Any], str] | None = None) -> Row:
    """Return an item of the protocol; what the user gave is marked so."""
    title, usual = _ITEMS[field]

    def of(level: Level) -> str | None:
        value = None if level.protocol is None else attrgetter(field)(level.protocol)
        if value is None or level.protocol is None:
            return None
        mark = " (given by the user)" if field in level.protocol.given_by_user else ""
        return harmless((say or usual)(value), 200) + mark

    return title, _per_level(levels, of)


def _hardware(levels: list[Level]) -> list[Row]:
    fields = (
        "spectrometer_mhz",
        "scanner.manufacturer",
        "scanner.model",
        "scanner.software",
        "n_coils",
    )
    return [
        ("Field strength", _field(levels)),
        *(_item(levels, field) for field in fields),
        ("Additional hardware", ABSENT),
    ]


def _field(levels: list[Level]) -> str:
    def of(level: Level) -> str | None:
        assert level.protocol is not None
        if level.protocol.field_strength_t is not None:
            return exact(round(level.protocol.field_strength_t, 1), "T")
        if level.protocol.spectrometer_mhz is not None:
            tesla = level.protocol.spectrometer_mhz / GAMMA_1H_MHZ_PER_T
            return number(tesla, 2, "T (from the frequency)")
        return None

    return _per_level(levels, of)


def _acquisition(levels: list[Level]) -> list[Row]:
    def given(level: Level) -> str:
        assert level.protocol is not None
        return ", ".join(level.protocol.given_by_user) or "nothing"

    first, *fields = list(_ITEMS)[list(_ITEMS).index("sequence") :]
    return [
        _item(levels, first),
        ("Volume of interest", "intervertebral discs " + ", ".join(t.title for t in levels)),
        *(_item(levels, field) for field in fields),
        ("Water reference", _water_reference(levels)),
        ("Shimming", ABSENT),
        ("Triggering or motion correction", ABSENT),
        ("Given by the user, not by the files", _per_level(levels, given)),
    ]


def _water_reference(levels: list[Level]) -> str:
    def of(level: Level) -> str:
        part = level.water_protocol
        if part is None:
            return "none"
        times = (part.echo_time_s, part.repetition_time_s)
        echo, repetition = (ABSENT if t is None else _milliseconds(t) for t in times)
        return f"unsuppressed, echo time {echo}, repetition time {repetition}"

    return _per_level(levels, of)


def _analysis(results: Results, levels: list[Level]) -> list[Row]:
    def chain(level: Level) -> str:
        return " → ".join(f"{s.step} ({s.method})" for s in level.history or ())

    def window(level: Level) -> str:
        assert level.fit is not None
        low, high = level.fit.window_ppm
        return f"{exact(low)} to {exact(high)} ppm"

    return [
        ("Software", f"{results.software.name} {results.software.version}"),
        ("Processing", harmless(_per_level(levels, chain))),
        (
            "Fit",
            "complex data in the frequency domain; from the optimum of separable least squares "
            f"the posterior mean{_averaged(results)}",
        ),
        ("Metabolite model", results.models.get("fit", ABSENT)),
        ("Components", _per_level(levels, lambda v: ", ".join(v.fit.metabolites) if v.fit else "")),
        ("Fitted range", _per_level(levels, window)),
        ("Baseline", _baseline(results)),
        ("Ratios taken for partly known", _ratio_priors(levels)),
        ("Output", "amplitudes at the start of the FID; ratios; per tissue water where referenced"),
        ("Relaxation times", _relaxation(results, measured=measured_t2(levels))),
        ("Score model", results.models.get("score", ABSENT)),
        ("Comparison of discs", _comparison(results)),
    ]


def measured_t2(levels: list[Level]) -> list[str]:
    """Return which T2 runs at several echo times measured, each in a sentence."""
    kinds = ("t2_measured", "t2_not_measured")
    found = {
        f"{level.level}: {words(one)}": None
        for level in levels
        for one in level.findings
        if one.kind in kinds
    }
    return list(found)


def _relaxation(results: Results, measured: list[str]) -> str:
    return "; ".join([results.models.get("relaxation", ABSENT), *measured])


def _baseline_kind(results: Results) -> str:
    return str(results.options("fit").get("baseline", "humps"))


def ratios_assumed(results: Results) -> str:
    """Return which ratios the fit took for partly known, in a sentence; nothing without any."""
    fits = [level.fit for level in results.levels if level.fit]
    medians = {one.name: one.median for fit in fits for one in fit.ratio_priors}
    if not medians:
        return ""
    named = ", ".join(f"{name} {exact(median)}" for name, median in medians.items())
    return harmless(f"Ratios that the fit takes for partly known, with their medians: {named}.")


def _averaged(results: Results) -> str:
    """Return what the fit averages over."""
    humps = _baseline_kind(results) == "humps"
    places = "number, places and widths of the baseline's humps, " if humps else ""
    return f" over {places}Gaussian width and delay"


def _baseline(results: Results) -> str:
    return {
        "none": "none",
        "spline": "penalised cubic spline of complex areas (Eilers and Marx 1996), its stiffness "
        "where the evidence is highest and held for known",
    }.get(
        _baseline_kind(results),
        "positive broad humps of unknown number, averaged by their evidence",
    )


def _bounds_know(results: Results) -> str:
    """Return what the Cramér-Rao bounds take for known."""
    if _baseline_kind(results) == "spline":
        return ", with the spline's stiffness known and the spline not"
    return ", with the baseline known"


def _ratio_priors(levels: list[Level]) -> str:
    """Return each prior of a ratio with its source, and how far the levels lie from it."""
    held = {p.name: p for level in levels if level.fit for p in level.fit.ratio_priors}
    if not held:
        return "none"
    words = []
    for name, prior in held.items():
        off = [
            f"{level.title} {rounded(p.deviation_sd, 1)}"
            for level in levels
            if level.fit
            for p in level.fit.ratio_priors
            if p.name == name and p.deviation_sd is not None
        ]
        far = f"; prior standard deviations off: {', '.join(off)}" if off else ""
        words.append(
            f"{name}: median {exact(prior.median)}, standard deviation of the logarithm "
            f"{exact(prior.log_sd)} ({prior.source}) [{prior.status}]{far}"
        )
    return harmless(". ".join(words), 2000)


def _comparison(results: Results) -> str:
    comparison = results.comparison
    if not comparison.references:
        return f"not made: {comparison.reason}"
    return f"{comparison.quantity} of each disc against the others; {comparison.assumes}"


def _quality(results: Results) -> list[Row]:
    gates = results.options("quality")
    named = {
        "min_snr": "SNR at least {} (below: poor)",
        "good_snr": "good from SNR {}",
        "good_linewidth_ppm": "linewidth good up to {} ppm at 3 T",
        "max_linewidth_ppm": "poor above {} ppm",
        "max_residual_water": "residual water poor above {} times the quality peak",
        "max_water_before_removal": "water before its removal acceptable above {} times it",
        "min_kept_fraction": "at least {} of the transients kept",
        "max_residual_ratio": "fit residual at most {} times the noise",
        "max_negative_sd": "no component more than {} sd below zero",
        "max_shift_ppm": "lines at most {} ppm from their places beside water",
    }
    limits = "; ".join(
        text.format(exact(gates[name]))
        for name, text in named.items()
        if isinstance(gates.get(name), int | float)
    )
    return [
        ("SNR", "height of the quality peak / standard deviation of the real noise, unapodized"),
        ("Linewidth", "full width at half maximum of the quality peak"),
        ("Limits of the verdict (proposed, not published)", limits or ABSENT),
        (
            "Uncertainty",
            "of the truth: posterior of the fit, noise, line shapes and baseline are in it; "
            f"Cramér-Rao bounds{_bounds_know(results)}, beside it",
        ),
        ("Error of repetition", _repetition(results)),
        ("Sample spectra", "all levels, above"),
    ]


def _repetition(results: Results) -> str:
    """Return how the scatter of repeats was found."""
    count = results.options("fit").get("bootstrap")
    how = (
        f"{count} repeats with the transients drawn anew, each processed and fitted by itself"
        if count
        else "new noise alone, by the derivative of the posterior mean"
    )
    return f"{how}; no other planning of the voxel, shim or physiology is in it"


def _n_discs(levels: list[Level]) -> str:
    """Return how many discs the levels are, runs counted once."""
    count = len({level.level for level in levels})
    return f"{count} intervertebral {'disc' if count == 1 else 'discs'}"


def paragraph(results: Results) -> str:
    """Return a methods paragraph that can be cited."""
    levels = [level for level in results.levels if level.measured]
    numbers = {paper.key: n for n, paper in enumerate(references(results), 1)}

    def cite(key: str) -> str:
        return f" [{numbers[key]}]" if key in numbers else ""

    if not levels:
        return f"No disc could be analysed by {results.software.name} {results.software.version}."
    said = {
        field: _item(levels, field)[1] for field in ("sequence", "echo_time_s", "repetition_time_s")
    }
    voxel = _item(levels, "voxel_size_mm", _sides)[1]
    steps = _steps_in_words(results, cite)
    mark = cite("Slotboom1994")
    displaced = f", the refocusing pulses' displacement included{mark}" if mark else ""
    mark = cite("Eilers1996")
    spline = f", over a penalised spline whose stiffness has the most evidence{mark}"
    spline = spline if _baseline_kind(results) == "spline" else ""
    mark = cite("Near2021")
    water = f"Amounts per tissue water were corrected for relaxation{mark}. " if mark else ""
    water += "".join(f"{one}. " for one in measured_t2(levels) if water)
    window = levels[0].fit.window_ppm if levels[0].fit else (0.5, 4.2)
    return harmless(
        f"Single-voxel 1H spectra of {_n_discs(levels)} "
        f"(sequence {said['sequence']}; echo time {said['echo_time_s']}; "
        f"repetition time {said['repetition_time_s']}; "
        f"voxel {voxel}; field {_field(levels)}) were analysed with {results.software.name} "
        f"{results.software.version} (recipe {results.recipe.get('name', 'default')}, SHA-256 "
        f"{results.recipe_sha256[:12]}). {steps}"
        f"Metabolites of the model {results.models.get('fit', ABSENT)} were fitted to the complex "
        f"spectrum from {exact(window[0])} to {exact(window[1])} ppm by separable least "
        f"squares{cite('Golub1973')}, with J evolution at the echo time"
        f"{cite('Govindaraju2000')}{displaced}{_evolved(levels)}{spline}; amounts are posterior "
        f"means{_averaged(results)}, intervals the central 95 %. {water}"
        f"The score is that of the model {results.models.get('score', ABSENT)}"
        f"{_made_from(results)}. "
        "Reported after MRSinMRS"
        f"{cite('Lin2021')}, in the terms of the experts' consensus"
        f"{cite('Kreis2021')}.",
        4000,
    )


_EVOLVED = ("evolved_ideal", "evolved_real", "evolved_stimulated")

_NOT_EVOLVED = (
    "sequence_assumed",
    "evolution_unknown",
    "no_mixing_time",
    "partner_unknown",
    "pulse_unknown",
    "pulses_too_long",
    "pulse_assumed",
    "pulses_not_told",
)
"""What keeps an evolution from being certain."""


def _evolved(levels: list[Level]) -> str:
    """Return how coupled spins were taken to evolve, and what of it nobody stated."""

    def of(kinds: tuple[str, ...]) -> list[str]:
        found = (words(f) for level in levels for f in level.findings if f.kind in kinds)
        return list(dict.fromkeys(found))

    said = "; ".join(of(_EVOLVED))
    doubts = "; ".join(of(_NOT_EVOLVED))
    told = f"; by density matrix, {said}" if said else ""
    return f"{told} ({doubts})" if doubts else told


def technique(results: Results) -> str:
    """Return how the discs were measured, in a sentence or two."""
    levels = [level for level in results.levels if level.measured]
    if not levels:
        return "No disc was measured."
    said = {name: _item(levels, name)[1] for name in _TECHNIQUE}
    voxel = _item(levels, "voxel_size_mm", _sides)[1]
    return harmless(
        f"Single-voxel 1H spectroscopy of {_n_discs(levels)}: "
        f"{said['sequence']}, field {_field(levels)}, echo time {said['echo_time_s']}, repetition "
        f"time {said['repetition_time_s']}, voxel {voxel}. Transients in the file: "
        f"{said['n_transients']}; receive channels: {said['n_coils'].partition(',')[0]}.",
        1000,
    )


_TECHNIQUE = ("sequence", "echo_time_s", "repetition_time_s", "n_transients", "n_coils")


def _made_from(results: Results) -> str:
    """Return what the score model was made from, and whether anyone validated it."""
    training = results.score_model_card.get("training")
    data = training.get("data") if isinstance(training, Mapping) else training
    made = f", made from {data}" if data else ""
    return made + ("" if results.score_model_card.get("validated") is True else ", not validated")


def _steps_in_words(results: Results, cite: Callable[[str], str]) -> str:
    text = "; ".join(step.words + cite(step.paper) for step in steps_taken(results))
    return text[:1].upper() + text[1:] + ". " if text else ""


def model_card(results: Results) -> list[Row]:
    """Return the score model's card in short, in the order of importance."""
    card = results.score_model_card
    training = card.get("training")
    scope = card.get("scope")
    rows: list[Row] = [("Model", results.models.get("score", ABSENT))]
    if card.get("description"):
        rows.append(("What it does", str(card["description"])))
    validated = "yes" if card.get("validated") is True else "no: for research alone"
    rows.append(("Validated", validated))
    if card.get("intended_use"):
        rows.append(("Intended use", str(card["intended_use"])))
    if isinstance(training, Mapping):
        rows.append(("Made from", f"{training.get('data', ABSENT)}"))
        counts = [
            f"{training[k]} {w}"
            for k, w in (("n_patients", "patients"), ("n_discs", "discs"))
            if training.get(k)
        ]
        if counts:
            alone = training.get("n_patients") == training.get("n_discs")
            size = f"{counts[-1]}, one of each patient" if alone else ", ".join(counts)
            rows.append(("Size", size))
    elif training:
        rows.append(("Made from", str(training)))
    if isinstance(scope, Mapping):
        rows.append(
            (
                "Holds for",
                "; ".join(
                    f"{word} {_short(scope[k])}" for k, word in SCOPE.items() if scope.get(k)
                ),
            )
        )
    share = prevalence(results)
    if share is not None:
        rows.append(("Share of painful discs assumed", number(share, 2)))
    limits = card.get("limits")
    if isinstance(limits, list | tuple):
        limits = "; ".join(str(x) for x in limits)
    if limits:
        rows.append(("Limits", str(limits)))
    return [(k, harmless(v, 600)) for k, v in rows]


SCOPE = {"components": "components", "echo_time_s": "echo time (s)", "field_t": "field (T)"}


def prevalence(results: Results) -> float | None:
    """Return the share of painful discs before measuring: the recipe's, or the model's own."""
    card = results.score_model_card
    stated = results.options("score").get("prevalence") or card.get("prevalence")
    if isinstance(stated, int | float):
        return float(stated)
    classes = card.get("disc_class") or card.get("class")
    if not isinstance(classes, list):
        return None
    shares = [c.get("share") for c in classes if isinstance(c, Mapping) and c.get("painful")]
    numbers = [float(s) for s in shares if isinstance(s, int | float)]
    return sum(numbers) if numbers else None


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(str(v) for v in value) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)


LIMITS = (
    "No public coefficients of a score of painful discs were found: the limits of the labels are "
    "proposals of this project, and so are its own score models, made from simulated discs.",
    "Amplitudes are T2-weighted as measured; only amounts per tissue water are corrected for "
    "relaxation, with times of which most are not known for discs; T2 of proteoglycan is taken to "
    "lie from 27 to 100 ms unless runs at several echo times measure it.",
    "Lactate and lipid overlap at 1.3 ppm; propionate hides under the proteoglycan peak; alanine "
    "is a marker of acid and of collagen.",
    "Provocation discography, with which such scores are compared, is itself a disputed reference.",
    "Differences between discs assume that these were measured alike and that their errors are "
    "independent; where all discs are alike, each differs from the median by about zero.",
    "No disc spectroscopy at 1.5 T has been validated in public: there everything is exploratory.",
)
"""What a reader has to know before acting; printed in every report."""
