"""Build sdist and wheel, install the wheel alone, and run the tests on what was installed.

::

    python tests/tools/wheel_tests.py [--versions newest|lowest] [--python INTERPRETER]
                                      [--work FOLDER] [-- PYTEST...]

The tests run in a folder with everything of the project but the package, so that only the installed
one can be imported. `lowest` takes the lowest version of every library that pyproject.toml allows:
bounds that are too low show up here. Another Python on the machine is given by its path
(``--python ~/.pyenv/versions/3.13.0/bin/python``). It prints sizes, import times and the versions.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BESIDE = (
    "tests", "sample_data", "pipelines", "notebooks", ".github", ".ci",
    "README.md", "LICENSE", "pyproject.toml",
)  # fmt: skip
IMPORTS = ("mrs_disc", "mrs_disc.cli", "mrs_disc.io", "mrs_disc.analysis", "mrs_disc.report.html")


def call(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints; its messages go on to the terminal."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def build(work: Path) -> Path:
    """Build the sdist, and from it the wheel; return the wheel."""
    tools = work / "build"
    venv.create(tools, with_pip=True)
    call(tools / "bin" / "pip", "install", "-q", "build", "uv")
    call(tools / "bin" / "python", "-m", "build", "-q", "--outdir", work / "dist", ROOT)
    wheel = next((work / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        sizes = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    strange = [
        name
        for name in sizes
        if not name.startswith(("mrs_disc/", "mrs_disc-"))
        or "__pycache__" in name
        or "/tests/" in name
    ]
    assert not strange, f"files in the wheel that a user does not need: {strange}"
    assert "mrs_disc/py.typed" in sizes
    has_kernel = "mrs_disc/signal/fit/_kernel.so" in sizes
    assert has_kernel == (not wheel.name.endswith("-none-any.whl")), "the tag says what is in it"
    say("with the compiled kernel" if has_kernel else "pure: no C compiler was found")
    sdist = next((work / "dist").glob("*.tar.gz"))
    say(f"{sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB")
    say(
        f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {len(sizes)} files, "
        f"{sum(sizes.values()) / 1e6:.1f} MB installed"
    )
    return wheel


def install(work: Path, wheel: Path, versions: str, interpreter: str) -> Path:
    """Install the wheel with its test extra into a new environment; return its Python."""
    python = work / versions / "bin" / "python"
    uv = work / "build" / "bin" / "uv"
    resolution = {"newest": "highest", "lowest": "lowest-direct"}[versions]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = (*re.findall(r"\w+", extras["all"][0].partition("[")[2]), "test")
    wanted = [*project["dependencies"], *(line for name in names for line in extras[name])]
    direct = work / "direct.txt"  # a bound counts as lowest only where it is asked for directly
    direct.write_text("\n".join(line for line in wanted if not line.startswith("mrs-disc")))
    call(uv, "venv", "-q", "--no-python-downloads", "--python", interpreter, work / versions)
    pip = (uv, "pip", "install", "-q", "--python", python)
    call(*pip, "--resolution", resolution, "-r", direct)
    call(*pip, "--no-deps", wheel)
    say(call(uv, "pip", "list", "-q", "--python", python, "--format", "freeze").replace("\n", "  "))
    return python


def import_times(python: Path, work: Path) -> None:
    """Print the processor time of imports, each the best of three fresh interpreters."""
    for module in IMPORTS:
        code = (
            f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        )
        best = min(float(call(python, "-c", code, cwd=work)) for _ in range(3))
        say(f"import {module}: {1000 * best:.0f} ms")


def test(python: Path, work: Path, versions: str, pytest: Sequence[str]) -> int:
    """Run the tests on the installed package; return the exit status."""
    place = work / f"tests-{versions}"
    place.mkdir()
    for name in BESIDE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place / name)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(pytest or ["tests"])]
    if versions == "lowest":  # old libraries warn of the newest ones below them: not ours to mend
        command += ["-o", "filterwarnings=default"]
    return subprocess.run(command, cwd=place, env=environment).returncode


def main() -> int:
    """Build, install, measure, test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", choices=["newest", "lowest"], default="newest")
    parser.add_argument(
        "--python", default=sys.executable, help="path of a Python; default: this one"
    )
    parser.add_argument("--work", type=Path, help="an empty folder; default: a new one")
    parser.add_argument("pytest", nargs="*", help="after --: what pytest is given; default: tests")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="mrs-disc-wheel-"))
    work.mkdir(parents=True, exist_ok=True)
    python = install(work, build(work), given.versions, given.python)
    import_times(python, work)
    return test(python, work, given.versions, given.pytest)


if __name__ == "__main__":
    sys.exit(main())
