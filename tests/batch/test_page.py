"""The page over all results in a real browser: sorted, filtered, on wide and narrow windows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mrs_disc.batch.collect import collect_results

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.by import By  # noqa: E402

pytestmark = pytest.mark.slow
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="module")
def out(canned_result, tmp_path_factory) -> Path:
    """Three studies with results of their own, one that failed, and tables over them."""
    out = tmp_path_factory.mktemp("page") / "out"
    for n, score in enumerate((0.9, None, 0.1), start=1):
        folder = out / f"sub-{n:02d}"
        folder.mkdir(parents=True)
        record = json.loads(canned_result.read_text())
        record["levels"][1]["score"] |= {"value": score}
        if score is None:
            record["levels"][1]["score"] |= {"low": None, "high": None, "label": "indeterminate"}
        (folder / "results.json").write_text(json.dumps(record))
    (out / "sub-01" / "report.html").write_text("<!doctype html><title>report</title>")
    (out / "sub-04").mkdir()
    why = {"stage": "read", "message": "there is <b>nothing</b> " + "to be read " * 30}
    (out / "sub-04" / "failure.json").write_text(json.dumps(why))
    collect_results(out)
    return out


@pytest.fixture
def browser(tmp_path):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromium-driver (Debian packages) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def column(browser, n: int) -> list[str]:
    """Return the words of a column in the rows that are shown."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#discs-table tbody tr")
    shown = [row for row in rows if row.is_displayed()]
    return [row.find_elements(By.CSS_SELECTOR, "td")[n].text for row in shown]


def click(browser, head: str) -> str:
    """Click on the head of a column and return in which order it says to be."""
    cells = browser.find_elements(By.CSS_SELECTOR, "#discs-table thead th")
    cell = next(cell for cell in cells if cell.text == head)
    cell.find_element(By.TAG_NAME, "button").click()
    return cell.get_attribute("aria-sort")


def test_rows_are_sorted_by_number_and_filtered(out, browser):
    browser.get((out / "index.html").as_uri())
    assert column(browser, 0)[:4] == ["sub-01"] * 3 + ["sub-02"]
    assert click(browser, "Score") == "ascending"
    scores = column(browser, 3)
    assert scores[0] == "–", "what has no score stands first"
    numbers = [float(text) for text in scores if text != "–"]
    assert numbers == sorted(numbers)
    assert click(browser, "Score") == "descending"
    assert column(browser, 3) == scores[::-1]
    click(browser, "Level")
    assert column(browser, 1) == ["L3-L4"] * 3 + ["L4-L5"] * 3 + ["L5-S1"] * 3
    browser.find_element(By.ID, "filter").send_keys("SUB-02")
    assert set(column(browser, 0)) == {"sub-02"}
    assert browser.find_element(By.ID, "count").text == "3 rows"
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_on_usual_windows(out, browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get((out / "index.html").as_uri())
    page = "return document.documentElement.scrollWidth"
    assert browser.execute_script(page) <= width
    for table in browser.find_elements(By.CSS_SELECTOR, ".scroll"):
        wide = "return arguments[0].scrollWidth - arguments[0].clientWidth"
        assert browser.execute_script(wide, table) <= 0, table.get_attribute("aria-labelledby")


def test_every_link_leads_to_a_file(out, browser):
    browser.get((out / "index.html").as_uri())
    links = browser.find_elements(By.CSS_SELECTOR, "a")
    places = {link.get_attribute("href").removeprefix(out.as_uri() + "/") for link in links}
    assert {"sub-01/report.html", "sub-02/results.json", "levels.tsv", "failures.tsv"} <= places
    assert not [place for place in places if not (out / place.partition("#")[0]).exists()]
    assert "1 study and 0 single discs failed" in browser.find_element(By.TAG_NAME, "header").text
    assert "<b>nothing</b>" in browser.find_element(By.CSS_SELECTOR, "main").text
