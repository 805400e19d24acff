"""From a metabolite model to the basis of a fit: unit FIDs as the sequence leaves them, and priors.

The basis is made of the parts of components, and of what of them may lie elsewhere in the field
(pools). It is computed once a protocol.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mrs_disc import models
from mrs_disc.data import Sampling
from mrs_disc.errors import ModelError
from mrs_disc.models import Component, MetaboliteModel, RatioPrior, Resonance, Unresolved
from mrs_disc.models.basis import BasisFid
from mrs_disc.signal.fit.basis import component_fid, resample_basis
from mrs_disc.signal.fit.humps import Narrow
from mrs_disc.signal.fit.inputs import FitBasis, Presence
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.typing import ComplexArray


def basis_of(
    model: MetaboliteModel, evolution: Evolution, sampling: Sampling, n_points: int
) -> FitBasis:
    """Return the model's components as unit FIDs on the points of the data.

    Parameters
    ----------
    model : MetaboliteModel
        The components.
    evolution : Evolution
        What the sequence did to coupled spins until the echo.
    sampling : Sampling
        Dwell time, field and reference of the data.
    n_points : int
        Points of the data.
    """
    components = tuple(
        shape for component in model.component for shape in Shape.parts_of(component, model)
    )
    quality = [shape.whole for shape in components].index(model.quality_component)
    basis = (components, ratios_of(model), sampling, n_points, evolution)
    return _basis(*basis, model.unresolved, model.line_shape.spread_odds, quality)


@lru_cache(maxsize=4)
def _basis(
    components: tuple[Shape, ...],
    ratio_priors: tuple[RatioPrior, ...],
    sampling: Sampling,
    n_points: int,
    evolution: Evolution,
    unresolved: tuple[Unresolved, ...],
    spread_odds: float,
    quality: int,
) -> FitBasis:
    """Return the components' unit FIDs with their priors: one object for discs of one protocol.

    The fit keeps what depends on the basis alone for as long as it meets the same object.
    """
    return FitBasis(
        names=tuple(component.name for component in components),
        fids=np.array([component.fid(evolution, sampling, n_points) for component in components]),
        shift_sd_hz=np.array([c.shift_sd_ppm * sampling.spectrometer_mhz for c in components]),
        extra_width_sd_hz=np.array([c.extra_width_sd_hz for c in components]),
        ratio_priors=ratio_priors,
        wholes=tuple(component.whole for component in components),
        shares=tuple(component.share for component in components),
        presence=tuple(
            Presence(index, c.presence.probability, c.presence.ratio, quality, c.presence.at_start)
            for index, c in enumerate(components)
            if c.presence is not None and index != quality
        ),
        narrow=tuple(
            Narrow((sampling.hz(one.ppm[0]), sampling.hz(one.ppm[1])), one.widths_hz, one.odds)
            for one in unresolved
        ),
        spread_odds=spread_odds,
    )


def ratios_of(model: MetaboliteModel) -> tuple[RatioPrior, ...]:
    """Return the ratio priors of what is fitted: those of a component fall on its parts.

    A prior of a component that has parts holds each of them, at its share of the median and with
    its own width. Parts without such a prior are held to the first one.
    """
    parts = {component.name: component.part for component in model.component}
    ratios = []
    for prior in model.prior:
        if not parts[prior.numerator]:
            ratios.append(prior)
        for k, part in enumerate(parts[prior.numerator]):
            name, median = _part_name(prior.numerator, k), prior.median * part.share
            changes = {"numerator": name, "median": median, "log_sd": part.log_sd}
            ratios.append(prior.model_copy(update=changes))
    held = {prior.numerator for prior in model.prior}
    held |= {component.name for component in model.component if component.presence is not None}
    for name, of in parts.items():
        if name not in held:
            ratios += [
                RatioPrior(
                    numerator=_part_name(name, k),
                    denominator=name,
                    median=part.share / of[0].share,
                    log_sd=part.log_sd,
                    source=part.source,
                    status=part.status,
                )
                for k, part in enumerate(of[1:], 1)
            ]
    return tuple(ratios)


def _part_name(name: str, k: int) -> str:
    """Return what a part of a component is called: the first goes by the component's own name."""
    return f"{name}_{k + 1}" if k else name


class Shape(NamedTuple):
    """What the fit has to know of a component, without where it is from."""

    name: str
    whole: str
    share: float
    resonance: tuple[Resonance, ...]
    simulated: BasisFid | None
    dwell_time_s: float | None
    extra_width_hz: float
    shift_sd_ppm: float
    extra_width_sd_hz: float
    presence: models.Presence | None = None

    @classmethod
    def parts_of(cls, component: Component, model: MetaboliteModel) -> list[Shape]:
        """Return what is fitted of a component: its parts, or itself with its pools."""
        own = cls.of(component, model)
        if component.part:
            return [own.part(k, part) for k, part in enumerate(component.part)]
        return [own, *(own.pool(k, pool) for k, pool in enumerate(component.pool, 1))]

    @classmethod
    def of(cls, component: Component, model: MetaboliteModel) -> Shape:
        """Return a component as a whole."""
        simulated = component.simulated
        if component.basis is not None and simulated is None:
            raise ModelError(
                f"model {model.name}: the basis file of {component.name} has not been read; "
                "load the model with load_metabolite_model, or its files with load_basis_fids"
            )
        of_file = simulated.dwell_time_s if simulated is not None else None
        return cls(
            component.name,
            component.name,
            1.0,
            component.resonance,
            simulated,
            of_file or model.basis_dwell_time_s,
            component.extra_width_hz,
            component.shift_sd_ppm,
            component.extra_width_sd_hz,
            component.presence,
        )

    def part(self, k: int, part: models.Part) -> Shape:
        """Return a part of the component in its place."""
        return self._replace(
            name=_part_name(self.name, k),
            share=part.share,
            resonance=part.resonance,
            extra_width_hz=part.extra_width_hz,
            shift_sd_ppm=part.shift_sd_ppm,
            extra_width_sd_hz=part.extra_width_sd_hz,
        )

    def pool(self, k: int, pool: models.Pool) -> Shape:
        """Return more of the component, of which discs usually hold none."""
        return self._replace(
            name=_part_name(self.name, k),
            share=0.0,
            resonance=pool.lines_of(self.resonance),
            shift_sd_ppm=0.0,
            extra_width_sd_hz=0.0,
            presence=pool,
        )

    def in_amplitude(self) -> Shape:
        """Return the component without the groups that do not count in its amplitude."""
        return self._replace(resonance=tuple(r for r in self.resonance if r.in_amplitude))

    def fid(self, evolution: Evolution, sampling: Sampling, n_points: int) -> ComplexArray:
        """Return the unit FID on the points of the data, shape (point,)."""
        if self.simulated is None:
            return component_fid(
                self.resonance,
                time_s=sampling.time_s(n_points),
                spectrometer_mhz=sampling.spectrometer_mhz,
                reference_ppm=sampling.reference_ppm,
                evolution=evolution,
                extra_width_hz=self.extra_width_hz,
            )
        assert self.dwell_time_s is not None
        fid, dwell_time_s = self.simulated.fid, self.dwell_time_s
        decay = np.exp(-np.pi * self.extra_width_hz * dwell_time_s * np.arange(fid.size))
        return resample_basis(fid * decay, dwell_time_s, sampling.dwell_time_s, n_points)
