"""The impression of a study: pure functions of its record with a fixed vocabulary.

Two to five sentences, each with one task: what is likely a source of pain and what is not; what
could not be judged, and why; structure; agreement with the images and with provocation testing;
whether the examination is complete. The words propose no test and name no treatment, and
morphology is only compared with the score: it never enters it (`mrs_disc.record.concordance`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from mrs_disc.data.places import is_repeat
from mrs_disc.record.concordance import AGREEMENT, agreements, join, seen
from mrs_disc.record.concordance import concordance as concordance
from mrs_disc.record.concordance import describe_morphology as describe_morphology
from mrs_disc.record.findings import Finding, likelihood_ratio, of_role, words
from mrs_disc.record.level import Level, best_runs
from mrs_disc.record.levels import REGIONS, level_order, spans
from mrs_disc.record.parts import Completeness, DiscScore
from mrs_disc.scoring.comparison import most_acidic
from mrs_disc.scoring.disc import probability

STRUCTURE_NAMES = ("structure/water", "structure index", "log(structure/water)", "PG/water")
"""Quantities that may speak for structure, in the order of preference."""

_FILE = re.compile(r"^[^:;,]*(?:/[^:/]+|\.[A-Za-z]\w*): ")
"""The file that a message begins with: the level says which, and its name would only lengthen the
sentence and keep levels of one fate apart."""

PRELIMINARY = "preliminary, not reviewed"
MAX_REASON = 120


DISC_CLAUSES = {
    "levels_exchanged": "places in another order",
    "levels_at_one_place": "one place for two names",
    "same_file_twice": "one file for two names",
    "same_measurement_twice": "one measurement for two names",
    "same_noise_elsewhere": "one measurement at two places",
    "other_level_named": "another level in the file's name or header",
    "same_water_twice": "one water reference for two levels",
    "other_person": "another person in the header",
    "spacing_unlikely": "unusual distance",
    "region_unlikely": "distances of another region",
    "beside_the_spine": "beside the line of the discs",
    "voxel_larger_than_disc": "voxel larger than a disc",
    "voxel_outside_image": "voxel outside the image",
    "voxel_mirrored": "mirrored axes",
    "other_scanner": "another scanner",
}
"""What may speak against the name or the place of a level, in the words of an impression."""


def impression(
    levels: Sequence[Level],
    completeness: Completeness,
    status: str = PRELIMINARY,
    noticed: Sequence[Finding] = (),
    ranked: Mapping[str, float] | None = None,
) -> str:
    """Return the impression: two to five sentences in the fixed vocabulary.

    What limits all else comes first: names of levels that were accepted against the files, too few
    discs, names that were guessed, places that are unlikely.

    Parameters
    ----------
    levels : sequence of Level
        All levels and runs, scored or failed; the run of best quality speaks for its level.
    completeness : Completeness
        Whether enough discs could be used.
    status : str
        Whether a person has reviewed it.
    noticed : sequence of Finding
        Of the whole study.
    ranked : mapping, optional
        Level to its probability of being the most acidic, where a comparison has drawn it already.
    """
    discs = sorted(best_runs(levels).values(), key=lambda disc: level_order(disc.level))
    sentences = (
        *_headline(noticed, completeness, discs),
        _pain(discs, most_acidic(discs) if ranked is None else ranked),
        _not_judged(discs),
        _structure(discs),
        _agreements(discs),
        _consequence(completeness, status),
    )
    return " ".join(s for s in sentences if s)


def _count(completeness: Completeness) -> str:
    n = completeness.n_levels
    return f"{n} usable disc{'' if n == 1 else 's'}, at least {completeness.min_levels} needed"


TELLING = 0.8
"""Probability of being the most acidic disc from which the impression says so [P]."""

EXPLORATORY = ("exploratory_field", "exploratory_region")
"""Findings of a score outside of what its model was made for."""

HELD = ("held_by_prevalence", "held_by_interval", "held_by_patient")
"""Findings of a disc whose likelihood ratio is beyond a label's limit, though it has no label."""


def _exploratory(discs: Iterable[Level]) -> list[str]:
    """Return the sentence on discs for which no score model was made."""
    told: dict[str, list[str]] = {}
    for disc in discs:
        if disc.score is None or disc.score.value is None:
            continue
        # Of a score just made its own findings, of a record those of the level.
        outside = [f for f in (*disc.score.findings, *disc.findings) if f.kind in EXPLORATORY]
        for why in dict.fromkeys(words(one) for one in outside):
            told.setdefault(why, []).append(disc.level)
    return [f"EXPLORATORY: {spans(levels)}: {why}." for why, levels in told.items()]


def _headline(
    noticed: Sequence[Finding], completeness: Completeness, discs: Sequence[Level]
) -> list[str]:
    """Say first what keeps a level's name from being certain, and whether discs are missing."""
    about = [one for one in noticed if one.kind in DISC_CLAUSES]
    accepted = [one for one in of_role(about, "forbids") if not is_repeat(one)]
    unlikely = [one for one in about if one not in accepted]
    guessed = [one.subject for one in noticed if one.kind == "level_unconfirmed"]
    found = []
    if accepted:
        found.append(
            f"LEVELS NOT CONFIRMED: the files contradict {_clauses(accepted)}; accepted as named."
        )
    if not completeness.met:
        found.append(f"INCOMPLETE: {_count(completeness)}.")
    found += _exploratory(discs)
    assumed = [d.level for d in discs if any(f.kind == "sequence_assumed" for f in d.findings)]
    if assumed:
        found.append(f"Sequence not stated, PRESS assumed: {spans(assumed)}.")
    if guessed:
        found.append(f"Levels by position, not confirmed: {join(guessed)}.")
    if unlikely:
        found.append(f"To be checked: {_clauses(unlikely)}.")
    return found


def _clauses(noticed: Sequence[Finding]) -> str:
    levels: dict[str, list[str]] = {}
    for one in noticed:
        names = levels.setdefault(DISC_CLAUSES[one.kind], [])
        names += [one.subject] if one.subject not in names else []
    return "; ".join(f"{join(names)} ({clause})" for clause, names in levels.items())


def _labelled(discs: Iterable[Level], label: str) -> list[Level]:
    return [d for d in discs if d.score is not None and d.score.label == label]


def _pain(discs: Sequence[Level], ranked: Mapping[str, float]) -> str:
    parts = []
    for label in ("likely painful", "unlikely painful"):
        names = [d.level for d in _labelled(discs, label)]
        if names:
            parts.append(f"{label}: {join(names)}")
    if not parts:
        parts.append("no level could be labelled as likely or unlikely painful")
    first = max(ranked, key=lambda level: ranked[level], default="")
    if first and ranked[first] >= TELLING:
        share = probability(ranked[first])
        parts.append(f"of the discs measured, {first} is the most acidic with probability {share}")
    return sentence("; ".join(parts))


def _not_judged(discs: Sequence[Level]) -> str:
    """Name what has no label and why; discs between the labels share one clause."""
    indeterminate = _labelled(discs, "indeterminate")
    between = [d for d in indeterminate if _is_between(d)]
    parts = []
    if between:
        values = join([_strength(d.score) for d in between if d.score is not None])
        names = join([d.level for d in between])
        what = "likelihood ratio" if _has_evidence(between) else "probability"
        parts.append(f"{names} indeterminate ({what} {values}, between the two labels)")
    reasons: dict[str, list[str]] = {}
    for disc in indeterminate:
        if disc not in between:
            reasons.setdefault(f"indeterminate ({_why(disc)})", []).append(disc.level)
    for disc in discs:
        if disc.measured is None:
            reason = f"not measured ({clean_reason(_failed_by(disc))})"
            reasons.setdefault(reason, []).append(disc.level)
    parts += [f"{join(names)} {why}" for why, names in reasons.items()]
    if absent := not_examined([d.level for d in discs]):
        parts.append(f"not examined: {spans(absent)}")
    return sentence("; ".join(parts)) if parts else ""


def _has_evidence(discs: Sequence[Level]) -> bool:
    return all(d.score is not None and d.score.evidence is not None for d in discs)


def _strength(score: DiscScore) -> str:
    """Return what a label rests on: the likelihood ratio where the model has one."""
    if score.evidence is None:
        return probability(score.value)
    return likelihood_ratio(score.evidence.value)


def _failed_by(disc: Level) -> str:
    """Return what stopped a level; the file's name only for records without findings is cut off."""
    noticed = (*disc.findings, *disc.failure.findings)
    return words(noticed[0]) if noticed else _FILE.sub("", disc.failure.message)


def _is_poor(disc: Level) -> bool:
    return disc.standing is not None and disc.standing.quality.verdict == "poor"


def _is_between(disc: Level) -> bool:
    if disc.score is None or disc.score.value is None or _is_poor(disc):
        return False
    return _held(disc) is None


def _held(disc: Level) -> Finding | None:
    """Return why evidence beyond the limits gave no label, or `None`."""
    if disc.score is None or disc.score.value is None:
        return None
    # Of a score just made its own findings, of a record those of the level.
    told = disc.score.findings or disc.findings
    return next((one for one in told if one.kind in HELD), None)


def _why(disc: Level) -> str:
    """Return why a disc has no label though it was measured."""
    if _is_poor(disc) and disc.standing is not None:
        reasons = disc.standing.quality.reasons
        return "poor spectrum: " + clean_reason((*reasons, "reason not stated")[0])
    if (held := _held(disc)) is not None:
        return clean_reason(words(held))
    reasons = disc.score.reasons if disc.score is not None else ()
    return clean_reason((*reasons, "reason not stated")[0])


STRUCTURE = "Structure (low in degeneration; the score divides by it)"
"""The same acidity beside a firm structure gives a far lower score: the two are no separate
findings."""


def _structure(discs: Sequence[Level]) -> str:
    """Compare each disc's structure with the patient's median, beyond two standard deviations."""
    usable = [d for d in discs if d.usable]
    if not usable:
        return ""
    values = {d.level: q for d in usable if (q := structure_quantity(d)) is not None}
    if len(values) < 3:
        return (
            f"{STRUCTURE}: not compared, as fewer than three usable levels have a water reference."
        )
    middle = median(v for v, _ in values.values())
    lower = [level for level, (value, sd) in values.items() if value + 2 * sd < middle]
    higher = [level for level, (value, sd) in values.items() if value - 2 * sd > middle]
    parts = []
    if lower:
        parts.append(f"below this person's median in {join(lower)}")
    if higher:
        above = "above it" if lower else "above this person's median"
        parts.append(f"{above} in {join(higher)}")
    if not parts:
        parts.append("no level differs from this person's median beyond its uncertainty")
    return f"{STRUCTURE}: {'; '.join(parts)}."


def structure_quantity(disc: Level) -> tuple[float, float] | None:
    """Return value and standard deviation of the quantity that speaks for structure."""
    for name in STRUCTURE_NAMES:
        quantity = disc.quantities.get(name)
        if quantity is not None and quantity.value is not None and quantity.sd is not None:
            return quantity.value, quantity.sd
    return None


def _agreements(discs: Sequence[Level]) -> str:
    """Group the labelled discs by how morphology and provocation agree with the score.

    What the images show is told where it matters: with painful discs and with disagreement.
    """
    images: dict[str, list[str]] = {}
    tests: dict[str, list[str]] = {}
    for disc in discs:
        if disc.score is None or disc.score.label == "indeterminate":
            continue
        for found in agreements(disc):
            if found.of == "provocation":
                tests.setdefault(found.word, []).append(f"{disc.level} ({found.shown})")
                continue
            expected = disc.score.label == "unlikely painful" and found.word == "concordant"
            shown = (disc.morphology and seen(disc.morphology)) or "no findings"
            name = disc.level if expected else f"{disc.level} ({shown})"
            images.setdefault(found.word, []).append(name)
    parts = []
    titles = ("morphologic MRI (grade and score both follow structure)", "provocation testing")
    for title, groups in zip(titles, (images, tests), strict=True):
        grouped = [f"{word} in {join(groups[word])}" for word in AGREEMENT if word in groups]
        if grouped:
            parts.append(f"{title}: {'; '.join(grouped)}")
    return sentence("; ".join(parts)) if parts else ""


def _consequence(completeness: Completeness, status: str) -> str:
    done = "complete" if completeness.met else "incomplete"
    return f"Examination {done} for CPT 0609T ({_count(completeness)}); {status}."


# --------------------------------------------------------------------------- words


def sentence(text: str) -> str:
    """Return the text as one sentence: first letter upper, one full stop."""
    return text[:1].upper() + text[1:].rstrip(" .") + "."


def clean_reason(text: str) -> str:
    """Return a reason as a clause: one line, no full stop inside, at most 120 characters.

    >>> clean_reason("no echo time. Give it in study.toml.")
    'no echo time; give it in study.toml'
    """
    text = "; ".join(
        part[:1].lower() + part[1:] if n and part[1:2].islower() else part
        for n, part in enumerate(re.split(r"[.!?]\s+", " ".join(text.split()).rstrip(" .")))
    )
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1].rstrip() + "…"


def not_examined(levels: Sequence[str]) -> list[str]:
    """Return the levels of the examined region (two discs of it or more) that are not there."""
    transitional = {"L5-L6", "L6-S1"} & set(levels)
    absent = []
    for region in REGIONS.values():
        if len(set(region) & set(levels)) >= 2:
            absent += [v for v in region if v not in levels and v not in ("L5-L6", "L6-S1")]
    return [a for a in absent if not (transitional and a == "L5-S1")]
