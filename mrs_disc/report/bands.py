"""Reference bands: where acidity and structure of the score model's discs lie, to read values by.

The bands are the classes of two models that this package ships or that the record names: mean plus
and minus one standard deviation, for acidity with what patients differ by. They are as good as what
the models were made from, which is named beside them: simulated discs so far, nobody's patients.
A band is shown for discs that its model was made for, and for no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, hypot
from typing import Literal, TypeAlias

from mrs_disc.models.scores import StructureIndexScore, load_score_model
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import Quantity
from mrs_disc.report.words import rounded
from mrs_disc.scoring.disc import disc_of, exploratory, out_of_scope

ACIDITY, STRUCTURE = "log(acidity/structure)", "log(structure/water)"
_INDEX = "structure_index"

BAND_COLOURS = {"healthy": "#dfe9f6", "painful": "#f7e4e2"}
BAND_COLOUR = "#ebebe6"
"""Of a class by its name, and of any other; the names stand beside them."""

Place: TypeAlias = Literal["above", "borderline", "below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Where the discs of one class lie.

    `sound` says whether such discs are the reference: painless ones for acidity, those that are
    not degenerated for structure.
    """

    name: str
    low: float
    high: float
    sound: bool


def acidity_bands(results: Results) -> tuple[Band, ...]:
    """Return the bands of ``log(acidity/structure)``, of the score model in the record's card."""
    card = results.score_model_card
    classes, common = card.get("disc_class"), card.get("patient_sd")
    if card.get("kind") != "population" or not isinstance(classes, list | tuple):
        return ()
    if not any(_is_scored(level) for level in results.levels):
        return ()
    spread = float(common) if isinstance(common, int | float) else 0.0
    return tuple(
        _band(c["name"], c["mean"], hypot(c["sd"], spread), sound=not c["painful"])
        for c in classes
        if isinstance(c, Mapping)
    )


def structure_bands(results: Results) -> tuple[Band, ...]:
    """Return the bands of ``log(structure/water)``, of the structure index that is shipped."""
    if not any(_has_structure(level) for level in results.levels):
        return ()
    return tuple(_band(c.name, c.mean, c.sd, sound=not c.degenerated) for c in _index().disc_class)


def _band(name: str, mean: float, sd: float, *, sound: bool) -> Band:
    return Band(name=str(name), low=mean - sd, high=mean + sd, sound=sound)


@lru_cache(maxsize=1)
def _index() -> StructureIndexScore:
    model = load_score_model(_INDEX)
    assert isinstance(model, StructureIndexScore)
    return model


def _is_scored(level: Level) -> bool:
    return level.score is not None and level.score.value is not None and _is_alike(level)


def _has_structure(level: Level) -> bool:
    return STRUCTURE in level.quantities and _is_alike(level)


def _is_alike(level: Level) -> bool:
    """Say whether a disc is of the region, and was measured at the times and field, of the bands.

    Both models were made from the same discs, and their files name the same scope.
    """
    if level.measured is None:
        return False
    disc = disc_of(level)
    return out_of_scope(disc, _index()) is None and not exploratory(disc, _index())


def place(quantity: Quantity | None, limit: float) -> Place | None:
    """Return on which side of a limit a quantity lies, its 95 % interval included.

    Returns
    -------
    {"above", "borderline", "below"} or None
        Borderline where the interval holds the limit; `None` where nothing can be said.
    """
    if quantity is None or quantity.high is None:
        return None
    if quantity.high < limit:
        return "below"
    if quantity.limit == "upper" or quantity.low is None:
        return None  # an upper limit above it says nothing
    return "above" if quantity.low > limit else "borderline"


def acidity_word(level: Level, results: Results) -> str:
    """Return how acid a disc is against the painless ones; empty where no band holds for it."""
    sound = [band for band in acidity_bands(results) if band.sound]
    if not sound or not _is_scored(level):
        return ""
    at = place(level.quantities.get(ACIDITY), max(band.high for band in sound))
    return {"above": "raised", "borderline": "borderline", "below": "not raised", None: ""}[at]


def structure_word(level: Level, results: Results) -> str:
    """Return how much structure a disc has against healthy ones; empty where no band holds."""
    sound = [band for band in structure_bands(results) if band.sound]
    if not sound or not _has_structure(level):
        return ""
    at = place(level.quantities.get(STRUCTURE), min(band.low for band in sound))
    return {"above": "preserved", "borderline": "borderline", "below": "low", None: ""}[at]


def bands_note(results: Results) -> str:
    """Return what the bands are and where they lie, in a sentence; empty where there are none."""
    acidity, structure = acidity_bands(results), structure_bands(results)
    parts = []
    if acidity:
        parts.append(f"log (acidity / structure) {_listed(acidity)}")
    if structure:
        unlogged = [
            Band(name=b.name, low=exp(b.low), high=exp(b.high), sound=b.sound) for b in structure
        ]
        parts.append(f"structure {_listed(unlogged, 0)} mmol protons per kg tissue water")
    if not parts:
        return ""
    return (
        f"Reference bands, from simulated discs alone (mean ± one standard deviation): "
        f"{'; '.join(parts)}. Raised: above all painless discs; low: below healthy discs; "
        "borderline: the 95 % interval holds the limit."
    )


def bands_order(results: Results) -> str:
    """Return the bands of each column as they lie from left to right."""
    columns = {"acidity": acidity_bands(results), "structure": structure_bands(results)}
    return "; ".join(
        f"{name} {', '.join(b.name for b in sorted(bands, key=lambda b: b.low))}"
        for name, bands in columns.items()
        if bands
    )


def _listed(bands: Sequence[Band], places: int = 1) -> str:
    return ", ".join(
        f"{b.name} {rounded(b.low, places)} to {rounded(b.high, places)}" for b in bands
    )
