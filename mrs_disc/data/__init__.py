"""All records that pass between the rooms: frozen, keyword-only, units in the names.

An unknown value is `None`, never a stand-in. Arrays are copied once and made read-only.

Sign: a resonance at larger ppm has larger frequency, ``exp(+2j*pi*f*t)`` with
``f = (ppm - reference_ppm) * spectrometer_mhz``.
"""

from mrs_disc.data.levels import (
    LEVELS,
    level_order,
    parse_level,
    spans,
)
from mrs_disc.data.results import (
    Comparison,
    Completeness,
    Difference,
    DiscScore,
    FitResult,
    Label,
    LevelFailure,
    LevelMeasurement,
    LevelReport,
    Limit,
    Preprocessed,
    Quality,
    Quantities,
    Quantity,
    ReferenceComparison,
    StudyReport,
    Verdict,
    best_runs,
)
from mrs_disc.data.signals import (
    MANUFACTURERS,
    SEQUENCES,
    AnySignal,
    Fid,
    Protocol,
    RawSignal,
    Sampling,
    Signal,
    StepRecord,
    Transients,
    frozen,
)
from mrs_disc.data.study import (
    Anatomy,
    DiscAcquisition,
    DiscEntry,
    InputFile,
    Morphology,
    Provocation,
    Study,
)

__all__ = [
    "LEVELS",
    "MANUFACTURERS",
    "SEQUENCES",
    "Anatomy",
    "AnySignal",
    "Comparison",
    "Completeness",
    "Difference",
    "DiscAcquisition",
    "DiscEntry",
    "DiscScore",
    "Fid",
    "FitResult",
    "InputFile",
    "Label",
    "LevelFailure",
    "LevelMeasurement",
    "LevelReport",
    "Limit",
    "Morphology",
    "Preprocessed",
    "Protocol",
    "Provocation",
    "Quality",
    "Quantities",
    "Quantity",
    "RawSignal",
    "ReferenceComparison",
    "Sampling",
    "Signal",
    "StepRecord",
    "Study",
    "StudyReport",
    "Transients",
    "Verdict",
    "best_runs",
    "frozen",
    "level_order",
    "parse_level",
    "spans",
]
