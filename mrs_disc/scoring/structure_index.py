"""Degeneration from structure per tissue water, kept apart from pain: it never labels a disc."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrs_disc.data import DiscScore
from mrs_disc.models import model_reference
from mrs_disc.models.scores import StructureIndexScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import finding
from mrs_disc.scoring.disc import Disc, indeterminate, no_quantity, scope_remarks


def score_structure_index(
    disc: Disc, others: Sequence[Disc], model: StructureIndexScore, options: ScoreOptions
) -> DiscScore:
    """Return the probability of degeneration in the inputs; the label stays indeterminate."""
    del others, options
    reference = model_reference(model)
    quantity = disc.quantities.values.get(model.quantity) if disc.quantities is not None else None
    if quantity is None or quantity.value is None:
        return indeterminate(reference, no_quantity(model.quantity, disc))
    if quantity.sd is None:
        return indeterminate(reference, finding("only_a_limit", model.quantity))
    classes = model.disc_class
    sd = np.sqrt(np.array([c.sd for c in classes]) ** 2 + quantity.sd**2)
    z = (quantity.value - np.array([c.mean for c in classes])) / sd
    weight = np.array([c.share for c in classes]) * np.exp(-0.5 * z**2) / sd
    degenerated = np.array([c.degenerated for c in classes])
    share = float(weight[degenerated].sum() / weight.sum())
    return indeterminate(
        reference,
        finding(
            "degeneration",
            model.quantity,
            value=quantity.value,
            sd=quantity.sd,
            probability=share,
        ),
        finding("not_about_pain"),
        *scope_remarks(disc, model),
        **{model.quantity: quantity.value, "sd": quantity.sd, "degeneration": share},
    )
