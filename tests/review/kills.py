"""Kill what saves a signature, makes a final report, or replaces a signed result; lose nothing.

By hand: ``python tests/review/kills.py [--count 50] [--seed 1]`` kills each so many times at random
moments and prints what it did as JSON; the slow test does fewer. What must not be lost is known by
its SHA-256: every confirmed act, final file and signed result, and what a reader put there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

TIME = "2025-03-01T09:30:00Z"


@dataclass
class Count:
    """What happened: kills that struck, how often the work was whole all the same, files known."""

    struck: int = 0
    whole: int = 0
    files: int = 0


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, hidden ones too."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def strike(work: Callable[[], object], after_s: float | None) -> tuple[bool, float]:
    """Do some work in a process of its own and kill that; return if it was through, and how long.

    Parameters
    ----------
    work : callable
        What is done.
    after_s : float or None
        When to kill, s; `None`: never.
    """
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)  # noqa: T201
            os._exit(1)
        os._exit(0)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work itself failed"
    return not os.WIFSIGNALED(status), time.perf_counter() - begun


def save(folder: Path, **fields: object) -> None:
    """Append an act as the page does."""
    from mrs_disc.record.journal import append_act
    from mrs_disc.record.review import read_log

    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    fields = {"reviewer": "Dr Alice", "act": "sign", **fields}
    append_act(folder, read_log(folder).seen, digest, TIME, lambda _: fields)


def accept(folder: Path) -> None:
    """Accept a level, so that the next signature is a new one."""
    save(folder, act="level", level="L4-L5", run=1, decision="accept")


def kill_signing(folder: Path, count: int, moments: random.Random) -> Count:
    """Every confirmed line stays byte for byte, and the log is never broken."""
    from mrs_disc.record.review import read_log

    done, (_, longest) = Count(), strike(lambda: save(folder), None)
    while done.struck < count:
        accept(folder)
        before = (folder / "review.jsonl").read_bytes()
        through, _ = strike(lambda: save(folder), moments.uniform(0, 1.2 * longest))
        log = read_log(folder)
        assert not log.problem, log.problem
        assert (folder / "review.jsonl").read_bytes().startswith(before), "a line is lost"
        n = before.count(b"\n")
        assert len(log.acts) in (n, n + 1)
        signed = len(log.acts) == n + 1
        assert signed or not through, "a confirmed signature is lost"
        if not signed:
            save(folder)
            assert read_log(folder).acts[-1].act == "sign"
        done.struck += not through
        done.whole += signed and not through
        done.files += 1
    return done


def kill_finalising(folder: Path, count: int, moments: random.Random) -> Count:
    """A final file is the one that the log knows, or none; earlier ones stay."""
    from mrs_disc.errors import ReadError
    from mrs_disc.review.catalogue import Catalogue
    from mrs_disc.review.final import final_files, make_final
    from mrs_disc.review.studies import Library

    def study():
        return Library().open(next(iter(Catalogue(folder).studies.values())))

    def make():
        make_final(study(), "pdf", None, lambda: TIME)

    known = digests(folder)
    done, (_, longest) = Count(), strike(make, None)
    while done.struck < count:
        known = digests(folder) | {"review.jsonl": "", "review.head": ""}
        lines = (folder / "review.jsonl").read_bytes()
        accept(folder)
        save(folder)
        through, _ = strike(make, moments.uniform(0, 1.2 * longest))
        now = digests(folder)
        lost = [name for name, digest in known.items() if digest and now.get(name) != digest]
        assert not lost, f"lost or changed: {lost}"
        assert (folder / "review.jsonl").read_bytes().startswith(lines)
        try:
            whole = bool(final_files(study()))
        except ReadError:  # it is there and the log does not know it yet: made again
            whole = False
        assert whole or not through
        strike(make, None)
        (final,) = final_files(study()).values()
        assert final.read_bytes().startswith(b"%PDF")
        done.struck += not through
        done.whole += whole and not through
        done.files += len(known)
    return done


def kill_replacing(folder: Path, count: int, moments: random.Random) -> Count:
    """A signed result, its log, its final files and a reader's own stay when it is redone."""
    from mrs_disc.batch.work import publish, restore
    from mrs_disc.record.review import read_log

    place = folder.parent
    new = place / "new"
    record = json.loads((folder / "results.json").read_bytes())
    (folder / "notes of the reader.txt").write_text("mine")
    (folder / "reviewed" / "mine.txt").write_text("also mine")
    done, longest, number = Count(), 0.0, 0

    def prepared() -> Path:
        nonlocal number
        number += 1
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        shutil.copy(folder / "signals.npz", new)
        record["notices"] = [*record["notices"][:1], f"redone for the {number}th time"]
        (new / "results.json").write_text(json.dumps(record))
        return new

    while done.struck < count:
        accept(folder)
        save(folder)
        lines = (folder / "review.jsonl").read_bytes()
        before = digests(folder)
        kept = set(before.values())
        made = prepared()
        fresh = digests(made)["results.json"]
        after = moments.uniform(0, 1.2 * longest) if longest else None
        through, took = strike(lambda made=made: publish(made, folder), after)
        longest = longest or took
        restore(folder)  # what the next run of the batch begins with
        now = digests(folder)
        replaced = now["results.json"] == fresh
        assert replaced or now["results.json"] == before["results.json"]
        assert replaced or not through
        # the signed result lies in `reviewed/` if it gave way; the log goes on as it was
        lost = kept - set(now.values())
        assert not lost, [name for name, digest in before.items() if digest in lost]
        assert (folder / "review.jsonl").read_bytes() == lines
        assert not read_log(folder).problem
        done.struck += not through
        done.whole += replaced and not through
        done.files += len(kept)
    return done


KINDS = {
    "saving a signature": kill_signing,
    "making a final report": kill_finalising,
    "replacing a signed result": kill_replacing,
}


def kill_all(count: int, seed: int = 1) -> dict[str, Count]:
    """Kill each kind of work so many times; `AssertionError` where something is lost."""
    import mrs_disc.report.pdf  # its libraries load here, not in every child
    import mrs_disc.review.views  # noqa: F401
    from mrs_disc import analyze, simulate_study, write_report

    study, _ = simulate_study(seed=5, levels=("L4-L5",), anatomy=False)
    report = analyze(study)
    found = {}
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        for number, (kind, kill) in enumerate(KINDS.items()):
            folder = Path(name) / str(number) / "study"
            write_report(report, folder, formats=("json",))
            (folder / "reviewed" / "000").mkdir(parents=True)
            (folder / "reviewed" / "000" / "report.pdf").write_bytes(b"%PDF of long ago")
            accept(folder)
            save(folder)
            found[kind] = kill(folder, count, random.Random(seed))
    return found


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    found = kill_all(chosen.count, chosen.seed)
    kinds = {kind: asdict(one) for kind, one in found.items()}
    print(json.dumps({"count": chosen.count, "seed": chosen.seed, "kinds": kinds}))  # noqa: T201


if __name__ == "__main__":
    main()
