"""A simulated study in memory, and its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import log
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

import numpy as np

from mrs_disc.data import (
    DiscAcquisition,
    DiscEntry,
    RawSignal,
    Study,
    level_order,
    parse_level,
)
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.record.findings import finding
from mrs_disc.simulate.anatomy import Place, draw_anatomy, places, region_of
from mrs_disc.simulate.population import KINDS, NOISE, SCAN, Disc, Kind, draw_disc, stream
from mrs_disc.simulate.scanner import (
    Clean,
    Coils,
    Disturbance,
    Scan,
    clean_signal,
    draw_coils,
    draw_disturbance,
    measure,
)
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import FloatArray

LUMBAR = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
CERVICAL = ("C3-C4", "C4-C5", "C5-C6", "C6-C7")
THORACIC = ("T8-T9", "T9-T10", "T10-T11", "T11-T12")

Spoil: TypeAlias = Literal["gas", "motion", "lipid", "broad", "noise", "silent"]
SPOILS: dict[str, str] = {
    "gas": "vacuum phenomenon: a tenth to a third of the signal, lines two to four times as broad",
    "motion": "more than half of the transients spoilt by motion",
    "lipid": "marrow lipid of five times the area of PG",
    "broad": "failed shim: 60 Hz wider",
    "noise": "a sixth of the signal-to-noise ratio",
    "silent": "no signal at all: the level cannot be analysed",
}

Truth: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Everything that decides the samples of one measurement but the noise itself.

    `noise_sd` is the standard deviation of one real channel of a coil of noise one, `average_sd`
    that of the optimally combined average in units of the strongest coil.
    """

    disc: Disc
    run: int
    clean: Clean
    disturbance: Disturbance
    coils: Coils
    noise_sd: float
    average_sd: float
    snr: float
    spoilt: tuple[Spoil, ...]


class DiscOptions(TypedDict, total=False):
    """Keywords of `simulate_study` and `plan_study`: what the discs are, how each is measured."""

    kinds: Mapping[str, Kind] | None
    snr: Mapping[str, float] | float | None
    spoilt: Mapping[str, Spoil | Sequence[Spoil]] | None
    repeats: Mapping[str, int] | None
    lipid: Mapping[str, float | bool] | float | bool | None
    spread: float
    baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The same, checked; what is not given is drawn."""

    kinds: Mapping[str, Kind] | None = None
    snr: Mapping[str, float] | float | None = None
    spoilt: Mapping[str, Spoil | Sequence[Spoil]] | None = None
    repeats: Mapping[str, int] | None = None
    lipid: Mapping[str, float | bool] | float | bool | None = None
    spread: float = 1.0
    baseline: float = 1.0

    def __post_init__(self) -> None:
        for level, kind in (self.kinds or {}).items():
            if kind not in KINDS:
                raise InputError(
                    f"kinds: {level} is '{kind}'. Allowed: H (healthy), D (degenerated, painless), "
                    "P (painful)."
                )

    def spoils(self, levels: Sequence[str]) -> dict[str, tuple[Spoil, ...]]:
        """Return what goes wrong with each level."""
        result: dict[str, tuple[Spoil, ...]] = dict.fromkeys(levels, ())
        for level, what in (self.spoilt or {}).items():
            names: tuple[Any, ...] = (what,) if isinstance(what, str) else tuple(what)
            for name in names:
                if name not in SPOILS:
                    raise InputError(
                        f"spoilt: nothing is named '{name}'.{did_you_mean(str(name), SPOILS)} "
                        f"Known: {', '.join(SPOILS)}."
                    )
            if parse_level(level) not in result:
                raise InputError(f"spoilt: {level} is not among the levels {', '.join(levels)}")
            result[parse_level(level)] = names
        return result


@one_blas_thread
def simulate_study(
    seed: int,
    *,
    levels: Sequence[str] = LUMBAR,
    subject: int = 1,
    session: int | None = None,
    study_id: str | None = None,
    scan: Scan | None = None,
    provocation: bool = False,
    anatomy: bool = True,
    **discs: Unpack[DiscOptions],
) -> tuple[Study, Truth]:
    """Return a study of known truth, wholly in memory, and the truth.

    Parameters
    ----------
    seed : int
        With `subject`, `session` and the level it decides everything; a level does not depend on
        which other levels are simulated.
    levels : sequence of str
        Disc levels.
    subject : int
        Another person from the same seed.
    session : int, optional
        The same subject has the same discs in every session, measured anew.
    study_id : str, optional
        Default ``sub-01`` and the like.
    scan : Scan, optional
        How the discs are measured; by default a short 3 T PRESS with four coils, of typical SNR.
    provocation : bool
        Add simulated results of provocation discography.
    anatomy : bool
        Add a sagittal image.
    kinds : mapping, optional
        Level to H, D or P where the kind is not to be drawn.
    snr : mapping or float, optional
        Level to the height of the PG peak / standard deviation of the real noise of the optimally
        combined average; drawn by class where it is not given, times the `snr_factor` of `scan`.
    spoilt : mapping, optional
        Level to what goes wrong with it: keys of `SPOILS`.
    repeats : mapping, optional
        Level to its number of runs.
    lipid : mapping, float or bool, optional
        Area of marrow lipid relative to PG, or whether there is any; drawn where not given.
    spread : float
        Factor on the scatter of concentrations between discs of one class; default 1.
    baseline : float
        Factor on the baseline's spline and hump, 0 for none; default 1.

    Returns
    -------
    study : Study
        ``load()`` of a disc returns raw signals (coil, transient, point) and a water reference.
    truth : dict
        Level to its kind, amplitudes (time domain, at the start of the FID, in the units of the
        strongest coil), concentrations, SNR, linewidth, expected quality and what was spoilt. A
        repeated measurement stands under ``"L4-L5_run-2"``.

    Raises
    ------
    InputError
        If a level, a kind or something to spoil does not exist.
    """
    scan = scan or Scan()
    visit = session or 1
    measured = plan_study(seed, levels=levels, subject=subject, visit=visit, scan=scan, **discs)
    wanted = tuple(dict.fromkeys(m.disc.level for m in measured))
    where = places(wanted)
    key = (seed, subject, visit)
    entries = tuple(_entry(key, scan, m, where[m.disc.level], provocation) for m in measured)
    findings = {m.disc.level: m.disc.morphology for m in measured}
    noise = (seed, subject, NOISE, visit)
    study = Study(
        study_id=study_id or f"sub-{subject:02d}",
        session_id=None if session is None else f"ses-{session:02d}",
        discs=entries,
        region=_region(wanted),
        load_anatomy=(lambda: draw_anatomy(stream(*noise), wanted, findings)) if anatomy else None,
        findings=(finding("simulated"),),
    )
    truth = {_name(m): _truth(m, scan, provocation) for m in measured}
    return study, truth


def _region(levels: Sequence[str]) -> str | None:
    """Return the region that all levels lie in, or `None`; C7-T1 and T12-L1 lie in two."""
    regions = {"C": "cervical", "T": "thoracic", "L": "lumbar"}
    shared = [r for letter, r in regions.items() if all(letter in level for level in levels)]
    own = region_of(levels[-1])
    return own if own in shared else next(iter(shared), None)


def plan_study(
    seed: int,
    *,
    levels: Sequence[str],
    subject: int = 1,
    visit: int = 1,
    scan: Scan,
    **discs: Unpack[DiscOptions],
) -> list[Measured]:
    """Draw the discs of a study and how each is measured; arguments as in `simulate_study`."""
    options = _Options(**discs)
    wanted = tuple(sorted({parse_level(level) for level in levels}, key=level_order))
    if not wanted:
        raise InputError("levels is empty: name at least one disc level, as L4-L5")
    spoils = options.spoils(wanted)
    model = load_metabolite_model("disc_1h")
    measured: list[Measured] = []
    for level in wanted:
        lipid = options.lipid.get(level) if isinstance(options.lipid, Mapping) else options.lipid
        disc = draw_disc(
            seed,
            subject,
            level,
            kind=(options.kinds or {}).get(level),
            lipid=5.0 if "lipid" in spoils[level] else lipid,
            gas=True if "gas" in spoils[level] else None,
            spread=options.spread,
            field_strength_t=scan.field_strength_t,
        )
        snr = options.snr.get(level) if isinstance(options.snr, Mapping) else options.snr
        for run in range(1, (options.repeats or {}).get(level, 1) + 1):
            rng = stream(seed, subject, SCAN, visit, level_order(level), run)
            m = plan(rng, disc, scan, model, run=run, snr=snr, spoilt=spoils[level])
            disturbance = m.disturbance.with_baseline(options.baseline)
            measured.append(replace(m, disturbance=disturbance))
    return measured


def _name(m: Measured) -> str:
    return m.disc.level if m.run == 1 else f"{m.disc.level}_run-{m.run}"


def plan(
    rng: np.random.Generator,
    disc: Disc,
    scan: Scan,
    model: MetaboliteModel,
    *,
    run: int = 1,
    snr: float | None = None,
    spoilt: tuple[Spoil, ...] = (),
) -> Measured:
    """Draw how the measurement of one disc goes, and how strong its noise is.

    Parameters
    ----------
    rng : Generator
        Of this measurement.
    disc : Disc
        What is measured.
    scan : Scan
        How.
    model : MetaboliteModel
        The lines of its components.
    run, snr, spoilt
        As in `simulate_study`, for this disc.
    """
    # A vacuum phenomenon takes signal and leaves the noise; so does a failed shim.
    healthy = replace(disc, gas=None, b0_width_hz=disc.b0_width_hz / disc.gas_broadening)
    undisturbed = clean_signal(healthy, scan, model)
    target = undisturbed.peak_height / (
        (snr or disc.snr * scan.snr_factor) * np.sqrt(scan.n_points)
    )
    if "broad" in spoilt:
        disc = replace(disc, b0_width_hz=float(np.hypot(disc.b0_width_hz, 60.0)))
    if "noise" in spoilt:
        target *= 6.0
    clean = clean_signal(disc, scan, model)
    share = 0.65 if "motion" in spoilt else 0.05
    disturbance = draw_disturbance(rng, scan, clean, spoilt_share=share)
    coils = draw_coils(rng, scan.n_coils)
    # `target` is the noise of the combined average in amplitude x s per square root of points.
    dwell = scan.sampling.dwell_time_s
    per_point = target / dwell * np.sqrt(scan.n_transients) / coils.best_noise_gain
    heights = clean.peak_height / (target * np.sqrt(scan.n_points))
    return Measured(
        disc=disc,
        run=run,
        clean=clean,
        disturbance=disturbance,
        coils=coils,
        noise_sd=float(per_point),
        average_sd=float(target / dwell),
        snr=float(heights),
        spoilt=spoilt,
    )


def _entry(
    key: tuple[int, int, int], scan: Scan, m: Measured, place: Place, provocation: bool
) -> DiscEntry:
    """Return a level that makes its samples when it is loaded."""
    level = m.disc.level
    reference = m.disc.provocation if provocation else None

    def load() -> DiscAcquisition:
        affine = place.voxel_affine(scan.voxel_size_mm)
        streams = [stream(*key[:2], NOISE, key[2], level_order(level), m.run, w) for w in (0, 1)]
        acquisition = acquire(streams[0], streams[1], scan, m, affine=affine)
        return replace(acquisition, provocation=reference)

    return DiscEntry(
        level=level,
        run=m.run,
        load=load,
        inputs=tuple,
        morphology=m.disc.morphology,
        provocation=reference,
    )


def acquire(
    rng: np.random.Generator,
    water_rng: np.random.Generator,
    scan: Scan,
    m: Measured,
    *,
    affine: FloatArray | None = None,
) -> DiscAcquisition:
    """Return the samples of a planned measurement and of its water reference.

    Parameters
    ----------
    rng, water_rng : Generator
        Streams of the noise of the two scans.
    scan : Scan
        As in `plan`.
    m : Measured
        From `plan`.
    affine : float array, shape (4, 4), optional
        Places the voxel.
    """

    def signal(generator: np.random.Generator, water: bool) -> RawSignal:
        samples = measure(
            generator, scan, m.clean, m.disturbance, m.coils, noise_sd=m.noise_sd, water=water
        )
        if "silent" in m.spoilt:
            samples[:] = 0
        samples.flags.writeable = False
        return RawSignal(signal=samples, sampling=scan.sampling)

    return DiscAcquisition(
        level=m.disc.level,
        run=m.run,
        metabolite=signal(rng, False),
        protocol=scan.protocol(water=False, affine=affine),
        water=signal(water_rng, True) if scan.n_water else None,
        water_protocol=scan.protocol(water=True, affine=affine) if scan.n_water else None,
        morphology=m.disc.morphology,
    )


def _truth(m: Measured, scan: Scan, provocation: bool) -> dict[str, Any]:
    """Return the truth of one measurement as plain JSON types."""
    a = {name: _round(value) for name, value in m.clean.amplitude.items()}
    acidity = a["LAC"] + a["ALA"] + 0.6 * a["PA"]
    structure = a["PG"] + a["COL"]
    n = m.disturbance.spoilt.size
    spoilt: list[str] = list(m.spoilt)
    if m.disc.gas is not None and "gas" not in spoilt:
        spoilt.append("gas")
    return {
        "kind": m.disc.kind,
        "painful": m.disc.kind == "P",
        "run": m.run,
        "amplitudes": a,
        "water_amplitude": _round(m.clean.water_amplitude),
        "acidity": _round(acidity),
        "structure": _round(structure),
        "log_acidity_structure": _round(log(acidity / structure)),
        "concentration": {name: _round(v) for name, v in m.disc.concentration.items()},
        "lipid_to_pg": _round(a["LIP"] / a["PG"]),
        "snr": _round(m.snr),
        "linewidth_hz": _round(m.clean.linewidth_hz),
        "drift_hz": _round(m.disturbance.drift_hz),
        "water_t2_ms": _round(1e3 * m.disc.t2_s["water"]),
        "quality": _expected_quality(m, scan.spectrometer_mhz),
        "spoilt": spoilt,
        "spoilt_transients": [int(i) for i in np.flatnonzero(m.disturbance.spoilt)],
        "n_transients": n,
        "morphology": asdict(m.disc.morphology),
        "provocation": m.disc.provocation.result if provocation else None,
    }


def _expected_quality(m: Measured, spectrometer_mhz: float) -> str:
    """Return what an honest quality check ought to say, from the truth alone."""
    if "silent" in m.spoilt:
        return "failing"
    width_ppm = m.clean.linewidth_hz / spectrometer_mhz
    if m.snr < 5 or width_ppm > 0.30 or m.disturbance.spoilt.mean() > 0.5:
        return "poor"
    return "good" if m.snr >= 8 and width_ppm <= 0.20 else "acceptable"


def _round(value: float) -> float:
    return float(f"{value:.8g}")
