"""Every example that a command's help shows works on sample_data, in the order of the help."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mrs_disc.cli import cli, run
from mrs_disc.record.node import NodeStatus, write_status

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from mrs_disc.cli import main; main()"]


def commands(group: click.Group) -> list[click.Command]:
    """Return the commands with their sub-commands, in the order of the help."""
    context = click.Context(group)
    found: list[click.Command] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command) if isinstance(command, click.Group) else [command]
    return found


def examples() -> list[str]:
    """Return the examples of each command, each on one line."""
    found = []
    for command in commands(cli):
        lines = re.findall(r"Example: (mrs-disc (?:.+\n?)+?)(?:\n|$)", command.help or "")
        assert lines, f"{command.name} --help shows no example"
        found += [" ".join(line.split()) for line in lines]
    return found


@pytest.mark.slow
def test_every_example_of_the_help_works_on_the_sample_data(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    write_status(tmp_path / "node" / "results", NodeStatus(time="2026-01-31T09:30:00Z", pid=0))
    shown = examples()
    assert len(shown) > 18
    for example in shown:
        words, _, kept = example.partition(" > ")
        words = shlex.split(words)[1:]
        if words[0] == "review":
            serve_and_stop(words)
        elif words[0] in ("send", "fetch"):
            continue  # want an archive: tests/node/test_orthanc.py has one
        else:
            assert run(words) == 0, f"{example}\n{capsys.readouterr().err}"
            if kept:
                Path(kept).write_text(capsys.readouterr().out)
    assert (tmp_path / "course" / "course.html").stat().st_size > 0
    assert (tmp_path / "cohort" / "roc.svg").stat().st_size > 0
    assert (tmp_path / "views" / "report.pdf").read_bytes().startswith(b"%PDF")


def serve_and_stop(words):
    """Start the page in a process of its own, read its address, and press Ctrl+C."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    command = [*PROGRAM, *words, "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert "http://127.0.0.1" in server.stdout.readline()
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=120)
    assert server.returncode in (0, 130)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mrs-disc ana", "analyze"),
        ("mrs-disc analyze --over", "--overwrite"),
        ("mrs-disc analyze -r press_1", "press_1p5t_te35"),
        ("mrs-disc report --format pd", "pdf"),
        ("mrs-disc model show acid", "acidity_structure"),
        ("mrs-disc simulate --as sd", "sdat"),
    ],
)
def test_the_shell_completes_commands_options_and_names(typed, offered):
    words = typed.split()
    environment = {
        **os.environ,
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_MRS_DISC_COMPLETE": "bash_complete",
    }
    done = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [f"plain,{offered}"]


@pytest.mark.parametrize(
    ("arguments", "next_command"),
    [
        (["analyze", "sample_data/bids", "-o", "out"], "run 'batch'"),
        (["analyze", "sample_data/lumbar_sdat/L4-L5_act.SDAT", "-o", "out"], "mrs-disc init"),
        (["analyze", "empty", "-o", "out"], "mrs-disc init"),
        (["analyze", "results", "-o", "empty/../results"], "own folder is never written to"),
        (["analyze", "results/results.json", "-o", "results"], "own folder is never written to"),
        (["analyze", "results", "-o", "out"], "'mrs-disc report' renders them again"),
        (["batch", "sample_data/lumbar_sdat", "-o", "out"], "run 'mrs-disc analyze' on it"),
        (["batch", "sample_data/lumbar_dicom", "-o", "out"], "run 'mrs-disc analyze' on it"),
        (["batch", "sample_data/bids/sub-01", "-o", "out"], "run 'mrs-disc analyze' on it"),
        (["batch", "results/results.json", "-o", "out"], "name the folder of the dataset"),
        (["collect", "nowhere"], "'mrs-disc batch' makes it"),
        (["collect", "empty"], "'mrs-disc batch' writes them"),
        (["report", "sample_data/demo", "-o", "out"], "'mrs-disc analyze' writes it"),
        (["compare", "empty", "sample_data", "-o", "out"], "'mrs-disc analyze' writes it"),
        (["review", "empty"], "mrs-disc analyze or batch"),
        (["init", "empty"], "'mrs-disc info FILE' tells"),
        (["init", "sample_data/demo"], "'mrs-disc info sample_data/demo' checks it"),
        (["recipe", "check", "my.toml"], "'mrs-disc recipe show > my.toml' writes one"),
        (["model", "calibrate", "empty", "-o", "x.toml"], "levels.tsv"),
    ],
)
def test_an_error_says_what_to_do_next(arguments, next_command, tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    (tmp_path / "empty").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "results.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    assert next_command in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
