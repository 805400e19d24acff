"""A model of any kind by name or path: metabolites, relaxation times, sequences or a score."""

from __future__ import annotations

from typing import TypeAlias

from mrs_disc.errors import InputError
from mrs_disc.models import (
    MetaboliteModel,
    content_digest,
    load_metabolite_model,
    metabolite_model_digest,
    model_path,
)
from mrs_disc.models.relaxation import RelaxationModel, load_relaxation_model
from mrs_disc.models.scores import ScoreModel, load_score_model
from mrs_disc.models.sequences import SequenceTable, load_sequences
from mrs_disc.schema import read_toml

AnyModel: TypeAlias = MetaboliteModel | RelaxationModel | ScoreModel | SequenceTable


def load_any_model(name: str) -> tuple[AnyModel, str]:
    """Return a model and its digest.

    Raises
    ------
    InputError
        If it is not there, not valid, or a recipe.
    """
    content = read_toml(model_path(name))
    if "fit" in content or "quantify" in content:
        raise InputError(
            f"{name}: is a recipe, not a model; 'mrs-disc recipe check {name}' checks it"
        )
    if "component" in content:
        metabolites = load_metabolite_model(name)
        return metabolites, metabolite_model_digest(metabolites)
    model: AnyModel
    if "sequence" in content:
        model = load_sequences(name)
    else:
        model = load_relaxation_model(name) if "water" in content else load_score_model(name)
    return model, content_digest(model)


def kind_of(model: AnyModel) -> str:
    """Return what kind of model it is, in words."""
    if isinstance(model, MetaboliteModel):
        return "metabolites"
    if isinstance(model, SequenceTable):
        return "sequences"
    return "relaxation times" if isinstance(model, RelaxationModel) else f"score: {model.kind}"
