"""Build the searchable site of the pages in .github/docs/ and of the notebooks, with no warning.

``python tests/tools/site.py -o FOLDER``; it takes ``pip install '.[site]'``. The settings stand in
``.github/mkdocs.yml``; the notebooks join here, as MkDocs takes pages from one folder alone.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site into a folder; a warning is an error."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        shutil.copytree(ROOT / ".github" / "docs", here / "docs")
        (here / "docs" / "notebooks").mkdir()
        nav = "  - Notebooks:\n"
        for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
            text = path.read_text(encoding="utf-8").replace("../.github/docs/", "../")
            (here / "docs" / "notebooks" / path.name).write_text(text, encoding="utf-8")
            nav += f"      - notebooks/{path.name}\n"
        settings = (ROOT / ".github" / "mkdocs.yml").read_text(encoding="utf-8")
        settings = re.sub(r"(?m)^  - search$", "  - search\n  - mkdocs-jupyter", settings)
        (here / "mkdocs.yml").write_text(settings + nav, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "-q",
            "-d",
            str(out.resolve()),
        ]
        environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build it; print what MkDocs says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "site")
    done = build(parser.parse_args(arguments).output)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
