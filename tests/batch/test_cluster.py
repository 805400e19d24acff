"""The Snakefile for real: on this machine, and on a SLURM of one node that the test starts."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import mrs_disc

ROOT = Path(mrs_disc.__file__).parents[1]
PIPELINES = Path(__file__).parents[2] / "pipelines"
pytestmark = pytest.mark.slow


def skip(why: str) -> NoReturn:
    """Skip, but fail where a cluster is required: in the continuous integration."""
    if os.environ.get("MRS_DISC_CLUSTER") == "required":
        pytest.fail(why)
    pytest.skip(why)


def snakemake() -> str:
    """Return the program, from this environment or the path."""
    beside = Path(sys.executable).with_name("snakemake")
    found = str(beside) if beside.exists() else shutil.which("snakemake")
    if found is None:
        skip("snakemake is not installed (extra 'cluster')")
    return found


@pytest.fixture
def program(tmp_path) -> Path:
    """A stand-in for mrs-disc that may do something first."""
    path = tmp_path / "mrs-disc"
    (tmp_path / "first.sh").write_text("")
    path.write_text(
        f"#!/bin/sh\nexport PYTHONPATH='{ROOT}'\n. '{tmp_path}/first.sh'\n"
        f'exec \'{sys.executable}\' -c "from mrs_disc.cli import main; main()" "$@"\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def undisturbed(simulated, tmp_path_factory) -> bytes:
    from mrs_disc.cli import run

    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run(["batch", str(simulated), "-o", str(out), "--jobs", "1", "--format", "json"]) == 0
    return (out / "levels.tsv").read_bytes()


def start(profile: str, dataset: Path, out: Path, program: Path, *more: str) -> subprocess.Popen:
    words = [
        snakemake(),
        "-s",
        PIPELINES / "Snakefile",
        "--profile",
        PIPELINES / "profiles" / profile,
    ]
    config = {"dataset": dataset, "out": out, "studies_per_job": 1, "formats": "json"}
    pairs = [f"{key}={value}" for key, value in (config | {"program": program}).items()]
    return subprocess.Popen(
        [*map(str, words), *more, "--config", *pairs],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=out.parent,
        env=os.environ | {"PATH": f"{Path(words[0]).parent}:{os.environ['PATH']}"},
    )


def test_shards_on_this_machine_one_of_which_fails_at_first(
    simulated, undisturbed, program, tmp_path
):
    dataset = Path(shutil.copytree(simulated, tmp_path / "dataset"))
    (tmp_path / "first.sh").write_text(
        f'case "$*" in *"--shard 2/3"*) if [ ! -e "{tmp_path}/failed" ]; then '
        f'touch "{tmp_path}/failed"; exit 1; fi;; esac\n'
    )
    process = start("local", dataset, tmp_path / "out", program, "--cores", "2")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert (tmp_path / "failed").exists()
    assert (tmp_path / "out" / "levels.tsv").read_bytes() == undisturbed


# --------------------------------------------------------------------------- SLURM

CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={port}
SlurmdPort={port_d}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/ctld.pid
SlurmdPidFile={place}/d.pid
SlurmctldLogFile={place}/ctld.log
SlurmdLogFile={place}/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} CPUs=2 RealMemory={memory} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """A SLURM of one node: munged, slurmctld and slurmd of our own, ended afterwards."""
    programs = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    where = {name: shutil.which(name, path=search) for name in programs}
    if missing := [name for name, path in where.items() if path is None]:
        skip(f"{', '.join(missing)} not installed (Debian's slurm-wlm and munge)")
    if getpass.getuser() != "root":
        skip("a SLURM of one's own is started by root")
    place = Path(os.path.realpath(tmp_path_factory.mktemp("slurm", numbered=True)))
    for folder in (place, *place.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    for name in ("state", "spool"):
        (place / name).mkdir()
    (place / "munge.key").write_bytes(os.urandom(128))
    (place / "munge.key").chmod(0o600)
    host = subprocess.run(["hostname", "-s"], capture_output=True, text=True, check=True).stdout
    values = {"host": host.strip(), "place": place, "port": 16817, "port_d": 16818}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 // 2
    conf = place / "slurm.conf"
    conf.write_text(CONF.format(memory=memory, **values))
    monkeypatch.delenv("SLURM_CONF", raising=False)
    usual = Path("/etc/slurm/slurm.conf")  # job steps look nowhere else
    if os.path.lexists(usual) or (os.cpu_count() or 1) < 2:
        skip("this machine has a SLURM of its own, or one processor")
    usual.parent.mkdir(exist_ok=True)
    usual.symlink_to(conf)
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
    files |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    munge = [f"--{option}={place / name}" for option, name in files.items()]
    commands = [
        [where["munged"], "--foreground", "--force", *munge],
        [where["slurmctld"], "-D", "-f", conf],
        [where["slurmd"], "-D", "-f", conf, "-N", values["host"]],
    ]
    daemons = []
    try:
        for words in commands:
            with (place / f"{Path(words[0]).name}.out").open("w") as log:
                daemons.append(subprocess.Popen(list(map(str, words)), stdout=log, stderr=log))
            time.sleep(2)
        deadline = time.monotonic() + 120
        while "idle" not in nodes() and time.monotonic() < deadline:
            time.sleep(1)
        if "idle" not in nodes():
            logs = "\n".join(p.read_text()[-1500:] for p in sorted(place.glob("*.[lo][ou][gt]")))
            skip(f"SLURM does not start here: {logs}")
        yield place
    finally:
        usual.unlink()
        for process in reversed(daemons):
            process.terminate()
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def nodes() -> str:
    done = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False)
    return done.stdout


def running() -> list[str]:
    done = subprocess.run(
        ["squeue", "-h", "-t", "R", "-o", "%i"], capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def test_shards_on_a_real_slurm_one_of_which_is_cancelled(
    slurm, simulated, undisturbed, program, tmp_path
):
    dataset = Path(shutil.copytree(simulated, tmp_path / "dataset"))
    (tmp_path / "first.sh").write_text(
        f'case "$*" in *"--shard 2/3"*) if [ ! -e "{tmp_path}/began" ]; then '
        f'touch "{tmp_path}/began"; sleep 600; fi;; esac\n'
    )
    options = ("--slurm-no-account", "--slurm-status-command", "squeue", "--latency-wait", "5")
    process = start("slurm", dataset, tmp_path / "out", program, *options)
    deadline = time.monotonic() + 120
    while not (tmp_path / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert (tmp_path / "began").exists()
    time.sleep(2)
    assert not (tmp_path / "out" / ".batch" / "shard-2-of-3.done").exists()
    jobs = running()  # two processors, two a job: one at a time
    assert len(jobs) == 1
    subprocess.run(["scancel", *jobs], check=True)
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    assert (tmp_path / "out" / "levels.tsv").read_bytes() == undisturbed
