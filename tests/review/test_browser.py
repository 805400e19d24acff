"""The real page in a real browser: read, compare, decide, sign, by keyboard and by mouse."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mrs_disc.record.node import NodeStatus, StudyState, write_status
from mrs_disc.record.overlay import read_review
from mrs_disc.record.review import read_log

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.select import Select  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """A page with the few words that the tests need."""

    def __init__(self, driver):
        self.driver = driver

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition, seconds=10):
        wait = WebDriverWait(
            self.driver, seconds, 0.02, ignored_exceptions=(StaleElementReferenceException,)
        )
        return wait.until(lambda _: condition())

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def leave(self):
        self.run("document.activeElement.blur()")

    def focused(self, attribute):
        return self.driver.switch_to.active_element.get_attribute(attribute)

    @property
    def drawn(self):
        return self.one("#plot").get_attribute("data-drawn") or ""

    @property
    def range(self):
        text = self.one("#plot").get_attribute("data-range") or "0.50 to 4.50"
        low, _, high = text.partition(" to ")
        return float(low), float(high)

    def open(self, address):
        self.driver.get(address)
        self.until(lambda: "token=" not in self.driver.current_url)
        self.until(lambda: self.all("#main"))
        self.until(lambda: self.run("return document.readyState") == "complete")

    def wait_for_spectrum(self, key):
        self.until(lambda: self.drawn.startswith(f"{key}:"))

    def severe(self):
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def size(self, width, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture
def browser(tmp_path):
    """Return a browser with a profile of its own."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("chromium and chromium-driver (Debian packages) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def test_the_page_opens_and_draws_without_an_error_or_an_outside_request(serve, folder, browser):
    running = serve(folder)
    browser.open(running.address)
    browser.wait_for_spectrum("L5-S1")  # the likely painful level is shown first
    assert browser.severe() == []
    assert "not reviewed" in browser.one("#state").text
    asked = [
        message["params"]["request"]["url"]
        for entry in browser.driver.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    ours = f"http://127.0.0.1:{running.port}/"
    assert any(url.startswith(ours) for url in asked)
    assert [url for url in asked if url.startswith(("http", "ws")) and ours not in url[:40]] == []


def test_an_accepted_level_keeps_no_reason_of_its_rejection(serve, folder, browser):
    browser.open(serve(folder).address)
    browser.wait_for_spectrum("L5-S1")
    browser.one("#reviewer").send_keys("AB", Keys.ENTER)
    form = 'form.decision[data-key="L5-S1"] '
    Select(browser.one(form + "[name=reason]")).select_by_visible_text("low signal")
    browser.one(form + "button[value=reject]").click()
    browser.until(lambda: "rejected" in browser.one("#decided-L5-S1").text)
    browser.one(form + "button[value=accept]").click()
    browser.until(lambda: "accepted" in browser.one("#decided-L5-S1").text)
    assert browser.one("#decided-L5-S1").text == "✓ accepted by AB"
    assert read_review(folder).level("L5-S1", 1).reason == ""


@pytest.mark.slow
def test_a_study_is_read_and_signed_by_keyboard_alone(serve, dataset, browser):
    browser.open(serve(dataset).address)
    browser.press("/", "sub-02")
    browser.until(lambda: [e.text for e in browser.all("a.open")] == ["sub-02"])
    browser.press(Keys.ARROW_DOWN, Keys.ENTER)
    browser.until(lambda: "/study/sub-02" in browser.driver.current_url)
    browser.wait_for_spectrum("L5-S1")

    browser.press("a")  # what is out of view is shown, not decided on
    assert "shown now" in browser.one("#message").text
    browser.press("a")  # without a name nothing is saved, and the name is asked for
    assert browser.focused("id") == "reviewer"
    browser.press("Ä. B.", Keys.ENTER, "a")
    browser.until(lambda: "accepted by Ä. B." in browser.one("#summary").text)
    assert browser.one("#saved").text.startswith("L5-S1 accepted: saved at ")

    browser.press("3")
    browser.wait_for_spectrum("L4-L5")
    browser.press("c", "doublet <b>not</b> credible 😀 עברית", Keys.ESCAPE)
    browser.press("r")  # a reason is asked for, in the field that has the focus now
    assert browser.focused("name") == "reason"
    browser.press("f", Keys.ESCAPE, "r")  # fit does not follow the data
    browser.until(lambda: "rejected by Ä. B.: fit" in browser.one("#decided-L4-L5").text)
    assert "doublet <b>not</b> credible 😀 עברית" in browser.one("#history").text
    assert "L4-L5 indeterminate (rejected by the reviewer" in browser.one("#summary").text
    details = browser.one(".details[data-key='L4-L5']").text
    assert "Score of L4-L5: indeterminate\nrejected by the reviewer: fit does" in details
    voxel = browser.one(".voxel[data-key='L4-L5']").get_attribute("class")
    assert voxel == "voxel indeterminate rejected current"

    browser.press("2", "m", "I", Keys.TAB, "2")
    text = "#concordance-L3-L4"
    browser.until(lambda: "not saved yet" in browser.one(text).text)
    browser.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    browser.until(lambda: "Modic 2" in browser.one(text).text and "(" not in browser.one(text).text)

    browser.press("s")
    browser.until(lambda: browser.one("#sign").is_displayed())
    assert [e.text for e in browser.all("#undecided li")] == ["L3-L4"]
    browser.press(Keys.ENTER)  # the name of a signature is typed each time
    assert not read_review(dataset / "sub-02").signed
    browser.press("Ä. B.", Keys.ENTER)
    browser.until(lambda: "reviewed by Ä. B. on" in browser.one("#state").text)
    assert browser.one("#open-sign").text == "Final report…"
    review = read_review(dataset / "sub-02")
    assert (review.signed, review.signed_by, review.n_acts) == (True, "Ä. B.", 4)

    browser.press(Keys.ESCAPE, "i")
    browser.until(lambda: browser.all("#found"))
    assert "rejected" in browser.one("#found").text
    assert "signed" in browser.one("#found").text
    assert browser.severe() == []


@pytest.mark.slow
def test_the_spectrum_zooms_reads_and_compares(serve, folder, browser):
    browser.open(serve(folder).address)
    browser.wait_for_spectrum("L5-S1")
    over = browser.one("#main-plot .u-over")
    width = over.size["width"]

    drag = ActionChains(browser.driver)
    drag.move_to_element_with_offset(over, -width // 4, 0).click_and_hold()
    drag.move_by_offset(width // 2, 0).release().perform()
    low, high = browser.range  # the axis is reversed: the left quarter of 4.5 to 0.5 is 3.5
    assert (low, high) == (pytest.approx(1.5, abs=0.05), pytest.approx(3.5, abs=0.05))
    browser.one("#reset").click()
    assert browser.range == (0.5, 4.5)

    ActionChains(browser.driver).move_to_element(over).perform()
    browser.until(lambda: browser.one("#readout").text.startswith("2.5"))
    assert " ppm: data " in browser.one("#readout").text
    assert "× noise" in browser.one("#readout").text

    browser.press("v", Keys.ARROW_LEFT)
    before = browser.run("return document.getElementById('spoken').textContent")
    browser.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    after = browser.run("return document.getElementById('spoken').textContent")
    assert float(after.split(" ppm")[0]) > float(before.split(" ppm")[0])
    browser.press("+")
    assert browser.range[1] - browser.range[0] < 4
    browser.press("0")
    assert browser.range == (0.5, 4.5)
    browser.leave()

    def spoken_names():
        browser.press("v", Keys.ARROW_LEFT)
        browser.leave()
        return browser.run("return document.getElementById('spoken').textContent")

    assert " LAC " in spoken_names()
    browser.press("x")
    assert " LAC " not in spoken_names()
    browser.press("d", "f")
    assert " data " not in spoken_names()
    assert " fit " not in spoken_names()
    browser.press("d", "f", "o")
    browser.until(lambda: browser.drawn == "L5-S1:0:real:2")
    assert "L3-L4" in spoken_names()
    browser.press("g")
    browser.until(lambda: ":magnitude:" in browser.drawn)
    browser.press("]", "]")
    browser.until(lambda: browser.drawn == "L5-S1:1:magnitude:2")
    assert "no number changes" in browser.one("#scale").text
    browser.press("l", "LAC", Keys.ESCAPE)  # typed into the choice of lines
    low, high = browser.range
    assert (low + high) / 2 == pytest.approx(1.31, abs=0.03)
    assert 0.7 <= high - low < 1.2  # all that is high of the component, and 0.35 ppm beside it

    browser.press("1")
    assert "not measured" in browser.one(".panel[data-key='L2-L3']").text
    assert not browser.one("#drawing").is_displayed()
    assert browser.severe() == []


@pytest.mark.slow
def test_the_later_window_is_told_and_keeps_what_was_typed(serve, folder, browser):
    browser.open(serve(folder).address)
    browser.wait_for_spectrum("L5-S1")
    browser.run("localStorage.setItem('mrs-disc reviewer', 'AB')")
    address = browser.driver.current_url.partition("#")[0]
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.driver.get(address)
    browser.wait_for_spectrum("L5-S1")
    second = browser.driver.current_window_handle
    browser.press("c", "seen in the second window")
    browser.driver.switch_to.window(first)
    browser.driver.refresh()
    browser.wait_for_spectrum("L5-S1")
    browser.press("v", "a")
    browser.until(lambda: "accepted by AB" in browser.one("#summary").text)

    browser.driver.switch_to.window(second)
    browser.leave()
    form = browser.one(".panel[data-key='L5-S1'] form.decision")
    Select(form.find_element(By.NAME, "reason")).select_by_visible_text("low signal")
    form.find_element(By.CSS_SELECTOR, "button[value=reject]").click()
    browser.until(lambda: "yours is not saved" in browser.one("#message").text)
    browser.until(lambda: "accepted by AB" in browser.one("#summary").text)
    comment = form.find_element(By.NAME, "comment")
    assert comment.get_attribute("value") == "seen in the second window"
    assert len(read_log(folder).acts) == 1
    form.find_element(By.CSS_SELECTOR, "button[value=reject]").click()
    browser.until(lambda: "rejected by AB" in browser.one("#summary").text)
    assert [a.decision for a in read_log(folder).acts] == ["accept", "reject"]


@pytest.mark.slow
def test_two_decisions_in_a_row_are_both_saved_and_a_dead_server_is_told(serve, folder, browser):
    running = serve(folder)
    browser.open(running.address)
    browser.wait_for_spectrum("L5-S1")
    browser.run("document.getElementById('reviewer').value = 'AB'")
    browser.press("v", "a", "2", "a", "3", "a")  # faster than any answer
    browser.until(lambda: len(read_log(folder).acts) == 3)
    browser.until(lambda: "line 3 of the log" in browser.one("#saved").text)
    assert [a.level for a in read_log(folder).acts] == ["L5-S1", "L3-L4", "L4-L5"]
    running.process.kill()
    running.process.wait()
    browser.press("a")
    browser.until(lambda: "not confirmed as saved" in browser.one("#message").text)
    assert browser.one("#saved").text == ""
    assert len(read_log(folder).acts) == 3


@pytest.mark.slow
def test_a_second_browser_with_the_same_address_stays_outside(serve, folder, browser):
    running = serve(folder)
    running.enter()
    browser.driver.get(running.address)
    assert "This page is closed" in browser.driver.page_source


@pytest.mark.slow
@pytest.mark.parametrize(("width", "zoom"), [(1280, 1), (800, 1), (1280, 2), (1280, 4)])
def test_nothing_is_cut_off_at_any_width(serve, dataset, browser, width, zoom):
    """200 % zoom of a 1280-pixel window is a window of 640 pixels to the page."""
    browser.size(width // zoom)
    browser.open(serve(dataset).address)
    seen = "return [document.documentElement.scrollWidth, window.innerWidth]"
    inner, outer = browser.run(seen)
    assert inner <= outer
    browser.all("a.open")[0].click()
    browser.until(lambda: browser.all("#plot canvas"))
    inner, outer = browser.run(seen)
    assert inner <= outer
    captions = "return [...document.querySelectorAll('caption span')].filter(c => c.clientWidth)"
    rights = browser.run(f"{captions}.map(c => c.getBoundingClientRect().right)")
    assert rights
    assert max(rights) <= outer


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_violation(serve, dataset, browser, scheme):
    axe = Path(os.environ.get("MRS_DISC_AXE", "axe.min.js"))
    if not axe.is_file():
        pytest.skip("MRS_DISC_AXE does not name axe.min.js (npm pack axe-core)")
    browser.scheme(scheme)
    states = (StudyState(key="sub-01", state="sent"), StudyState(key="study-x", state="failed"))
    write_status(
        dataset,
        NodeStatus(
            time="2026-01-31T09:30:00Z", pid=1, ae_title="NODE", address="x:1", studies=states
        ),
    )
    address = serve(dataset).address

    def violations():
        browser.run(axe.read_text(encoding="utf-8"))
        return browser.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document).then((r) => done(r.violations.map((v) =>"
            " [v.id, v.nodes.map((n) => n.html.slice(0, 200))])));"
        )

    browser.driver.get(address.replace("token=", "token=x"))
    assert "This page is closed" in browser.one("h1").text
    assert violations() == []
    browser.open(address)
    assert violations() == []
    browser.driver.get(address.partition("?")[0] + "node")
    assert "1 failed" in browser.one("main").text
    assert violations() == []
    browser.driver.back()
    browser.driver.get(address.partition("?")[0] + "study/nobody")
    assert "no such study" in browser.one("main").text
    assert violations() == []
    browser.driver.back()
    browser.all("a.open")[0].click()
    browser.until(lambda: browser.all("#plot canvas"))
    browser.run("localStorage.setItem('mrs-disc reviewer', 'AB')")
    browser.driver.refresh()
    browser.until(lambda: browser.all("#plot canvas"))
    browser.press("v", "o", "a")
    browser.until(lambda: "accepted by AB" in browser.one("#summary").text)
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert violations() == []
    browser.one("[data-write=impression]").click()
    assert violations() == []
    browser.one("#writing-text").send_keys("In my words. ")
    browser.one("#writing-form button[type=submit]").click()
    browser.until(lambda: "written by AB" in browser.one("#summary").text)
    browser.one("[data-write=addendum]").click()
    assert violations() == []
    browser.one("#writing [data-close]").click()
    for key in ("s", "?"):
        browser.leave()
        browser.press(key)
        browser.until(lambda: browser.all("dialog[open]"))
        assert violations() == []
        browser.press(Keys.ESCAPE)


@pytest.mark.slow
def test_every_field_shows_where_the_focus_is(serve, folder, browser):
    browser.open(serve(folder).address)
    browser.wait_for_spectrum("L5-S1")
    browser.leave()
    seen = set()
    for _ in range(90):
        browser.press(Keys.TAB)
        name, shown = browser.run(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "return [e.tagName + '#' + e.id + '.' + e.className + e.name + e.value,"
            " s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]"
        )
        if name.startswith("BODY"):
            break
        seen.add(name)
        assert shown, name
    assert len(seen) > 40


@pytest.mark.slow
def test_an_impression_is_written_and_a_level_corrected_on_the_page(serve, folder, browser):
    browser.open(serve(folder).address)
    browser.wait_for_spectrum("L5-S1")
    browser.one("[data-write=impression]").click()
    text = browser.one("#writing-text")
    assert "L5-S1" in text.get_attribute("value")  # the automatic text, to begin from
    text.clear()
    text.send_keys("L5-S1 is the likely source.")
    browser.one("#writing-form button[type=submit]").click()
    assert "name or initials" in browser.one("#writing .form-error").text
    browser.one("#writing-name").send_keys("AB")
    browser.one("#writing-form button[type=submit]").click()
    browser.until(lambda: "written by AB" in browser.one("#summary").text)
    assert not browser.one("#writing").is_displayed()

    form = ".panel[data-key='L5-S1'] "
    browser.one(form + ".correct summary").click()
    Select(browser.one(form + "[name=to]")).select_by_visible_text("L4-L5")
    browser.one(form + ".correction button").click()
    assert "Say why" in browser.one(form + ".correction .form-error").text
    browser.one(form + ".correction [name=reason]").send_keys("counted from T12")
    browser.one(form + ".correction button").click()
    browser.until(lambda: browser.all(".panel[data-key='L5-S1'][data-title='L4-L5']"))
    browser.wait_for_spectrum("L5-S1")
    assert browser.one("#spectrum-title").text == "Spectrum of L4-L5"
    assert read_review(folder).names["L5-S1"].now == "L4-L5"
    assert browser.severe() == []
