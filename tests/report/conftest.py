"""A realistic report built by hand: five lumbar discs, no analysis needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.analysis.impression import impression
from mrs_disc.analysis.recorded import measured as recorded_parts
from mrs_disc.analysis.recorded import recorded
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.data import (
    Anatomy,
    Comparison,
    Completeness,
    Curves,
    Difference,
    DiscEntry,
    DiscScore,
    Fid,
    FitResult,
    InputFile,
    LevelFailure,
    LevelMeasurement,
    LevelReport,
    Morphology,
    Noise,
    Phase,
    Preprocessed,
    Protocol,
    Quality,
    QualityPeak,
    Quantities,
    Quantity,
    ReferenceComparison,
    Sampling,
    Scanner,
    StepRecord,
    StudyReport,
    level_order,
)
from mrs_disc.recipe import Recipe
from mrs_disc.record.concordance import concordance
from mrs_disc.record.level import Level

SAMPLING = Sampling(dwell_time_s=4e-4, spectrometer_mhz=127.7)
N_POINTS = 2048
# name, lines as (ppm, weight), extra width in Hz
LINES = {
    "PG": (((2.04, 0.8), (2.00, 0.2)), 14.0),
    "LAC": (((1.3142 + 0.027, 0.5), (1.3142 - 0.027, 0.5), (4.097, 0.33)), 10.0),
    "ALA": (((1.4667 + 0.028, 0.5), (1.4667 - 0.028, 0.5), (3.77, 0.33)), 10.0),
    "PA": (((1.05, 0.6), (2.17, 0.4)), 12.0),
    "CHO": (((3.21, 1.0),), 9.0),
    "CARB": (((3.4, 0.13), (3.6, 0.13), (3.76, 0.37), (3.92, 0.13), (4.03, 0.25)), 24.0),
    "COL": (((1.712, 0.25), (3.018, 0.25), (3.36, 0.5)), 16.0),
    "LIP": (((0.90, 0.087), (1.30, 0.693), (2.10, 0.128), (2.76, 0.01)), 20.0),
}
NAMES = tuple(LINES)
HEALTHY = {"PG": 60, "LAC": 3, "ALA": 0.6, "PA": 0.3, "CHO": 6, "CARB": 60, "COL": 10, "LIP": 1}
PAINFUL = {"PG": 20, "LAC": 8, "ALA": 1.6, "PA": 1, "CHO": 5, "CARB": 22, "COL": 14, "LIP": 3}
MIDDLE = {"PG": 32, "LAC": 5, "ALA": 1, "PA": 0.5, "CHO": 6, "CARB": 35, "COL": 13, "LIP": 6}


def unit_fid(name, width=8.0):
    lines, extra = LINES[name]
    t = SAMPLING.time_s(N_POINTS)
    decay = np.exp(-np.pi * (width + extra) * t)
    return sum(w * np.exp(2j * np.pi * SAMPLING.hz(ppm) * t) for ppm, w in lines) * decay


def complex_normal(rng, n):
    return rng.standard_normal(n) + 1j * rng.standard_normal(n)


def make_fit(amplitudes, noise, seed, converged=True):
    rng = np.random.default_rng(seed)
    values = np.array([float(amplitudes[n]) for n in NAMES])
    components = np.array([a * unit_fid(n) for n, a in zip(NAMES, values, strict=True)])
    t = SAMPLING.time_s(N_POINTS)
    baseline = 25.0 * np.exp(2j * np.pi * SAMPLING.hz(1.6) * t - (110 * t) ** 2)
    data = baseline + components.sum(0) + noise * complex_normal(rng, N_POINTS)
    sd = noise * np.array([0.35, 0.5, 0.5, 0.6, 0.25, 1.2, 0.9, 1.1])
    correlation = np.eye(8)
    correlation[1, 2] = correlation[2, 1] = -0.45
    correlation[1, 7] = correlation[7, 1] = -0.6
    found = values + sd * rng.standard_normal(8)
    return FitResult(
        model="disc_1h@1",
        names=NAMES,
        amplitude=found,
        covariance=correlation * np.outer(sd, sd),
        crlb=0.9 * sd,
        low=found - 1.96 * sd,
        high=found + 1.96 * sd,
        ppm=np.array([LINES[n][0][0][0] for n in NAMES]),
        linewidth_hz=np.array([8.0 + LINES[n][1] for n in NAMES]),
        curves=Curves(
            sampling=SAMPLING,
            data=data,
            baseline=baseline,
            components=components,
            window_ppm=(0.5, 4.2),
        ),
        noise=Noise(
            sd=noise,
            spectrum_sd=noise * np.sqrt(N_POINTS),
            residual_ratio=1.04,
            residual_whiteness_p=0.31,
        ),
        phase=Phase(zero_order_rad=0.3, delay_s=2e-5),
        peak=QualityPeak(name="PG", height=900.0),
        converged=converged,
        reason="" if converged else "no convergence after 60 steps",
    )


def make_quantities(fit, water=True):
    a = dict(zip(fit.names, fit.amplitude, strict=True))
    sd = dict(zip(fit.names, fit.sd, strict=True))

    def ratio(value, error, how="amplitudes as measured, T2-weighted"):
        if value < 2 * error:
            high = max(value, 0) + 1.645 * error
            return Quantity(value=value, sd=error, low=0.0, high=high, limit="upper", how=how)
        return Quantity(
            value=value, sd=error, low=value - 1.96 * error, high=value + 1.96 * error, how=how
        )

    values = {
        f"{n}/PG": ratio(a[n] / a["PG"], sd[n] / a["PG"])
        for n in ("LAC", "PA", "CHO", "CARB", "COL")
    }
    values["LAAL/PG"] = ratio((a["LAC"] + a["ALA"]) / a["PG"], 1.1 * sd["LAC"] / a["PG"])
    acidity = max(a["LAC"] + a["ALA"] + 0.6 * a["PA"], 0)
    structure = a["PG"] + a["COL"]
    error_a, error_s = 1.3 * sd["LAC"], 1.2 * sd["COL"]
    values["acidity"] = ratio(acidity, error_a)
    values["structure"] = ratio(structure, error_s)
    r = np.log(max(acidity, 0.1) / structure)
    error = np.hypot(error_a / max(acidity, 0.1), error_s / structure)
    if acidity < 2 * error_a:
        values["log(acidity/structure)"] = Quantity(
            value=r, sd=error, low=None, high=r + 1.645 * error, limit="upper", how="natural log"
        )
    else:
        values["log(acidity/structure)"] = Quantity(
            value=r, sd=error, low=r - 1.96 * error, high=r + 1.96 * error, how="natural log"
        )
    if water:
        values["PG/water"] = Quantity(
            value=a["PG"] * 1.07,
            sd=3.1,
            low=a["PG"] * 1.07 - 6,
            high=a["PG"] * 1.07 + 6,
            unit="mmol/kg tissue water",
            how="relaxation-corrected",
        )
        values["structure/water"] = ratio(structure / 41000, 2 * error_s / 41000)
    else:
        reason = "no water reference"
        values["PG/water"] = Quantity(value=None, reason=reason)
        values["structure/water"] = Quantity(value=None, reason=reason)
    return Quantities(
        values=values,
        names=("LAC/PG",),
        covariance=((0.01,),),
        factors={"water_t1_s": 1.1, "water_t2_s": 0.084, "PG_t2_s": 0.08} if water else {},
    )


def make_level(
    level,
    amplitudes,
    *,
    run=1,
    verdict="good",
    label="unlikely painful",
    value=0.1,
    noise=1.0,
    morphology=None,
    provocation=None,
    transients=64,
    water=True,
    seed=None,
):
    seed = seed if seed is not None else level_order(level) * 10 + run
    rng = np.random.default_rng(seed)
    fit = make_fit(amplitudes, noise, seed)
    t = SAMPLING.time_s(N_POINTS)
    z = 40.0 * (28 - level_order(level))
    affine = np.array(
        [
            [18.0, 0, 0, 3.0],
            [0, 16.0, -1.5, -40 - 2 * (level_order(level) - 20)],
            [0, 3.0, 5.0, z],
            [0, 0, 0, 1],
        ]
    )
    protocol = Protocol(
        sequence="PRESS",
        echo_time_s=0.028,
        repetition_time_s=1.5,
        spectrometer_mhz=127.7,
        field_strength_t=3.0,
        spectral_width_hz=2500.0,
        n_points=N_POINTS,
        n_coils=16,
        n_transients=transients,
        voxel_size_mm=(18.0, 16.0, 5.0),
        voxel_affine=affine,
        scanner=Scanner(manufacturer="simulated"),
        given_by_user=("repetition_time_s",),
    )
    rejected = {3: "amplitude 40 % below the others", 17: "frequency 9.1 Hz off"}
    if transients == 1:
        rejected = {}
    reasons = {
        "good": (),
        "acceptable": ("SNR 6.8 is below 8",),
        "poor": ("SNR 3.2 is below 5", "linewidth 0.34 ppm is above 0.30 ppm"),
    }[verdict]
    residue = (
        30 * np.exp(2j * np.pi * (SAMPLING.hz(4.65) + 4) * t - np.pi * 12 * t) + fit.curves.data
    )
    history = tuple(
        StepRecord(step=s, method=m, options=o, measured=w)
        for s, m, o, w in (
            ("coils", "svd", {}, {"n_coils": 16}),
            ("align", "registration", {"window_ppm": (0.2, 4.2)}, {"range_hz": 4.1}),
            ("reject", "robust", {"max_fraction": 0.5}, {"n_rejected": len(rejected)}),
            ("average", "mean", {}, {"n_transients": transients - len(rejected)}),
            ("eddy", "klose", {}, {}) if water else ("eddy", "skipped", {}, {"reason": "no water"}),
            ("water", "hlsvd", {"window_ppm": (4.3, 5.0)}, {"removed": 0.98}),
        )
    )
    pre = Preprocessed(
        fid=Fid(signal=fit.curves.data, sampling=SAMPLING, history=history),
        unsuppressed_residue=Fid(signal=residue * np.exp(0.3j), sampling=SAMPLING),
        protocol=protocol,
        water=Fid(signal=4e4 * np.exp(-np.pi * 14 * t).astype(complex), sampling=SAMPLING)
        if water
        else None,
        water_protocol=protocol if water else None,
        transient_frequency_hz=np.empty(0)
        if transients == 1
        else np.linspace(0, 3.5, transients)
        + rng.normal(0, 0.7, transients)
        + np.where(np.arange(transients) == 17, 9.1, 0),
        transient_phase_rad=np.empty(0) if transients == 1 else rng.normal(0, 0.15, transients),
        rejected=rejected,
        n_transients=transients,
        drift_hz=3.4 if transients > 1 else None,
        water_linewidth_hz=14.0 if water else None,
    )
    poor = verdict == "poor"
    score = DiscScore(
        model="acidity_structure@1",
        value=value,
        low=None if value is None else max(value - 0.12, 0.01),
        high=None if value is None else min(value + 0.15, 0.99),
        label="indeterminate" if poor else label,
        reasons=("quality is poor",)
        if poor
        else (f"log(acidity/structure) with the patient's other discs gives probability {value}",),
        inputs={"log(acidity/structure)": -1.2, "sd": 0.31},
    )
    entry = DiscEntry(
        level=level,
        run=run,
        load=lambda: None,
        inputs=lambda: (
            InputFile(
                path=f"mrs/sub-01_voi-{level.replace('-', '')}_svs.nii.gz",
                sha256=f"{seed:064x}",
                reader="nifti_mrs",
                role="metabolite",
            ),
        ),
        morphology=morphology,
        provocation=provocation,
    )
    report = recorded(
        entry,
        LevelMeasurement(
            preprocessed=pre,
            fit=fit,
            quality=Quality(
                verdict=verdict,
                reasons=reasons,
                snr={"good": 17.3, "acceptable": 6.8, "poor": 3.2}[verdict],
                linewidth_hz={"good": 21.4, "acceptable": 26.0, "poor": 43.9}[verdict],
                water_linewidth_hz=14.0 if water else None,
                n_transients=transients,
                n_rejected=len(rejected),
                rejected=tuple(rejected),
                drift_hz=3.4 if transients > 1 else None,
                residual_water=0.21,
            ),
            quantities=make_quantities(fit, water),
        ),
        None,
    )
    return rescored(report, score=score)


def rescored(report, **changes):
    """Return a level with another score, or other parts of its measurement."""
    parts = {k: v for k, v in changes.items() if k != "score"}
    measurement = replace(report.measurement, **parts)
    measured = recorded_parts(measurement)
    record = replace(
        report.record, measured=replace(measured, score=changes.get("score", report.score))
    )
    record = replace(record, concordance=concordance(record))
    return replace(report, record=record, measurement=measurement)


def failed_level(level, message="the echo time is unknown: neither the file nor the study says it"):
    record = Level(level=level, error=LevelFailure(stage="measure", message=message))
    return LevelReport(record=replace(record, concordance=concordance(record)))


def make_anatomy(shape=(11, 220, 300)):
    """A sagittal volume of bright discs between dark vertebrae, indices (left, front, head)."""
    i, j, k = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    affine = np.array([[4.0, 0, 0, -20], [0, 1.0, 0, -150], [0, 0, 1.3, 60], [0, 0, 0, 1]])
    y, z = j - 150.0, 1.3 * k + 60
    image = 30 + 20 * np.sin(i + j / 9.0)
    for n in range(4, 10):
        centre = 40.0 * n
        inside = (abs(z - centre) < 5) & (abs(y + 45 - (n - 5) * 2) < 18)
        image = np.where(inside, 200 - 12 * (9 - n), image)
        vertebra = (abs(z - centre - 20) < 14) & (abs(y + 45 - (n - 5) * 2) < 17)
        image = np.where(vertebra, 90, image)
    return Anatomy(image=image.astype(np.int16), affine=affine)


def make_report(levels=None, anatomy=True, clinical=None, **changes):
    levels = default_levels() if levels is None else levels
    usable = sorted({r.level for r in levels if r.usable}, key=level_order)
    missing = tuple(r for r in dict.fromkeys(r.level for r in levels) if r not in usable)
    completeness = Completeness(
        n_levels=len(usable), min_levels=3, met=len(usable) >= 3, missing=missing
    )
    values = {
        r.level: r.measurement.quantities["log(acidity/structure)"].value
        for r in levels
        if r.usable
    }
    if len(values) >= 3:
        middle = float(np.median(list(values.values())))
        comparison = Comparison(
            quantity="log(acidity/structure)",
            references=(
                ReferenceComparison(
                    reference="median",
                    levels={
                        n: Difference(
                            difference=v - middle, low=v - middle - 0.5, high=v - middle + 0.5
                        )
                        for n, v in values.items()
                    },
                ),
            ),
        )
    else:
        comparison = Comparison(
            quantity="log(acidity/structure)", reason="fewer than three usable discs"
        )
    report = StudyReport(
        study_id="demo-01",
        levels=tuple(levels),
        recipe=Recipe(),
        recipe_sha256="ab12cd34" * 8,
        models={"fit": "disc_1h@1", "relaxation": "relaxation@1", "score": "acidity_structure@1"},
        completeness=completeness,
        impression=impression([r.record for r in levels], completeness),
        comparison=comparison,
        clinical=clinical
        if clinical is not None
        else {
            "indication": "chronic axial low back pain, 14 months",
            "conservative_care": ["physical therapy", "NSAID"],
            "mri_safety_screening": "complete",
            "consent": "documented",
        },
        anatomy=make_anatomy() if anatomy else None,
        notices=(RESEARCH_USE,),
        score_model_card={
            "name": "acidity_structure",
            "version": 1,
            "validated": False,
            "intended_use": "research into discogenic pain",
            "training": "simulated patients of this project; no public coefficients were found",
            "limits": "3 T and 1.5 T PRESS at echo times of 28 to 35 ms",
        },
    )
    return replace(report, **changes)


def default_levels():
    return [
        make_level(
            "L1-L2", HEALTHY, value=0.04, morphology=Morphology(pfirrmann=2, modic=0, hiz=False)
        ),
        make_level(
            "L2-L3",
            HEALTHY,
            value=0.11,
            verdict="acceptable",
            noise=2.0,
            morphology=Morphology(pfirrmann=3, modic=0),
        ),
        make_level("L3-L4", MIDDLE, value=0.43, verdict="poor", noise=6.0),
        make_level(
            "L4-L5",
            PAINFUL,
            value=0.87,
            label="likely painful",
            verdict="acceptable",
            noise=1.5,
            morphology=Morphology(
                pfirrmann=4, modic=1, hiz=True, herniation="protrusion", disc_height_loss="moderate"
            ),
        ),
        make_level(
            "L4-L5",
            PAINFUL,
            run=2,
            value=0.93,
            label="likely painful",
            morphology=Morphology(
                pfirrmann=4, modic=1, hiz=True, herniation="protrusion", disc_height_loss="moderate"
            ),
        ),
        failed_level("L5-S1"),
    ]


@pytest.fixture(scope="session")
def report():
    """Five lumbar discs: one failed, one poor, one measured twice."""
    return make_report()


@pytest.fixture(scope="session")
def build():
    """The builders, for variants of the report."""

    class Build:
        report = staticmethod(make_report)
        level = staticmethod(make_level)
        failed = staticmethod(failed_level)
        rescored = staticmethod(rescored)
        levels = staticmethod(default_levels)
        healthy, painful, middle = HEALTHY, PAINFUL, MIDDLE

    return Build


def make_reference(path, **changes):
    """An MR image header of a made-up patient, in Latin-1."""
    import pydicom

    made = pydicom.Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    made.SOPInstanceUID = "1.2.3.4"
    made.StudyInstanceUID = "1.2.3"
    made.SeriesInstanceUID = "1.2.3.5"
    made.PatientName = "Müller^Änne"
    made.PatientID = "P-17"
    made.PatientBirthDate = "19700102"
    made.PatientSex = "F"
    made.StudyDate = "20260101"
    made.StudyTime = "101500"
    made.StudyID = "S1"
    made.AccessionNumber = "A1"
    made.ReferringPhysicianName = "Doe^J"
    made.InstitutionName = "A Hospital"
    made.Modality = "MR"
    made.SeriesNumber = 3
    made.InstanceNumber = 1
    for name, value in changes.items():
        setattr(made, name, value)
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def write_reference():
    """The writer of a DICOM reference."""
    pytest.importorskip("pydicom")
    return make_reference


@pytest.fixture
def dicom_reference(write_reference, tmp_path):
    """A DICOM file of a made-up patient."""
    return write_reference(tmp_path / "reference.dcm")
