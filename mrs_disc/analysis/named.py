"""Names of the levels against what their files say, once all are measured.

What contradicts a name makes its level a failure; the recipe may accept it, and then the report
says so in its first sentence. What is only unlikely goes with the study and is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.linalg import LinAlgError

from mrs_disc.data import Anatomy, DiscAcquisition, DiscEntry, LevelFailure, LevelMeasurement
from mrs_disc.data.places import (
    Site,
    contradictions,
    doubts,
    is_repeat,
    samples_digest,
    signal_digests,
    water_digest,
)
from mrs_disc.errors import InputError
from mrs_disc.recipe import Recipe
from mrs_disc.record.findings import Finding, words
from mrs_disc.signal.noise_print import noise_print


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What was found of the levels' names.

    Parameters
    ----------
    failures : mapping
        The name of a level and run to why it cannot stand.
    findings : tuple of Finding
        What has to be said of the study: doubts, and contradictions that were accepted.
    """

    failures: Mapping[str, LevelFailure]
    findings: tuple[Finding, ...]

    def allowed(
        self, site: Site, outcome: LevelMeasurement | LevelFailure
    ) -> LevelMeasurement | LevelFailure:
        """Return what was measured, or why it cannot stand under its name."""
        if isinstance(outcome, LevelFailure):
            return outcome
        return self.failures.get(site.name, outcome)


def site_of(entry: DiscEntry, acquisition: DiscAcquisition | None) -> Site:
    """Return where a level was measured, as far as its files could be read."""
    digests = signal_digests(entry.inputs())
    if acquisition is None:
        return Site(level=entry.level, run=entry.run, file_sha256=digests)
    return Site(
        level=entry.level,
        run=entry.run,
        affine=acquisition.protocol.voxel_affine,
        file_sha256=(*digests, samples_digest(acquisition.metabolite.signal)),
        noise=noise_print(acquisition.metabolite.signal),
        water_sha256=water_digest(acquisition),
        named=acquisition.named,
        subject=acquisition.subject,
        frequency_mhz=acquisition.metabolite.sampling.spectrometer_mhz,
    )


def read_site(entry: DiscEntry) -> Site:
    """Return where a level was measured that is named beside the analysed ones."""
    try:
        return site_of(entry, entry.load())
    except (InputError, LinAlgError, FloatingPointError, MemoryError):
        return site_of(entry, None)


def check_names(sites: Sequence[Site], anatomy: Anatomy | None, recipe: Recipe) -> Naming:
    """Hold the names of all levels of a study against places, files and headers."""
    unlikely = (
        doubts(sites) if anatomy is None else doubts(sites, anatomy.affine, anatomy.image.shape)
    )
    against = contradictions(sites)
    if recipe.levels.contradictions == "accept":
        return Naming(failures={}, findings=(*against, *unlikely))
    repeats = [one for one in against if is_repeat(one)]
    of_level: dict[str, list[Finding]] = {}
    for one in against:
        if one not in repeats:
            of_level.setdefault(one.subject, []).append(one)
    failures = {
        name: LevelFailure(stage="level", message=words(found[0]), findings=tuple(found))
        for name, found in of_level.items()
    }
    return Naming(failures=failures, findings=(*repeats, *unlikely))
