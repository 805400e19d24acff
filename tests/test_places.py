"""Names of levels against places: spines drawn from stated spreads, each confusion made by hand.

The spine here is a chain of vertebrae of random height, tilt and side-bend, built link by link; the
package judges centres alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.data import LEVELS
from mrs_disc.data.places import Site, contradictions, doubts, samples_digest
from mrs_disc.record.findings import words
from mrs_disc.signal.noise_print import noise_print

CERVICAL = ("C3-C4", "C4-C5", "C5-C6", "C6-C7")
THORACIC = ("T6-T7", "T7-T8", "T8-T9", "T9-T10")
LUMBAR = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
SIX = ("L3-L4", "L4-L5", "L5-L6", "L6-S1")
STEP_MM = {"C": (17.5, 1.6), "T": (27.0, 2.5), "L": (36.0, 3.3)}
"""Distance of discs and its spread from person to person, mm: a small woman to a tall man."""


def spine(seed: int, levels: tuple[str, ...] = LUMBAR) -> list[Site]:
    """Return the sites of a person: size, curve of the spine, scoliosis, planning drawn anew."""
    rng = np.random.default_rng(seed)
    mean, spread = STEP_MM[levels[0][0]]
    step = mean + spread * rng.standard_normal()
    tilt = np.radians(rng.uniform(-25, 10) + np.linspace(0, rng.uniform(20, 45), len(levels)))
    bend = np.radians(rng.uniform(-25, 25)) * np.sin(np.linspace(0, np.pi, len(levels)))
    centre = rng.uniform(-60, 60, 3)
    sites = []
    for level, forward, aside in zip(levels, tilt, bend, strict=True):
        affine = np.eye(4)
        c, s = np.cos(forward), np.sin(forward)
        affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * (18.0, 17.0, 5.0)
        affine[:3, 3] = centre + rng.normal(0, 1.5, 3)  # how exactly a voxel is planned
        sites.append(Site(level=level, affine=affine, file_sha256=(f"{seed}-{level}",)))
        down = np.array([np.sin(aside), np.sin(forward), -np.cos(forward)])
        centre = centre + step * (1 + 0.06 * rng.standard_normal()) * down / np.linalg.norm(down)
    return sites


def kinds(found) -> set[str]:
    return {f.kind for f in found}


def moved(site: Site, by_mm) -> Site:
    affine = np.array(site.affine)
    affine[:3, 3] += by_mm
    return replace(site, affine=affine)


def renamed(sites: list[Site], *names: str) -> list[Site]:
    return [replace(s, level=n) for s, n in zip(sites, names, strict=True)]


@pytest.mark.parametrize("levels", [CERVICAL, THORACIC, LUMBAR, LUMBAR[2:], SIX])
def test_sound_spines_raise_no_alarm(levels):
    """Two hundred people a region, scoliosis and transitional anatomy in them: at most 1 %."""
    alarms = 0
    for seed in range(200):
        sites = spine(seed, levels)
        alarms += bool(contradictions(sites) or doubts(sites))
    assert alarms <= 2


def test_any_two_levels_exchanged_are_named_with_both_places():
    for seed in range(100):
        sites = spine(seed)
        a, b = sorted(np.random.default_rng(seed).choice(len(sites), 2, replace=False))
        names = list(LUMBAR)
        names[a], names[b] = names[b], names[a]
        found = contradictions(renamed(sites, *names))
        blamed = {f.subject for f in found if f.kind == "levels_exchanged"}
        assert {LUMBAR[a], LUMBAR[b]} <= blamed
        mine = next(
            f for f in found if {f.values["upper"], f.values["lower"]} == {LUMBAR[a], LUMBAR[b]}
        )
        for site, name in ((sites[a], LUMBAR[b]), (sites[b], LUMBAR[a])):
            assert f"{name} at {site.affine[2, 3]:.0f} mm" in words(mine)


def test_a_gap_that_does_not_fit_the_names_is_said():
    """One level off by one: a disc's file under the name of the next."""
    noticed = 0
    for seed in range(200):
        sites = spine(seed)
        gap = [sites[0], sites[1], sites[2], sites[3]]
        noticed += "spacing_unlikely" in kinds(
            doubts(renamed(gap, "L1-L2", "L2-L3", "L3-L4", "L5-S1"))
        )
    assert noticed >= 190


@pytest.mark.parametrize("seed", range(20))
def test_one_place_and_one_file_count_once(seed):
    sites = spine(seed)
    same_place = [*sites[:2], replace(sites[2], affine=sites[1].affine), *sites[3:]]
    found = contradictions(same_place)
    assert {f.subject for f in found if f.kind == "levels_at_one_place"} == {"L2-L3", "L3-L4"}
    same_file = [*sites[:2], replace(sites[2], file_sha256=sites[1].file_sha256), *sites[3:]]
    found = contradictions(same_file)
    assert {f.subject for f in found if f.kind == "same_file_twice"} == {"L2-L3", "L3-L4"}


def test_one_measurement_under_two_names_is_known_by_its_noise():
    rng = np.random.default_rng(3)
    noise = [noise_print(rng.normal(size=1024) + 1j * rng.normal(size=1024)) for _ in LUMBAR]
    sites = [replace(s, noise=one) for s, one in zip(spine(3), noise, strict=True)]
    assert not contradictions(sites)
    copied = replace(sites[2], noise=noise[1])
    for unplaced in (replace(copied, affine=None), replace(copied, affine=sites[1].affine)):
        found = contradictions([*sites[:2], unplaced, *sites[3:]])
        assert {f.kind for f in found} == {"same_measurement_twice"}
        assert {f.subject for f in found} == {"L2-L3", "L3-L4"}
    elsewhere = [*sites[:2], copied, *sites[3:]]
    assert not contradictions(elsewhere)
    assert [(f.kind, f.subject) for f in doubts(elsewhere)] == [("same_noise_elsewhere", "L3-L4")]


def test_another_level_in_a_name_and_a_shared_water_reference_are_said():
    sites = [replace(s, named=s.level, water_sha256=s.level) for s in spine(3)]
    assert not doubts(sites)
    found = doubts([replace(sites[0], named="L2-L3", water_sha256="L4-L5"), *sites[1:]])
    assert [(f.kind, f.subject) for f in found] == [
        ("other_level_named", "L1-L2"),
        ("same_water_twice", "L4-L5"),
    ]


def test_names_of_another_region_are_told_by_all_distances_together():
    necks = ["C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7"]
    found = doubts(renamed(spine(3), *necks))
    assert "region_unlikely" in {f.kind for f in found}
    assert not any(f.kind == "region_unlikely" for seed in range(200) for f in doubts(spine(seed)))


def test_a_repeat_lies_at_the_place_of_its_first_run():
    """A second run is another measurement of one disc; the same file again is none."""
    sites = spine(3)
    again = replace(sites[1], run=2, file_sha256=("another",))
    assert not contradictions([*sites, again])
    copy = replace(sites[1], run=2)
    assert [f.subject for f in contradictions([*sites, copy])] == ["L2-L3 run 2"]


def test_files_without_a_place_are_no_contradiction():
    sites = [Site(level=level) for level in LUMBAR]
    assert not contradictions(sites)
    assert not doubts(sites)


def test_a_level_of_another_person_is_named_and_where_none_leads_all_are():
    sites = [replace(s, subject="a") for s in spine(5)]
    sites[3] = replace(sites[3], subject="b")
    assert {f.subject for f in contradictions(sites)} == {"L4-L5"}
    assert {f.subject for f in contradictions(sites[2:4])} == {"L3-L4", "L4-L5"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda s: replace(s, affine=np.diag([30.0, 30.0, 30.0, 1.0]) + s.affine * 0 + _at(s)),
         "voxel_larger_than_disc"),
        (lambda s: moved(s, (0, 0, 300.0)), "voxel_outside_image"),
        (lambda s: moved(s, (70.0, 0, 0)), "beside_the_spine"),
        (lambda s: replace(s, affine=s.affine @ np.diag([-1.0, 1, 1, 1])), "voxel_mirrored"),
        (lambda s: replace(s, frequency_mhz=123.3), "other_scanner"),
    ],
)  # fmt: skip
def test_what_is_unlikely_is_said_of_the_level_it_befell(change, kind):
    sites = [replace(s, frequency_mhz=123.2) for s in spine(11)]
    centre = np.mean([s.affine[:3, 3] for s in sites], axis=0)
    image = np.diag([4.0, 1.0, 1.0, 1.0])
    shape = (30, 200, 320)
    image[:3, 3] = centre - np.array([60.0, 100.0, 160.0])
    assert not doubts(sites, image, shape)
    sites[0] = change(sites[0])
    found = [f for f in doubts(sites, image, shape) if f.kind == kind]
    assert found
    assert any(sites[0].level in words(f) for f in found)


def _at(site: Site) -> np.ndarray:
    only = np.zeros((4, 4))
    only[:3, 3] = site.affine[:3, 3]
    return only


@given(seed=st.integers(0, 10_000), turn=st.floats(-40, 40), shift=st.floats(-500, 500))
def test_verdicts_do_not_depend_on_the_order_of_the_files(seed, turn, shift):
    sites = [moved(s, (0.0, 0.0, shift)) for s in spine(seed)]
    names = list(np.random.default_rng(seed).permutation(LUMBAR))
    mixed = renamed(sites, *names)
    forward, backward = contradictions(mixed), contradictions(mixed[::-1])
    assert sorted(map(words, forward)) == sorted(map(words, backward))
    assert bool(forward) == (names != list(LUMBAR))


@given(level=st.sampled_from(LEVELS))
def test_a_single_level_has_nothing_to_contradict(level):
    assert not contradictions([Site(level=level, affine=np.diag([18.0, 17.0, 5.0, 1.0]))])


def test_samples_say_that_a_copy_is_one_whatever_its_file():
    rng = np.random.default_rng(1)
    fid = (rng.normal(size=64) + 1j * rng.normal(size=64)).astype(np.complex64)
    assert samples_digest(fid) == samples_digest(fid[None, None].astype(complex))
    assert samples_digest(fid) != samples_digest(fid + np.float32(1e-3))
