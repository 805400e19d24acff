"""Which evolution of coupled spins a measurement has had: from its protocol, with what it lacks.

Nothing is taken silently: a sequence that nobody states is a finding, and one whose evolution is
not known, or that lacks what its evolution depends on, is a reason that leaves a spectrum poor.
"""

from __future__ import annotations

from dataclasses import dataclass

from mrs_disc.data import Protocol
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel
from mrs_disc.models.sequences import Sequence, SequenceTable
from mrs_disc.record.findings import Finding, finding
from mrs_disc.signal.fit.spins import Evolution, RefocusingPulse

ASSUMED = "PRESS"
"""Taken where neither file nor user states a sequence: nearly all discs were measured so."""


@dataclass(frozen=True, slots=True)
class Played:
    """What the fit takes a sequence to have done, and what there is to say of it."""

    evolution: Evolution
    findings: tuple[Finding, ...]


def played(model: MetaboliteModel, protocol: Protocol, table: SequenceTable) -> Played:
    """Return the evolution of a measurement.

    Parameters
    ----------
    model : MetaboliteModel
        Says whether a line depends on it; components with a simulated FID bring their own.
    protocol : Protocol
        Sequence, echo time, mixing time, refocusing pulse and bandwidth.
    table : SequenceTable
        The sequences whose evolution is known.

    Raises
    ------
    InputError
        If a line depends on the echo time, and nobody says it.
    """
    coupled = [
        (component.name, r) for component in model.component for r in component.resonance if r.j_hz
    ]
    if not coupled:
        return Played(Evolution(echo_time_s=protocol.echo_time_s or 0.0), ())
    if protocol.echo_time_s is None:
        raise InputError(
            "the echo time is unknown: neither the file nor the study says it. Give "
            "echo_time_s under [disc.acquisition] in study.toml, or EchoTime in the sidecar."
        )
    name = protocol.sequence or ASSUMED
    found = [] if protocol.sequence else [finding("sequence_assumed", "sequence", assumed=name)]
    entry = table.of(name)
    if entry is None:
        known = [s.name for s in table.sequence]
        found.append(finding("evolution_unknown", "sequence", sequence=name, known=known))
        return Played(Evolution(echo_time_s=protocol.echo_time_s), tuple(found))
    if entry.stimulated:
        evolution, more = _stimulated(protocol)
    else:
        evolution, more = _refocused(entry, protocol, table)
    alone = sorted({of for of, r in coupled if r.partner_ppm is None})
    if alone and (entry.stimulated or evolution.refocusing is not None):
        more.append(finding("partner_unknown", "sequence", names=alone, sequence=name))
    return Played(evolution, (*found, *more, _told(name, evolution)))


def _stimulated(protocol: Protocol) -> tuple[Evolution, list[Finding]]:
    """Return the evolution of a stimulated echo; without mixing time its mean over all of them."""
    assert protocol.echo_time_s is not None
    mixing_s = protocol.mixing_time_s
    evolution = Evolution(echo_time_s=protocol.echo_time_s, pulses=(), mixing_time_s=mixing_s)
    return evolution, [] if mixing_s is not None else [finding("no_mixing_time", "mixing_time_s")]


def _refocused(
    entry: Sequence, protocol: Protocol, table: SequenceTable
) -> tuple[Evolution, list[Finding]]:
    """Return the evolution up to a spin echo, with real pulses where they are known."""
    assert protocol.echo_time_s is not None
    ideal = Evolution(echo_time_s=protocol.echo_time_s, pulses=entry.pulses)
    told_hz, shape = protocol.refocusing_bandwidth_hz, protocol.refocusing_pulse
    if shape == "ideal" or (shape is None and entry.refocusing is None):
        return ideal, []
    if shape is None and entry.real == "told" and told_hz is None:
        return ideal, [finding("pulses_not_told", "refocusing_bandwidth_hz")]
    usual = table.pulse_of(shape or entry.refocusing or "")
    if usual is None:
        return ideal, [finding("pulse_unknown", "refocusing_pulse", shape=shape)]
    bandwidth_hz = told_hz or usual.bandwidth_hz
    pulse = RefocusingPulse(
        shape=usual.shape,
        bandwidth_hz=bandwidth_hz,
        duration_s=usual.length_s(bandwidth_hz),
        carrier_ppm=usual.carrier_ppm,
    )
    real = Evolution(echo_time_s=ideal.echo_time_s, pulses=entry.pulses, refocusing=pulse)
    if real.echo_time_s < real.shortest_s:
        ms = {"echo_ms": 1e3 * real.echo_time_s, "pulses_ms": 1e3 * real.shortest_s}
        return ideal, [finding("pulses_too_long", "sequence", n=sum(entry.pulses), **ms)]
    if told_hz is not None and shape is not None:
        return real, []
    return real, [finding("pulse_assumed", "refocusing_pulse", shape=pulse.shape, hz=bandwidth_hz)]


def _told(name: str, evolution: Evolution) -> Finding:
    """Return what was taken, as a note of the level."""
    pulse, mixing_s = evolution.refocusing, evolution.mixing_time_s
    if not evolution.pulses:
        ms = None if mixing_s is None else 1e3 * mixing_s
        return finding("evolved_stimulated", "sequence", sequence=name, ms=ms)
    if pulse is None:
        return finding("evolved_ideal", "sequence", sequence=name, n=sum(evolution.pulses))
    return finding(
        "evolved_real",
        "sequence",
        sequence=name,
        n=sum(evolution.pulses),
        shape=pulse.shape,
        hz=pulse.bandwidth_hz,
        ms=1e3 * pulse.duration_s,
    )
