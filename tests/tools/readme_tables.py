"""Write the measured tables of README anew, between their marks.

``python tests/tools/readme_tables.py [--discs 1000] [--seed 7]`` runs `mrs-disc validate`, and puts
its output with date and machine into README.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import os
import platform
import re
from pathlib import Path

from mrs_disc.cli import run

README = Path(__file__).resolve().parents[2] / "README.md"


def processor() -> str:
    """Return the processor's name and the number of cores."""
    names = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def output_of(arguments: list[str]) -> str:
    """Return what a command prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = run(arguments)
    assert status in (0, 3), arguments
    return text.getvalue().rstrip()


def fill(readme: str, name: str, content: str) -> str:
    """Return README with the part between the marks of `name` replaced."""
    pattern = re.compile(rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    assert pattern.search(readme), name
    return pattern.sub(lambda marks: f"{marks[1]}{content}\n{marks[2]}", readme)


def stamped(command: list[str]) -> str:
    """Return what a command prints, with when and where it ran."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    shown = " ".join(word if "/" not in word else "FOLDER" for word in command)
    return (
        f"`mrs-disc {shown}`, {today}, {processor()}; written by `tests/tools/readme_tables.py`."
        f"\n\n```text\n{output_of(command)}\n```"
    )


def main() -> None:
    """Run what was asked for and write its table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--discs", default="1000")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--challenge", help="folder of the public challenge: only that table")
    options = parser.parse_args()
    name, command = "accuracy", ["validate", "--scope", "fit"]
    command += ["--discs", options.discs, "--seed", options.seed]
    if options.challenge:
        name, command = "challenge", ["validate", "--challenge", options.challenge]
    README.write_text(fill(README.read_text(), name, stamped(command)))


if __name__ == "__main__":
    main()
