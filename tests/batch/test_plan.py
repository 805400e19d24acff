"""Which studies belong to which shard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.batch.plan import find_tasks, parse_shard, shard_of
from mrs_disc.cli import run
from mrs_disc.errors import InputError


@given(
    st.lists(st.text(min_size=1).filter(lambda t: t.isprintable()), unique=True), st.integers(1, 50)
)
def test_every_study_is_in_exactly_one_shard(keys, total):
    shards = [shard_of(key, total) for key in keys]
    assert all(1 <= shard <= total for shard in shards)


def test_shards_are_the_same_for_ever():
    """Written down once: shards of one dataset may run months and machines apart."""
    keys = ["sub-01", "sub-02", "sub-01/ses-02", "Müller", "\udcff"]
    assert [shard_of(key, 1000) for key in keys] == [412, 162, 144, 55, 297]


def test_shards_are_of_like_size():
    counts = [0] * 20
    for n in range(10_000):
        counts[shard_of(f"sub-{n:05d}", 20) - 1] += 1
    assert 400 < min(counts) <= max(counts) < 600  # 500 expected, five standard deviations


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_wrong_shard_is_refused(text):
    with pytest.raises(InputError, match="I/N expected"):
        parse_shard(text)


def test_subjects_in_scanner_files_are_studies_as_they_are_simulated(tmp_path):
    words = ["simulate", "-o", str(tmp_path / "data"), "--as", "sdat", "--subjects", "2"]
    assert run([*words, "--levels", "L4-L5"]) == 0
    assert [task.key for task in find_tasks(tmp_path / "data")] == ["sub-01", "sub-02"]


def test_participants_are_found_with_and_without_prefix(simulated):
    found = [find_tasks(simulated, participants=p) for p in (["01"], ["sub-01"], ["01", "sub-01"])]
    assert found[0] == found[1] == found[2]
    assert [task.key for task in found[0]] == ["sub-01"]
    with pytest.raises(InputError, match=r"no such participant. Did you mean '01'\?"):
        find_tasks(simulated, participants=["011"])
