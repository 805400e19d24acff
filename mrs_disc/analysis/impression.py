"""The impression and the words of concordance: pure functions with a fixed vocabulary.

Two to five sentences, each with one task: what is likely a source of pain and what is not; what
could not be judged, and why; structure, apart from pain; agreement with the images and with
provocation testing; what follows for the examination. The words never name a treatment, and
morphology is only compared with the score: it never enters it.

The rule of concordance is a proposal of this project. Signs that go with pain are Modic 1 or 2,
a high-intensity zone and a herniation from protrusion on; Pfirrmann IV or V and a moderate or
severe loss of height count as degeneration alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from statistics import median

from mrs_disc.constants import ROMAN
from mrs_disc.data import (
    LEVELS,
    Completeness,
    LevelReport,
    Morphology,
    Quantity,
    best_runs,
    level_order,
    spans,
)
from mrs_disc.score.disc import probability

PAINFUL_HERNIATION = ("protrusion", "extrusion", "sequestration")
STRUCTURE_NAMES = ("structure/water", "structure index", "log(structure/water)", "PG/water")
"""Quantities that may speak for structure, in the order of preference."""

_FILE = re.compile(r"^[^:;,]*(?:/[^:/]+|\.[A-Za-z]\w*): ")
"""The file that a message begins with: the level says which, and its name would only lengthen the
sentence and keep levels of one fate apart."""

AGREEMENT = ("concordant", "partly concordant", "discordant", "not assessable")
PRELIMINARY = "preliminary, not reviewed"
MAX_REASON = 120


def describe_morphology(morphology: Morphology | None) -> str:
    """Return what the images show in words, or an empty text where nothing was given.

    >>> describe_morphology(Morphology(pfirrmann=4, modic=1, hiz=True))
    'Pfirrmann IV, Modic 1, high-intensity zone'
    >>> describe_morphology(Morphology(pfirrmann=1, modic=0, hiz=False))
    'Pfirrmann I; no Modic change or high-intensity zone'
    """
    if morphology is None:
        return ""
    absent = [
        word
        for word, is_absent in (
            ("Modic change", morphology.modic == 0),
            ("high-intensity zone", morphology.hiz is False),
            ("herniation", morphology.herniation == "none"),
            ("loss of height", morphology.disc_height_loss == "none"),
        )
        if is_absent
    ]
    nothing = "no " + join(absent, "or") if absent else ""
    return "; ".join(part for part in (findings(morphology), nothing) if part)


def findings(morphology: Morphology) -> str:
    """Return what there is to be seen on the images, without what is absent."""
    words = []
    if morphology.pfirrmann is not None:
        words.append(f"Pfirrmann {ROMAN[morphology.pfirrmann]}")
    if morphology.modic:
        words.append(f"Modic {morphology.modic}")
    if morphology.hiz:
        words.append("high-intensity zone")
    if morphology.herniation not in (None, "none"):
        words.append(str(morphology.herniation))
    if morphology.disc_height_loss not in (None, "none"):
        words.append(f"{morphology.disc_height_loss} loss of height")
    return ", ".join(words)


def concordance(level: LevelReport) -> str:
    """Return how the score agrees with morphology and provocation, in fixed words.

    ``"<morphology>: <word>"`` with the word concordant, partly concordant, discordant or not
    assessable; ``"; provocation <result>: <word>"`` follows where the result is known.
    """
    label = level.score.label if level.score is not None else None
    shown = describe_morphology(level.morphology)
    text = "no morphology given"
    if shown:
        text = f"{shown}: {_agreement(label, level.morphology)}"
    if level.provocation is not None:
        result = level.provocation.result
        text += f"; provocation {result}: {_provocation_agreement(label, result)}"
    return text


def _agreement(label: str | None, morphology: Morphology | None) -> str:
    if morphology is None or label not in ("likely painful", "unlikely painful"):
        return "not assessable"
    pain, degeneration = _signs(morphology)
    if pain:
        return "concordant" if label == "likely painful" else "discordant"
    if degeneration:
        return "partly concordant"
    return "discordant" if label == "likely painful" else "concordant"


def _signs(morphology: Morphology) -> tuple[bool, bool]:
    """Return whether there are signs that go with pain, and signs of degeneration."""
    pain = (
        morphology.modic in (1, 2)
        or morphology.hiz is True
        or morphology.herniation in PAINFUL_HERNIATION
    )
    degeneration = (morphology.pfirrmann or 0) >= 4 or morphology.disc_height_loss in (
        "moderate",
        "severe",
    )
    return pain, degeneration


def _provocation_agreement(label: str | None, result: str) -> str:
    if label not in ("likely painful", "unlikely painful") or result not in (
        "positive",
        "negative",
    ):
        return "not assessable"
    return "concordant" if (label == "likely painful") == (result == "positive") else "discordant"


def impression(levels: Sequence[LevelReport], completeness: Completeness) -> str:
    """Return the impression: two to five sentences in the fixed vocabulary.

    Parameters
    ----------
    levels : sequence of LevelReport
        All levels and runs, scored or failed; the run of best quality speaks for its level.
    completeness : Completeness
        Whether enough discs could be used.
    """
    discs = sorted(best_runs(levels).values(), key=lambda disc: level_order(disc.level))
    sentences = (
        _pain(discs),
        _not_judged(discs),
        _structure(discs),
        _agreements(discs),
        _consequence(discs, completeness),
    )
    return " ".join(s for s in sentences if s)


def _labelled(discs: Iterable[LevelReport], label: str) -> list[LevelReport]:
    return [d for d in discs if d.score is not None and d.score.label == label]


def _pain(discs: Sequence[LevelReport]) -> str:
    parts = []
    for label in ("likely painful", "unlikely painful"):
        names = [d.level for d in _labelled(discs, label)]
        if names:
            parts.append(f"{label}: {join(names)}")
    if not parts:
        return "No level could be labelled as likely or unlikely painful."
    return sentence("; ".join(parts))


def _not_judged(discs: Sequence[LevelReport]) -> str:
    """Name what has no label and why; discs between the labels share one clause."""
    indeterminate = _labelled(discs, "indeterminate")
    between = [d for d in indeterminate if _is_between(d)]
    parts = []
    if between:
        values = join([probability(d.score.value) for d in between if d.score is not None])
        names = join([d.level for d in between])
        parts.append(f"{names} indeterminate (probability {values}, between the two labels)")
    reasons: dict[str, list[str]] = {}
    for disc in indeterminate:
        if disc not in between:
            reasons.setdefault(f"indeterminate ({_why(disc)})", []).append(disc.level)
    for disc in discs:
        if disc.failure is not None:
            reason = clean_reason(_FILE.sub("", disc.failure.message))
            reasons.setdefault(f"not measured ({reason})", []).append(disc.level)
    parts += [f"{join(names)} {why}" for why, names in reasons.items()]
    if absent := not_examined([d.level for d in discs]):
        parts.append(f"not examined: {spans(absent)}")
    return sentence("; ".join(parts)) if parts else ""


def _is_poor(disc: LevelReport) -> bool:
    return disc.measurement is not None and disc.measurement.quality.verdict == "poor"


def _is_between(disc: LevelReport) -> bool:
    return disc.score is not None and disc.score.value is not None and not _is_poor(disc)


def _why(disc: LevelReport) -> str:
    """Return why a disc has no label though it was measured."""
    if _is_poor(disc) and disc.measurement is not None:
        reasons = disc.measurement.quality.reasons
        return "poor spectrum: " + clean_reason((*reasons, "reason not stated")[0])
    reasons = disc.score.reasons if disc.score is not None else ()
    return clean_reason((*reasons, "reason not stated")[0])


def _structure(discs: Sequence[LevelReport]) -> str:
    """Compare each disc's structure with the patient's median, beyond two standard deviations."""
    usable = [d for d in discs if d.usable]
    if not usable:
        return ""
    values = {d.level: q for d in usable if (q := structure_quantity(d)) is not None}
    if len(values) < 3:
        return (
            "Structure (degeneration, apart from pain): not compared, "
            "as fewer than three usable levels have a water reference."
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
    return f"Structure (degeneration, apart from pain): {'; '.join(parts)}."


def structure_quantity(disc: LevelReport) -> tuple[float, float] | None:
    """Return value and standard deviation of the quantity that speaks for structure."""
    if disc.measurement is None:
        return None
    values = disc.measurement.quantities.values
    for name in STRUCTURE_NAMES:
        quantity: Quantity | None = values.get(name)
        if quantity is not None and quantity.value is not None and quantity.sd is not None:
            return quantity.value, quantity.sd
    return None


def _agreements(discs: Sequence[LevelReport]) -> str:
    """Group the labelled discs by how morphology and provocation agree with the score.

    What the images show is told where it matters: with painful discs and with disagreement.
    """
    images: dict[str, list[str]] = {}
    tests: dict[str, list[str]] = {}
    for disc in discs:
        label = disc.score.label if disc.score is not None else None
        if label not in ("likely painful", "unlikely painful"):
            continue
        if disc.morphology is not None and describe_morphology(disc.morphology):
            word = _agreement(label, disc.morphology)
            expected = label == "unlikely painful" and word == "concordant"
            seen = findings(disc.morphology) or "no findings"
            name = disc.level if expected else f"{disc.level} ({seen})"
            images.setdefault(word, []).append(name)
        if disc.provocation is not None:
            word = _provocation_agreement(label, disc.provocation.result)
            tests.setdefault(word, []).append(f"{disc.level} ({disc.provocation.result})")
    parts = []
    for title, groups in (("morphologic MRI", images), ("provocation testing", tests)):
        grouped = [f"{word} in {join(groups[word])}" for word in AGREEMENT if word in groups]
        if grouped:
            parts.append(f"{title}: {'; '.join(grouped)}")
    return sentence("; ".join(parts)) if parts else ""


def _consequence(discs: Sequence[LevelReport], completeness: Completeness) -> str:
    tested = [d.level for d in discs if d.provocation is not None]
    likely = [d.level for d in _labelled(discs, "likely painful") if d.level not in tested]
    if likely:
        verb = "merits" if len(likely) == 1 else "merit"
        text = f"{join(likely)} {verb} correlation with provocation testing"
    elif any(d.score is not None and d.score.label != "indeterminate" for d in discs):
        text = "No level stands out for correlation with provocation testing"
    else:
        text = "Without a label, no level can be proposed for provocation testing"
    done = "complete" if completeness.met else "incomplete"
    n = completeness.n_levels
    count = f"{n} usable disc{'' if n == 1 else 's'}, at least {completeness.min_levels} needed"
    return f"{text}; examination {done} for CPT 0609T ({count}); {PRELIMINARY}."


# --------------------------------------------------------------------------- words


def join(names: Sequence[str], word: str = "and") -> str:
    """Return names as a person lists them.

    >>> join(["L3-L4", "L4-L5", "L5-S1"])
    'L3-L4, L4-L5 and L5-S1'
    """
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


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


REGIONS: tuple[tuple[str, ...], ...] = (
    LEVELS[: LEVELS.index("C7-T1") + 1],
    LEVELS[LEVELS.index("T1-T2") : LEVELS.index("T12-L1") + 1],
    LEVELS[LEVELS.index("L1-L2") : LEVELS.index("L5-S1") + 1],
)
"""Cervical, thoracic and lumbar levels."""


def not_examined(levels: Sequence[str]) -> list[str]:
    """Return the levels of the examined region (two discs of it or more) that are not there."""
    transitional = {"L5-L6", "L6-S1"} & set(levels)
    absent = []
    for region in REGIONS:
        if len(set(region) & set(levels)) >= 2:
            absent += [level for level in region if level not in levels]
    return [a for a in absent if not (transitional and a == "L5-S1")]
