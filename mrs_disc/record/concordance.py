"""How a score agrees with what images and provocation testing show: pure functions of a level.

The rule is a proposal of this project. Signs that go with pain are Modic 1 or 2, a high-intensity
zone and a herniation from protrusion on; Pfirrmann IV or V and a moderate or severe loss of height
count as degeneration alone. Morphology is only compared with the score: it never enters it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mrs_disc.constants import ROMAN
from mrs_disc.record.level import Level
from mrs_disc.record.parts import Morphology

Word: TypeAlias = Literal["concordant", "partly concordant", "discordant", "not assessable"]
AGREEMENT: tuple[Word, ...] = ("concordant", "partly concordant", "discordant", "not assessable")
PAINFUL_HERNIATION = ("protrusion", "extrusion", "sequestration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How one other examination of a disc agrees with its score.

    `shown` says what that examination shows.
    """

    of: Literal["images", "provocation"]
    shown: str
    word: Word


def agreements(level: Level) -> tuple[Agreement, ...]:
    """Return how images and provocation testing agree with the score, where they were given."""
    each = []
    label = level.score.label if level.score is not None else "indeterminate"
    if level.morphology is not None and (shown := describe_morphology(level.morphology)):
        word = _of_images(label, level.morphology)
        each.append(Agreement(of="images", shown=shown, word=word))
    if level.provocation is not None:
        result = level.provocation.result
        word = _of_provocation(label, result)
        each.append(Agreement(of="provocation", shown=result, word=word))
    return tuple(each)


def concordance(level: Level) -> str:
    """Return how the score agrees with morphology and provocation, in fixed words.

    ``"<morphology>: <word>"`` with the word concordant, partly concordant, discordant or not
    assessable; ``"; provocation <result>: <word>"`` follows where the result is known.
    """
    by_kind = {one.of: one for one in agreements(level)}
    images, tested = by_kind.get("images"), by_kind.get("provocation")
    text = f"{images.shown}: {images.word}" if images else "no morphology given"
    return text + (f"; provocation {tested.shown}: {tested.word}" if tested else "")


def _of_images(label: str, morphology: Morphology) -> Word:
    if label == "indeterminate":
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


def _of_provocation(label: str, result: str) -> Word:
    if label == "indeterminate" or result not in ("positive", "negative"):
        return "not assessable"
    return "concordant" if (label == "likely painful") == (result == "positive") else "discordant"


# --------------------------------------------------------------------------- words


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
    return "; ".join(part for part in (seen(morphology), nothing) if part)


def seen(morphology: Morphology) -> str:
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


def join(names: Sequence[str], word: str = "and") -> str:
    """Return names as a person lists them.

    >>> join(["L3-L4", "L4-L5", "L5-S1"])
    'L3-L4, L4-L5 and L5-S1'
    """
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
