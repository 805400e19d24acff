"""Make the picture of the review page in README, from the demo study in a real browser.

Run it in the project folder: ``python tests/tools/review_picture.py``. It needs selenium, Chromium
and its driver.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / ".github" / "pictures" / "review.png"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
SIZE = {"width": 1280, "height": 1400, "deviceScaleFactor": 1, "mobile": False}
COLOURS = 256


def main() -> None:
    """Analyse the demo study, open the review page, accept a level, take the picture."""
    from mrs_disc import analyze, read_study, write_report

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        write_report(analyze(read_study(ROOT / "sample_data" / "demo")), folder, formats=("json",))
        program = "from mrs_disc.cli import main; main()"
        server = subprocess.Popen(
            [sys.executable, "-c", program, "review", str(folder), "--no-browser"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            photograph(next(line for line in server.stdout if "http://" in line).split()[-1])
        finally:
            server.terminate()
            server.communicate(timeout=120)


def photograph(address: str) -> None:
    """Drive the page and save what it shows."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    driver = shutil.which("chromedriver")
    if driver is None:
        sys.exit("chromedriver is not installed: apt-get install chromium chromium-driver")
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
        browser.get(address)
        time.sleep(2)
        browser.find_element(By.ID, "reviewer").send_keys("A. Reader", Keys.ENTER)
        browser.switch_to.active_element.send_keys("a")
        browser.find_element(By.CSS_SELECTOR, "[name=overlay][value=L3-L4]").click()
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        time.sleep(9)  # what was saved is told for eight seconds
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        octree = Image.Quantize.FASTOCTREE  # keeps colours that are rare, as thin lines are
        picture.quantize(COLOURS, octree, dither=Image.Dither.NONE).save(OUT, optimize=True)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
