"""The records with arrays that pass between the rooms, and beside them those of the record.

Frozen, keyword-only, units in the names. An unknown value is `None`, never a stand-in. Arrays are
copied once and made read-only.

Sign: a resonance at larger ppm has larger frequency, ``exp(+2j*pi*f*t)`` with
``f = (ppm - reference_ppm) * spectrometer_mhz``.
"""

import mrs_disc.unneeded  # noqa: F401
from mrs_disc.data.report import LevelReport, StudyReport
from mrs_disc.data.results import (
    Curves,
    EchoTime,
    FitResult,
    LevelMeasurement,
    Noise,
    Phase,
    Preprocessed,
    QualityPeak,
)
from mrs_disc.data.signals import AnySignal, Fid, Protocol, RawSignal, Signal, Transients
from mrs_disc.data.study import Anatomy, DiscAcquisition, DiscEntry, Origin, Study
from mrs_disc.record.levels import LEVELS, level_order, parse_level, spans
from mrs_disc.record.parts import (
    MANUFACTURERS,
    PULSES,
    SEQUENCES,
    Comparison,
    Completeness,
    Difference,
    DiscScore,
    HeightLoss,
    Herniation,
    InputFile,
    Label,
    LevelFailure,
    Limit,
    Morphology,
    Provocation,
    Quality,
    Quantities,
    Quantity,
    ReferenceComparison,
    Scanner,
    StepRecord,
    Sum,
    Sums,
    Verdict,
)
from mrs_disc.record.sampling import Sampling, frozen

__all__ = [
    "LEVELS",
    "MANUFACTURERS",
    "PULSES",
    "SEQUENCES",
    "Anatomy",
    "AnySignal",
    "Comparison",
    "Completeness",
    "Curves",
    "Difference",
    "DiscAcquisition",
    "DiscEntry",
    "DiscScore",
    "EchoTime",
    "Fid",
    "FitResult",
    "HeightLoss",
    "Herniation",
    "InputFile",
    "Label",
    "LevelFailure",
    "LevelMeasurement",
    "LevelReport",
    "Limit",
    "Morphology",
    "Noise",
    "Origin",
    "Phase",
    "Preprocessed",
    "Protocol",
    "Provocation",
    "Quality",
    "QualityPeak",
    "Quantities",
    "Quantity",
    "RawSignal",
    "ReferenceComparison",
    "Sampling",
    "Scanner",
    "Signal",
    "StepRecord",
    "Study",
    "StudyReport",
    "Sum",
    "Sums",
    "Transients",
    "Verdict",
    "frozen",
    "level_order",
    "parse_level",
    "spans",
]
