"""The configuration, and what a person asks of a node from the command line."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tomllib
import urllib.error
import urllib.request

import pytest

from mrs_disc.cli import run
from mrs_disc.errors import InputError
from mrs_disc.node.config import (
    TEMPLATE,
    Listen,
    NodeConfig,
    Tls,
    load_config,
    parse_destination,
)
from mrs_disc.node.remote import RemoteError, send
from mrs_disc.record.node import NodeStatus, StudyState, write_status

from .conftest import instance
from .conftest import send as send_to

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_the_printed_configuration_says_the_defaults(tmp_path, capsys):
    assert run(["node", "config"]) == 0
    assert capsys.readouterr().out == TEMPLATE
    assert NodeConfig.model_validate(tomllib.loads(TEMPLATE)) == NodeConfig()


def test_every_option_of_the_printed_configuration_is_one(tmp_path):
    """With the marks of comments taken off, which stand before options alone."""
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()]
    for name in ("node.crt", "node.key", "site-ca.crt"):
        (tmp_path / name).write_text("")
    (tmp_path / "node.toml").write_text("\n".join(lines))
    config = load_config(tmp_path / "node.toml")
    assert config.folder == tmp_path / "mrs_disc_node"
    assert config.peer[0].addresses == ("192.168.1.20",)
    assert [one.name for one in config.destination] == ["pacs", "web"]
    assert config.listen.tls.key == tmp_path / "node.key"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[listen]\nhost = "0.0.0.0"', "name each sender as [[peer]]"),
        ('[listen]\nae_title = "SEVENTEEN_LETTERS"', "AE title of 1 to 16"),
        ('[[peer]]\nae_title = "A"\naddresses = ["scanner"]', "an IP address"),
        ('[[destination]]\nname = "a"\nurl = "http://x"\nport = 1', "not both"),
        ('[[destination]]\nname = "a"', "or url"),
        ('[[destination]]\nname = "a"\nurl = "http://u:p@x"', "pattern"),
        ('[listen.tls]\ncertificate = "absent.crt"', "there is no such file"),
        ("quite_s = 3", "Did you mean 'quiet_s'"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_one_line(tmp_path, capsys, text, told):
    (tmp_path / "node.toml").write_text(text)
    assert run(["node", "--config", str(tmp_path / "node.toml")]) == 2
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert not (tmp_path / "mrs_disc_node").exists()


@pytest.mark.parametrize("text", ["ORTHANC", "ORTHANC@host", "A@b:99999", "ftp://x", "", "http://"])
def test_what_is_no_address_is_told(text):
    with pytest.raises(InputError, match="AE@HOST:PORT"):
        parse_destination(text)


def test_status_and_retry_speak_of_studies_alone(tmp_path, capsys):
    studies = (
        StudyState(key="study-1", state="sent", n_objects=3, last="2026-01-31T09:30:00Z"),
        StudyState(key="study-2", state="failed", reason="read: holds no spectrum"),
    )
    status = NodeStatus(time="2026-01-31T09:31:00Z", pid=0, studies=studies)
    write_status(tmp_path / "node" / "results", status)
    words = ["-o", str(tmp_path / "node")]
    assert run(["node", "status", *words]) == 0
    said = capsys.readouterr()
    assert [line.split("\t")[:3] for line in said.out.splitlines()] == [
        ["study-1", "sent", "3"],
        ["study-2", "failed", "0"],
    ]
    assert "not running" in said.err
    assert run(["node", "status", *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["counts"]["failed"]) == (False, 1)
    assert run(["node", "retry", *words, "study-1"]) == 2
    assert "no study of this name failed" in capsys.readouterr().err
    assert run(["node", "retry", *words]) == 0
    assert [p.name for p in (tmp_path / "node" / "requests").iterdir()] == ["study-2"]


def test_health_is_answered_to_who_asks_for_it(node):
    started = node(health_port=0)
    url = f"http://127.0.0.1:{started.engine.health.port}"
    send_to(started.address, [instance()])
    started.turn(until="analysed")
    with urllib.request.urlopen(f"{url}/health") as answer:
        told = json.load(answer)
    assert (told["status"], told["analysed"]) == ("ok", 1)
    started.clock[0] += 200
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"{url}/health")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is absent")
def test_with_tls_who_has_no_certificate_is_not_heard(node, tmp_path):
    for name in ("site", "other"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def tls(name, ca="site"):
        key, crt = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
        return Tls(certificate=crt, key=key, ca=tmp_path / f"{ca}.crt")

    started = node(listen=Listen(port=0, tls=tls("site")))
    to = parse_destination(f"MRS_DISC@127.0.0.1:{started.address[1]}")
    path = tmp_path / "one.dcm"
    instance().save_as(path, enforce_file_format=True)
    silent = socket.create_connection(started.address)
    send(to.model_copy(update={"tls": tls("site")}), [path])
    silent.close()
    started.turn(until="analysed")
    for stranger in (to, to.model_copy(update={"tls": tls("other")})):
        with pytest.raises(RemoteError):
            send(stranger, [path])
