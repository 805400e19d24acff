"""Make the pictures of the report in README: the page's first screen and page 1 of the PDF.

Run it in the project folder: ``python tests/tools/report_pictures.py``. It needs Chromium; the date
on the pictures is fixed, so that they change only when the report does.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / ".github" / "pictures"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


def main() -> None:
    """Analyse the demo study, and take both pictures of its report."""
    os.environ["SOURCE_DATE_EPOCH"] = "1767225600"  # 2026-01-01
    from mrs_disc import analyze, read_study, write_report
    from mrs_disc.record.file import read_results
    from mrs_disc.record.signals import read_signals
    from mrs_disc.report import today
    from mrs_disc.report.content import View
    from mrs_disc.report.pdf import page_png

    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = analyze(read_study(ROOT / "sample_data" / "demo"))
        write_report(report, folder / "out", formats=("json", "html"))
        page = folder / "page.png"
        subprocess.run(
            [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,1500",
             f"--screenshot={page}", (folder / "out" / "report.html").as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        save(page.read_bytes(), OUT / "report_html.png")
        results = read_results(folder / "out" / "results.json")
        signals = read_signals(folder / "out" / "signals.npz", results.files.signals.sha256)
        view = View(results=results, signals=signals, written=today())
        save(page_png(view, view.content), OUT / "report_pdf.png")


def save(content: bytes, path: Path) -> None:
    """Save a picture with 192 colours: half of the size, and enough for text and lines."""
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(192).save(path, optimize=True)
    print(path.relative_to(ROOT))  # noqa: T201


if __name__ == "__main__":
    main()
