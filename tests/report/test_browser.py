"""The page in a real browser without a network: nothing asked, nothing blocked, all in view."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mrs_disc.report import write_report

selenium = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="chromium or its driver is absent"),
]


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    write_report(report, out, formats=("html",))
    return out / "report.html"


@pytest.fixture(scope="module")
def hostile_page(build, tmp_path_factory):
    """Fields of markup, formulas, direction marks, emoji and 300 letters without a blank."""
    nasty = "<b>x</b> =1+1 \u202eevil \u05e9\u05dc\u05d5\u05dd 😀 " + "x" * 300
    levels = [build.level("L4-L5", build.painful), build.failed("L5-S1", nasty)]
    report = build.report(levels, study_id=nasty, clinical={"indication": nasty})
    out = tmp_path_factory.mktemp("hostile")
    write_report(report, out, formats=("html",))
    return out / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    driver.get("about:blank")
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_the_page_stands_alone_and_fits(browser, page, width):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.set_window_size(width, 900)
    browser.get(page.as_uri())
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    assert browser.get_log("browser") == []
    sizes = browser.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert len(sizes) == 17  # overview, stack; spectrum, voxel and quality of five levels
    assert min(sizes) > 0
    overflow = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_on_a_telephone_pictures_can_be_read_and_captions_are_whole(browser, page):
    """Letters of 10 points in a picture of 820 shrink with it: what does not fit is scrolled."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        browser.get(page.as_uri())
        widths = browser.execute_script(
            "return [...document.querySelectorAll('figure img')].map(i => i.clientWidth)"
        )
        assert min(widths) >= 540
        right = browser.execute_script(
            "return [...document.querySelectorAll('caption span, figcaption')]"
            ".map(c => c.getBoundingClientRect().right)"
        )
        assert len(right) > 10
        assert max(right) <= 400
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_hostile_fields_neither_run_nor_push_the_page_wide(browser, hostile_page, width):
    browser.set_window_size(width, 900)
    browser.get(hostile_page.as_uri())
    assert browser.get_log("browser") == []
    overflow = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    assert browser.execute_script("return document.querySelectorAll('dd b, h1 b').length") == 0


@pytest.mark.parametrize("name", ["page", "hostile_page"])
@pytest.mark.parametrize("width", [1280, 800, 400])
def test_axe_finds_no_violation(browser, request, name, width):
    """Rules of WCAG 2 and best practice, contrast among them, as axe-core checks them."""
    axe = Path(os.environ.get("MRS_DISC_AXE", "axe.min.js"))
    if not axe.is_file():
        pytest.skip("MRS_DISC_AXE does not name axe.min.js (npm pack axe-core)")
    browser.set_window_size(width, 900)
    browser.get(request.getfixturevalue(name).as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    browser.execute_script(axe.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document).then((r) => done([r.passes.length, r.violations.map((v) =>"
        " [v.id, v.nodes.map((n) => n.html.slice(0, 200))])]));"
    )
    assert found[0] > 20
    assert found[1] == []
