"""study.toml: one examination in scanner files of any format, described by its owner."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

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
from mrs_disc.io.images import image_files, load_image
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.record.findings import Finding, finding
from mrs_disc.schema import StrictModel, load_toml

FILE_NAME = "study.toml"


class MorphologyValues(StrictModel):
    """What the reader saw on the images."""

    pfirrmann: Annotated[int, Field(ge=1, le=5)] | None = None
    modic: Annotated[int, Field(ge=0, le=3)] | None = None
    hiz: bool | None = None
    herniation: Herniation | None = None
    disc_height_loss: HeightLoss | None = None

    def record(self) -> Morphology:
        """Return the record."""
        return Morphology(**self.model_dump())


class ProvocationValues(StrictModel):
    """Result of provocation discography."""

    result: Literal["positive", "negative", "indeterminate"]


class DiscValues(StrictModel):
    """One disc."""

    level: str
    confirmed: bool = True
    run: Annotated[int, Field(ge=1, le=99)] = 1
    metabolite: str | tuple[str, ...]
    water: str | tuple[str, ...] | None = None
    acquisition: Given = Given()
    morphology: MorphologyValues | None = None
    provocation: ProvocationValues | None = None

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


class ClinicalValues(StrictModel):
    """Free of names and dates of birth; shown, never scored."""

    indication: Annotated[str, Field(max_length=500)] | None = None
    conservative_care: tuple[Annotated[str, Field(max_length=200)], ...] | None = None
    mri_safety_screening: Literal["complete", "incomplete"] | None = None
    consent: Annotated[str, Field(max_length=200)] | None = None
    preauthorization: Annotated[str, Field(max_length=200)] | None = None


class StudyFile(StrictModel):
    """The whole file."""

    schema_version: Literal[1]
    study_id: str
    region: Literal["cervical", "thoracic", "lumbar"] | None = None
    anatomy: str | None = None
    disc: Annotated[tuple[DiscValues, ...], Field(min_length=1)]
    clinical: ClinicalValues | None = None

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
            load_anatomy=(lambda: load_image(folder / anatomy)) if anatomy else None,
            described_by=lambda: (path, *(image_files(folder / anatomy) if anatomy else ())),
            findings=(*_unconfirmed(content), *_elsewhere(content)),
        )
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error


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
            given=disc.acquisition,
            morphology=disc.morphology.record() if disc.morphology else None,
            provocation=Provocation(result=disc.provocation.result) if disc.provocation else None,
        )
        for disc in content.disc
    ]


def _names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
