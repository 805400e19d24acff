"""What a node can be told, in one TOML file; every option has a default.

The text of `TEMPLATE` is what ``mrs-disc node config`` prints.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mrs_disc.errors import InputError
from mrs_disc.schema import StrictModel, load_toml

LOOPBACK = ("127.0.0.1", "::1", "localhost")

TEMPLATE = """\
schema_version = 1
folder = "mrs_disc_node"          # spool, results, states; relative to this file
# recipe = "press_1p5t_te35"      # a shipped recipe or a TOML file; default: mrs-disc recipe show
quiet_s = 60                      # a study without new files for so long is analysed
workers = 1                       # processes that analyse
time_limit_s = 1800               # for one study
memory_limit_gb = 4
# health_port = 11113             # http://127.0.0.1:11113/health
# watch = "incoming"              # a folder whose sub-folders are studies (twix, P-files, SDAT)

[listen]
ae_title = "MRS_DISC"
host = "127.0.0.1"                # another address only with peers
port = 11112
max_associations = 10
also_accept = []                  # SOP classes beside MR images, MR spectroscopy and raw data
# [listen.tls]
# certificate = "node.crt"
# key = "node.key"
# ca = "site-ca.crt"              # given: who calls needs a certificate of it

# [[peer]]                        # who may send; none: any AE title of this machine
# ae_title = "SCANNER1"
# addresses = ["192.168.1.20"]

# [[destination]]                 # where SR and PDF go
# name = "pacs"
# ae_title = "ORTHANC"
# host = "192.168.1.30"
# port = 4242
# [destination.tls]
# ca = "site-ca.crt"

# [[destination]]
# name = "web"
# url = "https://pacs.example.org/dicom-web"
# user = "mrs_disc"
# password_variable = "PACS_PASSWORD"   # name of a variable of the environment

[retry]
first_s = 10                      # then twice as long each time
most_s = 900
attempts = 12                     # then to the dead letters

[keep]
days = 7                          # files of a study that was sent, in the spool
unsigned_days = 90                # one of them, for the final report after signing
"""


def _ae_title(text: str) -> str:
    """Check an application entity's title: 1 to 16 letters of the default repertoire."""
    if not re.fullmatch(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,15})", text.strip()):
        raise ValueError("should be an AE title of 1 to 16 letters, digits and marks")
    return text.strip()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("should be an IP address, as 192.168.1.20") from None


AeTitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class Tls(StrictModel):
    """Files of a TLS connection, relative to the configuration."""

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None


class Listen(StrictModel):
    """The storage service."""

    ae_title: AeTitle = "MRS_DISC"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    max_associations: Annotated[int, Field(ge=1, le=100)] = 10
    also_accept: tuple[Annotated[str, Field(pattern=r"^[0-9.]{3,64}$")], ...] = ()
    tls: Tls | None = None


class Peer(StrictModel):
    """Who may send: an AE title from one of its addresses."""

    ae_title: AeTitle
    addresses: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(min_length=1)


class Destination(StrictModel):
    """Where reports go, or studies come from: an application entity, or a DICOMweb service."""

    name: Name
    ae_title: AeTitle | None = None
    host: str | None = None
    port: Port | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    user: str | None = None
    password_variable: str | None = None
    tls: Tls | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        entity = (self.ae_title, self.host, self.port)
        if (self.url is None) == (None in entity):
            raise ValueError("should have ae_title, host and port, or url")
        if self.url is not None and any(entity):
            raise ValueError("should have ae_title, host and port, or url: not both")
        return self


class Retry(StrictModel):
    """How often and how soon a delivery is tried again."""

    first_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    most_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    attempts: Annotated[int, Field(ge=1, le=1000)] = 12

    def delay_s(self, attempts: int) -> float:
        """Return how long to wait after so many attempts.

        >>> [Retry(first_s=10, most_s=50).delay_s(n) for n in (1, 2, 3, 4)]
        [10.0, 20.0, 40.0, 50.0]
        """
        return float(min(self.first_s * 2.0 ** min(attempts - 1, 20), self.most_s))


class Keep(StrictModel):
    """How long files stay in the spool once their reports are sent, days."""

    days: Annotated[float, Field(ge=0, le=10_000)] = 7.0
    unsigned_days: Annotated[float, Field(ge=0, le=10_000)] = 90.0


class NodeConfig(StrictModel):
    """All options of a node."""

    schema_version: Literal[1] = 1
    folder: Path = Path("mrs_disc_node")
    recipe: str | None = None
    quiet_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    time_limit_s: Annotated[float, Field(gt=0)] | None = 1800.0
    memory_limit_gb: Annotated[float, Field(gt=0)] | None = 4.0
    health_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    watch: Path | None = None
    listen: Listen | None = Listen()
    peer: tuple[Peer, ...] = ()
    destination: tuple[Destination, ...] = ()
    retry: Retry = Retry()
    keep: Keep = Keep()

    @model_validator(mode="after")
    def _nobody_unknown(self) -> Self:
        if self.listen is not None and self.listen.host not in LOOPBACK and not self.peer:
            raise ValueError(
                f"listens on {self.listen.host}, so that others can reach it: name each sender as "
                "[[peer]] with its ae_title and addresses, or listen on 127.0.0.1"
            )
        names = [one.name for one in self.destination]
        if len(set(names)) < len(names):
            raise ValueError("has two destinations of one name: give each its own")
        return self


def load_config(path: Path) -> NodeConfig:
    """Read a configuration; its paths become relative to the file.

    Raises
    ------
    InputError
        If it is not valid, or a file that it names is not there.
    """
    config = load_toml(path, NodeConfig)
    base = path.parent

    def placed(tls: Tls | None) -> Tls | None:
        if tls is None:
            return None
        files = {k: base / v for k, v in tls.model_dump().items() if v is not None}
        for name, file in files.items():
            if not file.is_file():
                raise InputError(f"{path.name}: tls {name} = '{file.name}': there is no such file")
        return Tls(**files)

    listen = config.listen
    if listen is not None:
        listen = listen.model_copy(update={"tls": placed(listen.tls)})
    destinations = tuple(d.model_copy(update={"tls": placed(d.tls)}) for d in config.destination)
    recipe = config.recipe
    if recipe is not None and (base / recipe).is_file():
        recipe = str(base / recipe)
    return config.model_copy(
        update={
            "folder": base / config.folder,
            "watch": None if config.watch is None else base / config.watch,
            "listen": listen,
            "destination": destinations,
            "recipe": recipe,
        }
    )


def with_destinations(config: NodeConfig, texts: Sequence[str]) -> NodeConfig:
    """Return the configuration with what a command line names beside its own destinations.

    Raises
    ------
    InputError
        If one is no address, or two would have one name.
    """
    more = tuple(parse_destination(text) for text in texts)
    names = [one.name for one in (*config.destination, *more)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--to: two destinations are called {name}: name them in a --config")
    return config.model_copy(update={"destination": (*config.destination, *more)})


def parse_destination(text: str, name: str = "") -> Destination:
    """Return the destination that a command line names.

    >>> parse_destination("ORTHANC@127.0.0.1:4242").port
    4242

    Raises
    ------
    InputError
        If it is neither AE@HOST:PORT nor a URL.
    """
    short = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"^https?://|@.*", "", text)).strip("-")[:40]
    found = re.fullmatch(r"([^@\s]{1,16})@([^@\s:]+|\[[^\]\s]+\]):(\d{1,5})", text)
    try:
        if re.match(r"https?://", text):
            return Destination(name=name or short, url=text.rstrip("/"))
        if found is None:
            raise ValueError
        return Destination(
            name=name or short,
            ae_title=found[1],
            host=found[2].strip("[]"),
            port=int(found[3]),
        )
    except ValueError:
        raise InputError(
            f"'{text[:80]}' is no address: AE@HOST:PORT, as ORTHANC@127.0.0.1:4242, or the URL of "
            "a DICOMweb service, as http://127.0.0.1:8042/dicom-web"
        ) from None
