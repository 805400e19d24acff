"""What a reader is told of a sequence that is not stated, not known, or lacks its mixing time."""

from dataclasses import replace

import pytest

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscEntry, Study
from mrs_disc.record.file import as_json
from mrs_disc.report.methods import methods_table, paragraph
from mrs_disc.report.results import results_from
from mrs_disc.simulate.scanner import Scan
from mrs_disc.simulate.study import simulate_study

LEVEL = "L4-L5"


def study_of(scan=None, **protocol):
    """Return one simulated disc whose protocol says this."""
    made, _ = simulate_study(seed=5, levels=(LEVEL,), scan=scan, anatomy=False)
    disc = replace(made[LEVEL], protocol=replace(made[LEVEL].protocol, **protocol))
    return Study(study_id="s", discs=(DiscEntry(level=LEVEL, load=lambda: disc, inputs=tuple),))


@pytest.mark.parametrize(
    ("protocol", "kind", "poor"),
    [
        ({"sequence": "PRESS"}, "evolved_ideal", False),
        ({"sequence": None}, "sequence_assumed", False),
        ({"sequence": "other"}, "evolution_unknown", True),
        ({"sequence": "LASER"}, "evolution_unknown", True),
        ({"sequence": "STEAM"}, "no_mixing_time", True),
    ],
)
def test_it_is_found_graded_and_told(protocol, kind, poor):
    report = analyze(study_of(**protocol))
    level = report[LEVEL].record
    assert kind in [one.kind for one in level.findings]
    if poor:
        assert (level.quality.verdict, level.score.label) == ("poor", "indeterminate")
        assert "evolution" in level.quality.reasons[0] or "mixing time" in level.quality.reasons[0]
    else:
        assert level.quality.verdict != "poor"
    assumed = "Sequence not stated, PRESS assumed: L4-L5." in report.impression
    assert assumed == (kind == "sequence_assumed")
    said = paragraph(results_from(report))
    assert ("PRESS is assumed" in said) == assumed
    assert ("is not known for the sequence" in said) == (kind == "evolution_unknown")


@pytest.mark.parametrize(
    ("scan", "said"),
    [
        (Scan(sequence="sLASER", echo_time_s=0.03), "4 refocusing pulses (goia_wurst, 20000 Hz"),
        (Scan(sequence="STEAM", echo_time_s=0.02, mixing_time_s=0.01), "mixing time of 10 ms"),
        (Scan(refocusing_bandwidth_hz=1200.0), "2 refocusing pulses (hamming_sinc, 1200 Hz"),
    ],
)
def test_other_sequences_are_simulated_fitted_and_told(scan, said):
    report = analyze(study_of(scan))
    level = report[LEVEL].record
    assert level.quality.verdict != "poor", level.quality.reasons
    results = results_from(report)
    assert said in paragraph(results)
    protocol = as_json(results)["levels"][0]["protocol"]
    assert protocol["mixing_time_s"] == scan.mixing_time_s
    rows = {row[0] for section in methods_table(results) for row in section[1]}
    assert {"Mixing time", "Refocusing pulses", "Refocusing bandwidth"} <= rows
