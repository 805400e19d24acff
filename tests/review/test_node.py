"""The page of a node: what it is at, for each study, without a word of who."""

from __future__ import annotations

import re

from mrs_disc.record.node import Delivery, NodeStatus, StudyState, write_status

NOW = "2026-01-31T09:30:00Z"


def status(*studies, pid=1, time=NOW):
    return NodeStatus(time=time, pid=pid, ae_title="MRS_DISC", address="x:1", studies=studies)


def test_every_state_is_counted_and_a_failure_says_why(app_of, dataset):
    lost = Delivery(
        kind="preliminary", destination="pacs", files=("a",), sha256=("b",), state="dead",
        attempts=3, reason="pacs <b>cannot</b> be reached",
    )  # fmt: skip
    write_status(
        dataset,
        status(
            StudyState(key="sub-01", state="sent", n_objects=180, first=NOW, last=NOW),
            StudyState(
                key="study-x", state="failed", reason="no <i>", deliveries=(lost,), last=NOW
            ),
        ),
    )
    opened = app_of(dataset)
    page = opened.get("/node").text
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert "1 sent" in words
    assert "1 failed" in words
    assert "preliminary to pacs: given up after 3 attempts" in words
    assert "no &lt;i&gt;" in page
    assert "&lt;b&gt;cannot" in page
    assert '<a href="/study/sub-01">' in page
    assert 'href="/node"' in opened.get("/").text
    part = opened.get("/node", headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert "1 sent" in re.sub(r"<[^>]+>", "", part)


def test_a_node_that_stopped_or_fell_silent_is_told(app_of, dataset):
    write_status(dataset, status(pid=0))
    assert "has stopped" in app_of(dataset).get("/node").text
    write_status(dataset, status())
    assert "is silent" in app_of(dataset).get("/node").text


def test_a_node_without_results_has_a_page_too(app_of, tmp_path):
    write_status(tmp_path / "node" / "results", status())
    opened = app_of(tmp_path / "node")
    assert opened.get("/").status_code == 200
    assert "Nothing has arrived yet" in opened.get("/node").text


def test_without_a_node_there_is_no_such_page(app_of, dataset):
    opened = app_of(dataset)
    assert opened.get("/node").status_code == 404
    assert "/node" not in opened.get("/").text


def test_strangers_do_not_see_it(app_of, dataset):
    write_status(dataset, status())
    assert app_of(dataset).stranger.get("/node").status_code == 403
