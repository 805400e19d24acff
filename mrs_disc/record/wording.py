"""The words of every finding, in one table: kind to sentence, and to what follows from it.

A template names the values of the finding in braces; `mrs_disc.record.findings` formats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["forbids", "problem", "note", "reason", "remark"]
"""``forbids``: the level cannot be analysed. ``problem``: the result may be wrong, or something was
left out; ``info`` shows it as a problem and the impression counts it. ``note``: what was mended,
assumed or found. ``reason``: of a verdict or a score. ``remark``: worth a line beside a reason."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    Parameters
    ----------
    words : str
        The sentence, with the finding's values in braces.
    role : Role
        What follows from such a finding.
    verdict : {"acceptable", "poor"} or None
        The best verdict on the spectrum that it leaves.
    """

    words: str
    role: Role = "note"
    verdict: Literal["acceptable", "poor"] | None = None


KINDS: dict[str, Kind] = {
    # ---- which disc: names of levels against places, files and headers
    "levels_exchanged": Kind(
        "{lower} lies {higher_mm:.0f} mm above {upper}, though its name says below "
        "({upper} at {upper_z_mm:.0f} mm, {lower} at {lower_z_mm:.0f} mm towards the head): "
        "the files of the two were exchanged, or their names; correct the names",
        "forbids",
    ),
    "levels_at_one_place": Kind(
        "{upper} and {lower} lie at one place, {apart_mm:.1f} mm apart ({upper} at "
        "{upper_z_mm:.0f} mm, {lower} at {lower_z_mm:.0f} mm towards the head): one disc under two "
        "names; correct the names, or name the repeat as run 2",
        "forbids",
    ),
    "same_file_twice": Kind(
        "{subject} and {other} are the same file: one measurement under two names; "
        "name each file once",
        "forbids",
    ),
    "other_subject": Kind(
        "the header of {subject} names another person than that of {others:and}: files of two "
        "examinations are mixed; take out what does not belong",
        "forbids",
    ),
    "spacing_unlikely": Kind(
        "{subject} lies {apart_mm:.0f} mm from {other}, where some {expected_mm:.0f} mm are usual: "
        "one of the two names may be wrong",
        "problem",
    ),
    "beside_the_spine": Kind(
        "{subject} lies {across_mm:.0f} mm across and {along_mm:.0f} mm along the body from "
        "{other}: one of the two voxels may lie beside the spine",
        "problem",
    ),
    "voxel_larger_than_disc": Kind(
        "the voxel of {subject} ({size} mm) is larger than a disc, which is up to "
        "{height_mm:.0f} mm high",
        "problem",
    ),
    "voxel_outside_image": Kind(
        "the voxel of {subject} lies {beyond_mm:.0f} mm outside the image", "problem"
    ),
    "voxel_mirrored": Kind(
        "the axes of the voxel of {subject} are mirrored against those of the other levels: "
        "left and right may be exchanged",
        "problem",
    ),
    "other_scanner": Kind(
        "{subject} was measured at {mhz:.4f} MHz, the others at {others_mhz:.4f} MHz: "
        "another scanner, or a file of another examination",
        "problem",
    ),
    # ---- gate: what a file holds
    "too_few_points": Kind("{n} points: at least {least} are needed", "forbids"),
    "clipped": Kind(
        "samples are clipped: the receiver was overdriven, amounts are distorted", "problem"
    ),
}
