"""study.toml: one examination in scanner files of any format, described by its owner."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mrs_disc.data import (
    HeightLoss,
    Herniation,
    Morphology,
    Provocation,
    Study,
    level_order,
    parse_level,
    spans,
)
from mrs_disc.data.places import Site
from mrs_disc.errors import InputError
from mrs_disc.io.acquire import Given
from mrs_disc.io.images import image_files, labelled_image
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.io.studies.neutral import resembles_a_person
from mrs_disc.record.findings import Finding, finding
from mrs_disc.schema import StrictModel, load_toml

FILE_NAME = "study.toml"
DRAFT_ID = "study-01"
"""What a draft calls each study."""


class MorphologyValues(StrictModel):
    """What the reader saw on the images."""

    pfirrmann: Annotated[int, Field(ge=1, le=5)] | None = None
    """Grade of degeneration."""
    modic: Annotated[int, Field(ge=0, le=3)] | None = None
    """Change of the endplates, 0: none."""
    hiz: bool | None = None
    """High-intensity zone."""
    herniation: Herniation | None = None
    """What of the disc has left its place."""
    disc_height_loss: HeightLoss | None = None
    """Loss of height."""

    def record(self) -> Morphology:
        """Return the record."""
        return Morphology(**self.model_dump())


class ProvocationValues(StrictModel):
    """Result of provocation discography."""

    result: Literal["positive", "negative", "indeterminate"]
    """Of discography."""


class DiscValues(StrictModel):
    """One disc."""

    level: str
    """Disc level, as L4-L5; L4L5, L4/5 and l4_l5 mean the same."""
    confirmed: bool = True
    """False in a draft that guessed the level: said by info, analyze, report and page."""
    run: Annotated[int, Field(ge=1, le=99)] = 1
    """Which measurement of the level."""
    metabolite: str | tuple[str, ...]
    """A file, a list, a pattern ("IM_*.dcm") or a folder of one series, from the folder of
    study.toml.
    """
    water: str | tuple[str, ...] | None = None
    """The same of the water reference; a file that holds its own water needs none."""
    acquisition: Given = Given()
    """What the files do not say."""
    morphology: MorphologyValues | None = None
    """What the reader saw on the images."""
    provocation: ProvocationValues | None = None
    """Of studies with discography."""

    @field_validator("level")
    @classmethod
    def _level(cls, value: str) -> str:
        return parse_level(value)

    @field_validator("metabolite", "water", mode="before")
    @classmethod
    def _name_or_list(cls, value: object) -> object:
        names = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(name, str) for name in names):
            raise ValueError(
                "should be a file, a pattern or a folder in quotes, or a list of files"
            )
        return value

    @field_validator("metabolite", "water")
    @classmethod
    def _files(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        names = (value,) if isinstance(value, str) else value
        if names is not None and (not names or not all(n.strip() for n in names)):
            raise ValueError("names no file")
        return value


def _day(value: object) -> object:
    """Return a day as text, as TOML has days of their own."""
    return value.isoformat() if isinstance(value, date) else value


def _is_day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError("should be a day, as 2026-01-31") from None


class ClinicalValues(StrictModel):
    """Free of names and dates of birth; shown, never scored.

    Day and accession number are shown where they stand here, or where `from_dicom_reference` names
    them; they are taken from no file unasked.
    """

    examination_date: Annotated[str, BeforeValidator(_day), AfterValidator(_is_day)] | None = None
    """Day of the examination, as 2026-01-31."""
    accession_number: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Number of the order in the hospital."""
    age: Annotated[int, Field(ge=0, le=120)] | None = None
    """Age at the examination, years."""
    sex: Literal["female", "male", "other"] | None = None
    """Sex."""
    referring_question: Annotated[str, Field(max_length=500)] | None = None
    """What the report is to answer."""
    comparison: Annotated[str, Field(max_length=500)] | None = None
    """Earlier examinations that this one is read with."""
    indication: Annotated[str, Field(max_length=500)] | None = None
    """Why the examination was made."""
    conservative_care: tuple[Annotated[str, Field(max_length=200)], ...] | None = None
    """What was tried before."""
    mri_safety_screening: Literal["complete", "incomplete"] | None = None
    """Whether it was made."""
    consent: Annotated[str, Field(max_length=200)] | None = None
    """Whether it is documented."""
    preauthorization: Annotated[str, Field(max_length=200)] | None = None
    """Of the payer."""
    from_dicom_reference: tuple[Literal["examination_date", "accession_number"], ...] | None = None
    """Which of the two to take from the file of ``--dicom-reference``."""

    @model_validator(mode="after")
    def _said_once(self) -> ClinicalValues:
        for name in self.from_dicom_reference or ():
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is given, and asked for in from_dicom_reference")
        return self


class StudyFile(StrictModel):
    """The whole file."""

    schema_version: Literal[1]
    """Of the form of the file."""
    study_id: str
    """Name of the examination in every output; no person's."""
    region: Literal["cervical", "thoracic", "lumbar"] | None = None
    """Region of the spine, against which the levels are held."""
    anatomy: str | None = None
    """An image to draw the voxels on: a NIfTI file, or a DICOM file or folder."""
    acquisition: Given = Given()
    """What the files of no disc say; where a disc says it, that counts for this disc."""
    disc: Annotated[tuple[DiscValues, ...], Field(min_length=1)]
    """The discs, each with `[[disc]]`."""
    clinical: ClinicalValues | None = None
    """Shown, never scored."""

    @field_validator("study_id")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
            raise ValueError(
                "should be 1 to 64 letters, digits, dots, dashes and underscores, and begin with a "
                "letter or digit"
            )
        return value


def read(path: Path) -> Study:
    """Return the study that a study.toml describes; no signal is read.

    Raises
    ------
    InputError
        If the file is wrong; the message names the place and what is allowed.
    """
    content = load_toml(path, StudyFile)
    folder, anatomy = path.parent, content.anatomy
    try:
        return Study(
            study_id=content.study_id,
            discs=tuple(disc.entry() for disc in _discs(content, folder)),
            region=content.region,
            clinical=content.clinical.model_dump(exclude_none=True) if content.clinical else {},
            load_anatomy=(lambda: labelled_image(folder / anatomy)) if anatomy else None,
            described_by=lambda: (path, *(image_files(folder / anatomy) if anatomy else ())),
            findings=(*personal(content.study_id), *_unconfirmed(content), *_elsewhere(content)),
        )
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


def personal(study_id: str) -> tuple[Finding, ...]:
    """Remark an id that looks like a person's name or date of birth: it stands in every output."""
    return (finding("id_like_a_person"),) if resembles_a_person(study_id) else ()


def _unconfirmed(content: StudyFile) -> tuple[Finding, ...]:
    """Say which levels a draft guessed and nobody has confirmed."""
    guessed = [disc for disc in content.disc if not disc.confirmed]
    guessed.sort(key=lambda d: (level_order(d.level), d.run))
    return tuple(finding("level_unconfirmed", Site(level=d.level, run=d.run).name) for d in guessed)


def _elsewhere(content: StudyFile) -> tuple[Finding, ...]:
    """Say which discs do not lie in the region that the file names."""
    if content.region is None:
        return ()
    vertebra = {"cervical": "C", "thoracic": "T", "lumbar": "L"}[content.region]
    levels = sorted({d.level for d in content.disc if vertebra not in d.level}, key=level_order)
    if not levels:
        return ()
    where = spans(levels)
    return (finding("outside_region", region=content.region, levels=levels, where=where),)


def discs(path: Path) -> list[DiscFiles]:
    """Return the discs of a study file, for a description."""
    return _discs(load_toml(path, StudyFile), path.parent)


def image(path: Path) -> Path | None:
    """Return the anatomy image that a study file names, whether it is there or not."""
    named = load_toml(path, StudyFile).anatomy
    return path.parent / named if named else None


def given_id(path: Path) -> str | None:
    """Return the id that the owner of a study gave; `None` where it is the draft's.

    Raises
    ------
    InputError
        If the file is wrong, or there is none.
    """
    found = load_toml(path, StudyFile).study_id
    return None if found == DRAFT_ID else found


def _discs(content: StudyFile, folder: Path) -> list[DiscFiles]:
    runs = Counter(d.level for d in content.disc)
    return [
        DiscFiles(
            level=disc.level,
            run=disc.run,
            many_runs=runs[disc.level] > 1,
            folder=folder,
            metabolite=_names(disc.metabolite),
            water=_names(disc.water),
            given=_given(content.acquisition, disc.acquisition),
            morphology=disc.morphology.record() if disc.morphology else None,
            provocation=Provocation(result=disc.provocation.result) if disc.provocation else None,
        )
        for disc in content.disc
    ]


_OF_THE_PULSE = ("refocusing_pulse", "refocusing_bandwidth_hz")


def _given(all_discs: Given, disc: Given) -> Given:
    """Return what is given of a disc: what it says itself, and of the rest what all have."""
    own, common = (one.model_dump(exclude_unset=True) for one in (disc, all_discs))
    if set(_OF_THE_PULSE) & set(own):  # a bandwidth belongs to its pulse
        common = {key: value for key, value in common.items() if key not in _OF_THE_PULSE}
    overrule = (*common.get("overrule", ()), *own.get("overrule", ()))
    return Given(**(common | own | {"overrule": tuple(dict.fromkeys(overrule))}))


def _names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
