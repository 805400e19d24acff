"""Kill batches at random moments until so many kills have struck; then compare every byte.

By hand: ``python tests/batch/kills.py [--count 50] [--seed 1]`` prints what it did as JSON; the
slow test does fewer. Three kills of four hit the batch itself, the fourth a worker, which the batch
has to bear. A run that is through is compared with an undisturbed one, and another folder begins.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PROGRAM = "from mrs_disc.cli import main; main()"


@dataclass
class Count:
    """What happened: kills that struck, folders that came through, files compared."""

    batches_killed: int = 0
    workers_killed: int = 0
    folders: int = 0
    files: int = 0


def content(out: Path) -> dict[str, str]:
    """Return every file that a person sees, with its digest."""
    files = [p for p in sorted(out.rglob("*")) if p.is_file()]
    shown = [p for p in files if not any(part.startswith(".") for part in p.relative_to(out).parts)]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in shown}


def start(dataset: Path, out: Path) -> subprocess.Popen:
    """Begin or resume a batch."""
    words = ("batch", dataset, "-o", out, "--jobs", 2, "--resume", "--format", "json")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def workers(pid: int) -> list[int]:
    """Return the processes that a batch has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == pid:
            found.append(int(path.parent.name))
    return found


def strike(process: subprocess.Popen, moments: random.Random, longest_s: float) -> str:
    """Wait for a random moment, then kill; return what was hit, or nothing if it was through."""
    try:
        process.wait(timeout=moments.uniform(0, longest_s))
    except subprocess.TimeoutExpired:
        pass
    else:
        return ""
    inside = workers(process.pid)
    if inside and moments.randrange(4) == 0:
        try:
            os.kill(moments.choice(inside), 9)
        except ProcessLookupError:
            return ""
        return "worker"
    process.kill()
    return "batch"


def kill_and_compare(dataset: Path, place: Path, count: int, seed: int = 1) -> Count:
    """Kill `count` times; every folder must come out as that of an undisturbed run.

    Raises
    ------
    AssertionError
        If one does not.
    """
    begun = time.monotonic()
    process = start(dataset, place / "undisturbed")
    said = process.communicate()[1]
    assert process.returncode == 0, said
    longest = time.monotonic() - begun
    whole = content(place / "undisturbed")
    done, moments = Count(), random.Random(seed)
    while done.batches_killed + done.workers_killed < count:
        out = place / f"out-{done.folders}"
        while True:
            process = start(dataset, out)
            struck = done.batches_killed + done.workers_killed < count
            hit = strike(process, moments, longest) if struck else ""
            said = process.communicate()[1]
            done.batches_killed += hit == "batch"
            done.workers_killed += hit == "worker"
            if hit != "batch":
                break
        assert process.returncode == 0, said
        assert content(out) == whole, "not what an undisturbed run leaves"
        hidden = [p.name for p in out.rglob(".*") if p.name not in (".batch", ".bidsignore")]
        left = hidden + [p.name for p in (out / ".batch").glob("*.work")]
        assert not left, f"unfinished work is left: {left}"
        done.folders += 1
        done.files += len(whole)
    return done


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    from mrs_disc.cli import run

    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        place = Path(name)
        words = ["simulate", "-o", str(place / "data"), "--subjects", "4", "--levels", "L4-L5"]
        with contextlib.redirect_stdout(sys.stderr):
            assert run(words) == 0
        done = kill_and_compare(place / "data", place, chosen.count, chosen.seed)
    print(json.dumps({"kills": chosen.count, "seed": chosen.seed} | asdict(done)))  # noqa: T201


if __name__ == "__main__":
    main()
