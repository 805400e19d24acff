"""Two runs never work on the same studies; what a dead run left behind is no obstacle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from mrs_disc.batch.lock import Claim, Owner, ShardLock
from mrs_disc.errors import InputError, OutputError


def write_claim(out, owner: Owner, claim: Claim | None = None) -> None:
    claim = claim or Claim()
    (out / ".batch").mkdir(exist_ok=True)
    content = json.dumps({"claim": asdict(claim), "owner": asdict(owner)})
    whole = out / ".batch" / f".{claim.name}.new"
    whole.write_text(content)
    whole.replace(out / ".batch" / f"{claim.name}.lock")  # as a run writes it: never torn


def gone() -> Owner:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return replace(Owner.this(), pid=process.pid)


def test_the_second_run_is_told_process_and_host(tmp_path):
    mine = Owner.this()
    with (
        ShardLock(tmp_path, Claim()),
        pytest.raises(InputError, match=f"process {mine.pid} on host {mine.host}"),
        ShardLock(tmp_path, Claim()),
    ):
        pass
    with ShardLock(tmp_path, Claim()):
        pass
    assert not list((tmp_path / ".batch").glob("*.lock"))


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path):
    write_claim(tmp_path, gone())
    with ShardLock(tmp_path, Claim()):
        held = json.loads(next((tmp_path / ".batch").glob("*.lock")).read_text())
        assert held["owner"]["pid"] == os.getpid()


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another start of the machine"}])
def test_a_number_given_to_another_process_does_not_keep_a_claim_alive(tmp_path, change):
    write_claim(tmp_path, replace(Owner.this(), **change))
    with ShardLock(tmp_path, Claim()):
        pass


def test_a_torn_claim_is_no_claim(tmp_path):
    (tmp_path / ".batch").mkdir()
    (tmp_path / ".batch" / "shard-1-of-1.lock").write_text('{"claim": ')
    with ShardLock(tmp_path, Claim()):
        pass


def test_a_claim_of_another_host_counts_while_it_is_renewed(tmp_path):
    owner = replace(Owner.this(), host="elsewhere")
    write_claim(tmp_path, owner)
    ended = threading.Event()

    def renew():
        n = 0
        while not ended.wait(0.05):
            write_claim(tmp_path, replace(owner, renewed=(n := n + 1)))

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with (
            pytest.raises(InputError, match="host elsewhere"),
            ShardLock(tmp_path, Claim(), watch_s=2),
        ):
            pass
    finally:
        ended.set()
        thread.join()
    with ShardLock(tmp_path, Claim(), watch_s=0.3):
        pass


def test_a_run_that_was_taken_over_notices(tmp_path):
    with ShardLock(tmp_path, Claim(), renew_s=0.05) as lock:
        write_claim(tmp_path, replace(Owner.this(), host="elsewhere"))
        deadline = time.monotonic() + 120
        while not lock.lost and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lock.lost
    assert list((tmp_path / ".batch").glob("*.lock")), "the other's claim is not ours to delete"


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (Claim(shard=(1, 4)), Claim(shard=(2, 4)), False),
        (Claim(shard=(1, 4)), Claim(shard=(1, 4)), True),
        (Claim(shard=(1, 4)), Claim(), True),
        (Claim(participants=("01",)), Claim(participants=("02",)), False),
        (Claim(participants=("01",)), Claim(participants=("01", "02")), True),
        (Claim(participants=("01",)), Claim(), True),
    ],
)
def test_claims_meet_where_they_may_hold_the_same_study(tmp_path, one, other, meet):
    assert one.meets(other) is meet is other.meets(one)
    with ShardLock(tmp_path, one):
        if meet:
            with pytest.raises(InputError), ShardLock(tmp_path, other):
                pass
        else:
            with ShardLock(tmp_path, other):
                pass


def test_unfinished_work_of_dead_runs_is_cleared_and_that_of_living_ones_kept(tmp_path):
    with ShardLock(tmp_path, Claim(shard=(1, 2))):
        living, dead = (tmp_path / ".batch" / f"shard-{n}-of-2.work" for n in (1, 2))
        living.mkdir()
        dead.mkdir()
        with ShardLock(tmp_path, Claim(shard=(2, 2))):
            assert living.exists()
            assert not dead.exists()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        ShardLock(tmp_path / "file" / "out", Claim()),
    ):
        pass
