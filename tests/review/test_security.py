"""Each promise of the locked door, one by one."""

from __future__ import annotations

import re
import socket
from html.parser import HTMLParser

import pytest

from mrs_disc.review.security import MAX_BODY, POLICY

ORIGIN = {"origin": "http://127.0.0.1:8642"}
PAGES = ("/", "/study/sub-01", "/study/sub-01/summary", "/study/sub-01/state")
ADDRESSES = (
    *PAGES,
    "/study/sub-01/spectrum/L4-L5",
    "/study/sub-01/concordance/L4-L5",
    "/study/sub-01/anatomy",
    "/study/sub-01/final/report.pdf",
    "/static/study.js",
    "/nothing",
)


@pytest.fixture(scope="module")
def opened(app_of, read_only):
    return app_of(read_only)


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_cookie_every_address_is_closed(opened, address):
    answer = opened.stranger.get(address)
    assert answer.status_code == 403
    assert "sub-01" not in answer.text


def test_the_token_opens_once_and_becomes_a_strict_cookie(app_of, dataset):
    opened = app_of(dataset, enter=False)
    answer = opened.client.get(f"/?token={opened.door.token}")
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 200
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert opened.door.token not in cookie
    assert opened.client.get("/").status_code == 200
    assert opened.stranger.get(f"/?token={opened.door.token}").status_code == 403
    assert opened.client.get(f"/?token={opened.door.token}").status_code == 200  # the same browser


@pytest.mark.parametrize("token", ["", "wrong", "x" * 43])
def test_a_wrong_token_does_not_open_and_does_not_use_up_the_right_one(app_of, dataset, token):
    opened = app_of(dataset, enter=False)
    assert opened.client.get(f"/?token={token}").status_code == 403
    assert "set-cookie" not in opened.client.get(f"/?token={token}").headers
    assert opened.client.get(f"/?token={opened.door.token}").status_code == 200


def test_a_token_at_another_address_opens_nothing(app_of, dataset):
    opened = app_of(dataset, enter=False)
    assert opened.client.get(f"/study/sub-01?token={opened.door.token}").status_code == 403


def test_a_wrong_cookie_is_refused(opened):
    opened.stranger.cookies.set(opened.door.cookie, "x" * 43)
    assert opened.stranger.get("/").status_code == 403


def test_servers_on_two_ports_do_not_share_a_cookie():
    from mrs_disc.review.security import Door

    assert Door(8642).cookie != Door(8643).cookie


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8642", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.nip.io:8642"],
)
def test_a_foreign_host_is_refused(opened, host):
    assert opened.get("/", headers={"host": host}).status_code == 403


def test_a_foreign_origin_is_refused_for_reading_too(opened):
    assert opened.get("/", headers={"origin": "http://evil.example"}).status_code == 403
    assert opened.get("/", headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "https://127.0.0.1:8642"},
        {"origin": "http://127.0.0.1:8643"},
        ORIGIN | {"sec-fetch-site": "cross-site"},
        ORIGIN | {"sec-fetch-site": "same-site"},
    ],
)
def test_a_change_from_elsewhere_is_refused(opened, headers):
    answer = opened.client.post("/stop", json={}, headers=headers)
    assert answer.status_code == 403
    assert not opened.stopped


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""]
)
def test_only_json_is_accepted(opened, kind):
    answer = opened.client.post("/stop", content=b"{}", headers=ORIGIN | {"content-type": kind})
    assert answer.status_code == 415
    assert not opened.stopped


def test_a_large_body_is_refused(opened, read_only):
    answer = opened.post("/study/sub-01/acts", {"comment": "x" * MAX_BODY})
    assert answer.status_code == 413
    assert not (read_only / "sub-01" / "review.jsonl").exists()


def test_a_body_without_length_is_refused(opened):
    def parts():
        yield b"{}"

    headers = ORIGIN | {"content-type": "application/json"}
    assert opened.client.post("/stop", content=parts(), headers=headers).status_code == 411


def test_a_long_address_is_refused(opened):
    assert opened.get("/?q=" + "x" * 3000).status_code == 414


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(opened, method):
    assert opened.client.request(method, "/").status_code == 405


def test_changes_are_never_made_by_reading(opened):
    for address in ("/stop", "/study/sub-01/acts", "/study/sub-01/final"):
        assert opened.get(address).status_code == 405
    assert not opened.stopped


@pytest.mark.parametrize(
    "address",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/data.py",
        "/static/static%2freview.css",
        "/study/..%2f..%2fetc",
        "/study/sub-01%2f..%2fsub-02",
        "/study/%2e%2e",
        "/study/sub-01/final/..%2f..%2fresults.json",
        "/study/sub-01/final/results.json",
        "/study/sub-01/spectrum/..%2fL4-L5",
        "/study/derivatives",
    ],
)
def test_no_address_opens_a_file(opened, address):
    answer = opened.get(address)
    assert answer.status_code == 404
    assert "schema_version" not in answer.text
    assert "import" not in answer.text


def test_a_table_cannot_point_out_of_its_folder(app_of, dataset, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "results.json").write_text("{}")
    with (dataset / "levels.tsv").open("a") as file:
        file.write("../secret\tn/a\tL4-L5\t1\tok\tgood\tindeterminate\t0.5\t0.1\n")
        file.write("..\tsecret\tL4-L5\t1\tok\tgood\tindeterminate\t0.5\t0.1\n")
        file.write(".hidden\tn/a\tL4-L5\t1\tok\tgood\tindeterminate\t0.5\t0.1\n")
    text = app_of(dataset).get("/").text
    assert "sub-01" in text
    assert "secret" not in text
    assert ".hidden" not in text


@pytest.mark.parametrize("address", [*ADDRESSES, "/study/nobody", "/?q=" + "x" * 3000])
def test_every_answer_carries_the_strict_policy(opened, address):
    for client in (opened.client, opened.stranger):
        headers = client.get(address).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


class Inline(HTMLParser):
    """Collects what a strict policy would block, and addresses that are not ours."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.found.append(tag)
        for name, value in attrs:
            ours = re.match(r"^(/(?!/)|#|\?|$)", value or "")
            if name == "style" or name.startswith("on"):
                self.found.append((tag, name))
            if name in ("src", "href", "action") and not ours:
                self.found.append((tag, name, value))


@pytest.mark.parametrize("address", PAGES[:3])
def test_pages_hold_no_inline_script_or_style_and_nothing_from_outside(opened, address):
    parser = Inline()
    parser.feed(opened.get(address).text)
    assert not parser.found


def test_typed_markup_stays_text(app_of, dataset):
    opened = app_of(dataset)
    evil = '<img src=x onerror="alert(1)">'
    answer = opened.act(
        act="level", key="L4-L5", decision="reject", reason=evil, comment=evil, reviewer=evil
    )
    assert answer.status_code == 200
    for address in PAGES[:3]:
        assert "<img" not in opened.get(address).text
    assert "<b>files" not in opened.get("/").text
    assert "&lt;b&gt;files" in opened.get("/").text


def test_an_error_says_nothing_of_the_machine(app_of, dataset):
    opened = app_of(dataset)
    (dataset / "sub-02" / "results.json").unlink()
    answer = opened.get("/study/sub-02")
    assert answer.status_code == 422
    assert str(dataset) not in answer.text


def test_the_real_server_listens_on_the_loopback_alone_keeps_the_door_and_can_be_stopped(
    serve, read_only
):
    running = serve(read_only)
    assert running.address.startswith("http://127.0.0.1:")
    other = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for host in {*other, "127.0.0.2"} - {"127.0.0.1"}:
        with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
            socket.create_connection((host, running.port), timeout=1)

    assert running.request("GET", "/")[0] == 403
    cookie, origin = running.enter(), f"http://127.0.0.1:{running.port}"
    status, headers, _ = running.request("GET", "/", cookie=cookie)
    assert status == 200
    assert "server" not in {name.lower() for name in headers}
    assert running.request("GET", "/", cookie=cookie, host="evil.example")[0] == 403
    assert running.request("GET", f"/?token={running.token}")[0] == 403

    post = {"cookie": cookie, "content_type": "application/json"}
    assert running.request("POST", "/stop", "{}", origin="http://evil.example", **post)[0] == 403
    assert running.process.poll() is None
    assert running.request("POST", "/stop", "{}", origin=origin, **post)[0] == 200
    assert running.process.wait(timeout=15) == 0


@pytest.mark.slow
def test_ctrl_c_stops_without_a_traceback(serve, read_only):
    import signal

    running = serve(read_only)
    running.enter()
    running.process.send_signal(signal.SIGINT)
    _, errors = running.process.communicate(timeout=15)
    assert running.process.returncode == 130
    assert "Traceback" not in errors
