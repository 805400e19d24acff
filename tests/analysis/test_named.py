"""Which disc it was: names against places, from a study with exchanged levels to its first words.

The confusions are made by hand on a simulated study; where the voxels lie is the simulator's word.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc.analysis.impression import impression
from mrs_disc.analysis.named import check_names
from mrs_disc.data import InputFile
from mrs_disc.data.places import Site, signal_digests
from mrs_disc.recipe import LevelOptions, Recipe
from mrs_disc.record.file import canonical_json, results_of
from mrs_disc.record.findings import finding
from mrs_disc.record.level import completeness_of
from mrs_disc.report.results import results_from

from .test_impression import disc

LEVELS = ("L3-L4", "L4-L5", "L5-S1")
ACCEPT = Recipe(levels=LevelOptions(contradictions="accept"))

INCOMPLETE = "INCOMPLETE: 0 usable discs, at least 3 needed. "


@pytest.fixture(scope="module")
def study():
    simulated, _ = md.simulate_study(seed=5, levels=LEVELS)
    return simulated


def renamed(study, **names):
    """Return the study with the loads of levels under other names."""
    loads = {d.level: d.load for d in study.discs}
    discs = tuple(replace(d, load=loads[names.get(d.level, d.level)]) for d in study.discs)
    return replace(study, discs=discs)


@pytest.fixture(scope="module")
def exchanged(study):
    return renamed(study, **{"L3-L4": "L4-L5", "L4-L5": "L3-L4"})


def test_two_exchanged_levels_fail_and_the_third_keeps_its_result(exchanged):
    report = md.analyze(exchanged)
    assert [r.failure is None for r in report] == [False, False, True]
    for level in LEVELS[:2]:
        failure = report[level].failure
        assert failure.stage == "level"
        assert [f.kind for f in failure.findings] == ["levels_exchanged"]
        z_mm = {d.level: d.load().protocol.voxel_affine[2, 3] for d in exchanged.discs}
        for name in LEVELS[:2]:
            assert f"{name} at {z_mm[name]:.0f} mm" in failure.message
    assert report.completeness.n_levels <= 1
    assert "not measured (L4-L5 lies" in report.impression


def test_accepted_levels_are_measured_and_the_first_sentence_says_so(exchanged):
    report = md.analyze(exchanged, ACCEPT)
    assert all(r.failure is None for r in report)
    assert report.impression.startswith(
        "LEVELS NOT CONFIRMED: the files contradict L3-L4 and L4-L5 (places in another order); "
        "accepted as named."
    )
    assert report.recipe_sha256 != md.analyze(exchanged, levels=["L5-S1"]).recipe_sha256
    record = results_from(report)
    assert {"levels_exchanged"} <= {f.kind for f in record.findings}
    again = results_of(json.loads(canonical_json(record)), Path("results.json"))
    assert [f.kind for f in again.findings] == [f.kind for f in record.findings]


def test_one_level_alone_is_held_against_its_neighbours(exchanged):
    """Who asks for one level alone gets it refused as well: its neighbour shows the exchange."""
    (level,) = md.analyze(exchanged, levels=["L4-L5"])
    assert level.failure.stage == "level"


def test_one_file_under_two_names_counts_once(study):
    same = renamed(study, **{"L4-L5": "L3-L4"})
    refused = md.analyze(same)
    assert [r.level for r in refused if r.failure is None] == ["L5-S1"]
    accepted = md.analyze(same, ACCEPT)
    usable = [r.level for r in accepted if r.usable]
    twice = {"L3-L4", "L4-L5"} <= set(usable)
    assert accepted.completeness.n_levels == len(usable) - twice


def test_duplicates_of_good_discs_do_not_make_an_examination_complete():
    levels = [disc(level) for level in LEVELS]
    assert completeness_of(levels, 3).met
    pair = {"other": "L4-L5", "levels": ["L3-L4", "L4-L5"]}
    count = completeness_of(levels, 3, [finding("same_file_twice", "L3-L4", **pair)])
    assert (count.n_levels, count.met) == (2, False)


def test_a_sound_study_has_nothing_to_say(study):
    report = md.analyze(study)
    assert {f.kind for f in report.findings} == {"simulated"}
    assert all(r.failure is None for r in report)


def test_a_doubt_is_a_sentence_of_the_impression_and_a_finding(study):
    affine = study["L5-S1"].protocol.voxel_affine.copy()
    affine[:3, :3] *= 6
    naming = check_names([Site(level="L5-S1", affine=affine)], None, Recipe())
    assert naming.failures == {}
    text = impression([], completeness_of([], 3), noticed=naming.findings)
    assert text.startswith(INCOMPLETE + "To be checked: L5-S1 (voxel larger than a disc).")


def test_the_person_of_a_header_decides_in_memory_alone(study):
    acquisitions = {d.level: replace(d.load(), subject="0f" * 32) for d in study.discs}
    acquisitions["L5-S1"] = replace(acquisitions["L5-S1"], subject="a1" * 32)
    discs = tuple(replace(d, load=lambda a=acquisitions[d.level]: a) for d in study.discs)
    report = md.analyze(replace(study, discs=discs))
    assert [r.level for r in report if r.failure] == ["L5-S1"]
    assert report["L5-S1"].failure.findings[0].kind == "other_person"
    written = canonical_json(results_from(report))
    assert b"0f" * 8 not in written  # shorter, a digest may hold it by chance
    assert b"a1" * 8 not in written


def test_parameter_files_may_be_the_same():
    files = [
        InputFile(path="a.SDAT", sha256="1", reader="philips-sdat", role="metabolite"),
        InputFile(path="a.SPAR", sha256="2", reader="philips-sdat", role="metabolite"),
        InputFile(path="svs.json", sha256="3", reader="sidecar", role="metabolite"),
        InputFile(path="w.SDAT", sha256="4", reader="philips-sdat", role="water"),
    ]
    assert signal_digests(files) == ("1",)


def test_a_file_named_again_as_a_run_of_its_level_is_said_and_fails_nothing():
    sites = [
        Site(level="L4-L5", run=run, affine=np.diag([18.0, 17.0, 5.0, 1.0]), file_sha256=("1",))
        for run in (1, 2)
    ]
    naming = check_names(sites, None, Recipe())
    assert naming.failures == {}
    assert [(f.kind, f.subject) for f in naming.findings] == [("same_file_twice", "L4-L5 run 2")]
    text = impression([], completeness_of([], 3), noticed=naming.findings)
    assert text.startswith(INCOMPLETE + "To be checked: L4-L5 run 2 (one file for two names).")
