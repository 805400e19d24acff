"""Each promise of the locked door, one by one."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import time
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

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
    assert running.process.wait(timeout=120) == 0


@pytest.mark.slow
def test_ctrl_c_stops_without_a_traceback(serve, read_only):
    import signal

    running = serve(read_only)
    running.enter()
    running.process.send_signal(signal.SIGINT)
    _, errors = running.process.communicate(timeout=120)
    assert running.process.returncode == 130
    assert "Traceback" not in errors


# --------------------------------------------------------------------------- a shared machine


def test_the_token_stands_in_no_command_line(serve, read_only, tmp_path):
    """The browser is given a file that its owner alone can read, and that leads to the page."""
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$@" > {seen}.new\n'
        f'f="${{1#file://}}"; ls -ld "$(dirname "$f")" "$f" >> {seen}.new; cat "$f" >> {seen}.new\n'
        f"mv {seen}.new {seen}\n"
    )
    browser.chmod(0o700)
    running = serve(read_only, browser=f"{browser} %s")
    for _ in range(200):
        if seen.exists():
            break
        time.sleep(0.05)
    named, folder, page, content = seen.read_text().split("\n", 3)
    assert named.startswith("file:///")
    assert running.token not in named
    assert folder.startswith("drwx------")
    assert page.startswith("-rw-------")
    assert f"url=http://127.0.0.1:{running.port}/?token={running.token}" in content
    running.enter()
    assert not Path(named.removeprefix("file://")).exists()  # it has led somebody in


@pytest.mark.parametrize(
    "words",
    [
        b"",
        pytest.param(b"GET / HTTP/1.1\r\nHo", marks=pytest.mark.slow),
        pytest.param(b"GET /?token=x HTTP/1.1\r\n\r\n", marks=pytest.mark.slow),
    ],
)
def test_connections_of_others_do_not_lock_the_reviewer_out(serve, read_only, words):
    """Half as many again as may wait: the page answers at once, and the server lets them go."""
    running = serve(read_only)
    cookie = running.enter()
    kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=120)
    kept.request("GET", "/", headers={"cookie": cookie})
    kept.getresponse().read()
    began = time.monotonic()
    assert running.request("GET", "/study/sub-01/state", cookie=cookie)[0] == 200
    alone = time.monotonic() - began
    crowd = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(150)]
    try:
        for connection in crowd:
            with suppress(OSError):
                connection.sendall(words)
        began = time.monotonic()
        assert running.request("GET", "/study/sub-01/state", cookie=cookie)[0] == 200
        kept.request("GET", "/study/sub-01/state", headers={"cookie": cookie})  # never closed
        assert kept.getresponse().status == 200
        assert time.monotonic() - began < 3 + 20 * alone
        open_files = Path(f"/proc/{running.process.pid}/fd")
        if open_files.exists():
            assert _n_sockets(open_files) < 120
    finally:
        kept.close()
        for connection in crowd:
            connection.close()


def _n_sockets(folder):
    n = 0
    for path in folder.iterdir():
        with suppress(OSError):
            n += "socket" in str(path.readlink())
    return n


def test_a_stranger_has_seconds_and_the_oldest_goes_first():
    """By the clock of the loop: no server, no socket."""
    pytest.importorskip("uvicorn", reason="the extra 'review' is not installed")
    from mrs_disc.review.connections import Strangers
    from mrs_disc.review.security import Door

    gone = []

    class Caller:
        def __init__(self, name):
            self.transport = self
            self.name = name

        def abort(self):
            gone.append(self.name)

    async def run():
        strangers = Strangers(Door(8642), most=3, patience_s=0.05)
        callers = [Caller(n) for n in range(5)]
        for caller in callers:
            strangers.come(caller)
        assert gone == [0, 1]
        strangers.forget(callers[3])  # showed the cookie
        await asyncio.sleep(0.15)
        assert gone == [0, 1, 2, 4]
        assert len(strangers) == 0

    asyncio.run(run())


# --------------------------------------------------------------------------- what nobody types


ODD_VALUES = (
    '"level"',
    "[" * 39,
    "1e999",
    "9" * 39,
    "NaN",
    "null",
    "{}",
    "\ufb2c" * 13,
    "\udcff",
    "\0",
)


@pytest.mark.parametrize("name", ["act", "decision", "key", "head", "pfirrmann", "hiz", "\0"])
@pytest.mark.parametrize("value", ODD_VALUES)
def test_no_query_ends_in_an_error_of_the_server(opened, name, value):
    query = urlencode({name: value}, errors="surrogateescape")
    for address in ("concordance/L4-L5", "spectrum/L4-L5", "state", "summary", ""):
        answer = opened.get(f"/study/sub-01/{address}?{query}")
        assert answer.status_code < 500
    assert opened.get(f"/?{query}").status_code < 500


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[" * 31_000, b'{"format": ' + b"[" * 31_000, b"9" * 31_000, b"\xff\xfe", b"null"),
        *(b'{"format": 3}', b'{"format": "pdf\\u0000"}', b'{"act": "level", "act": "sign"}'),
        b'{"act": "sign", "reviewer": "\\ud800"}',
    ],
)
def test_no_body_ends_in_an_error_of_the_server(opened, body):
    headers = ORIGIN | {"content-type": "application/json"}
    for address in ("final", "acts"):
        answer = opened.client.post(f"/study/sub-01/{address}", content=body, headers=headers)
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("letter", ["\ufb2c", "\u0344", "\U0001d160", "a\u0301", "\u200d"])
@pytest.mark.parametrize("field", ["reviewer", "reason", "comment"])
@pytest.mark.parametrize("n", [27, 80, 200, 2000])
def test_no_text_grows_beyond_its_bound(app_of, dataset, letter, field, n):
    """Composed form of some letters is three times as long as what was typed."""
    opened = app_of(dataset)
    words = {"reviewer": "AB", "reason": "motion", "comment": ""} | {field: letter * n}
    answer = opened.act(act="level", key="L4-L5", decision="unsure", **words)
    assert answer.status_code in (200, 422)
    assert opened.state()["status"] in ("open", "not reviewed", "in review")
