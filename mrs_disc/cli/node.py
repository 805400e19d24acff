"""`mrs-disc node`: receive, analyse, send back."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mrs_disc.cli.shared import Group

if TYPE_CHECKING:
    from mrs_disc.node.config import NodeConfig

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="TOML file; 'mrs-disc node config' prints one.",
)
_FOLDER = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the node. Default: mrs_disc_node.",
)


@click.group(cls=Group, invoke_without_command=True)
@_CONFIG
@_FOLDER
@click.option("--watch", type=click.Path(path_type=Path), help="Folder of study folders to take.")
@click.option("--to", multiple=True, metavar="AE@HOST:PORT|URL", help="Where SR and PDF go.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the storage service.")
@click.option("--quiet", type=click.FloatRange(0), help="Seconds without files before analysis.")
@click.option("-r", "--recipe", help="Name of a shipped recipe, or a TOML file.")
@click.pass_context
def command(
    ctx: click.Context,
    config: Path | None,
    output: Path | None,
    watch: Path | None,
    to: tuple[str, ...],
    port: int | None,
    quiet: float | None,
    recipe: str | None,
) -> int:
    """Receive studies by DICOM, analyse them, send SR and PDF back.

    Listens on 127.0.0.1:11112 as MRS_DISC unless the configuration says otherwise. Results lie in
    OUTPUT/results, which 'mrs-disc review' opens; what is signed there is sent as final report.
    Lines of the log go to stderr, one JSON object each. Ctrl+C stops.

    Example: mrs-disc node -o node --to ORTHANC@127.0.0.1:4242
    """
    if ctx.invoked_subcommand is not None:
        return 0
    import time

    from mrs_disc.node.config import with_destinations
    from mrs_disc.node.engine import Engine
    from mrs_disc.node.log import json_log

    chosen = _chosen(config, output)
    changes: dict[str, Any] = {"watch": watch or chosen.watch, "recipe": recipe or chosen.recipe}
    if quiet is not None:
        changes["quiet_s"] = quiet
    if port is not None and chosen.listen is not None:
        changes["listen"] = chosen.listen.model_copy(update={"port": port})
    chosen = with_destinations(chosen.model_copy(update=changes), to)
    engine = Engine(chosen, json_log(time.time))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine.run(stop)
    return 0


def _chosen(config: Path | None, output: Path | None) -> NodeConfig:
    from mrs_disc.node.config import NodeConfig, load_config

    chosen = load_config(config) if config is not None else NodeConfig()
    return chosen if output is None else chosen.model_copy(update={"folder": output})


@command.command("config")
def print_config() -> int:
    """Print a configuration with every option and its default.

    Example: mrs-disc node config > node.toml
    """
    from mrs_disc.node.config import TEMPLATE

    click.echo(TEMPLATE, nl=False)
    return 0


@command.command("status")
@_CONFIG
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(config: Path | None, output: Path | None, as_json: bool) -> int:
    """Print what the node is at: each study, its state and why.

    Example: mrs-disc node status -o node
    """
    import json
    from dataclasses import asdict

    from mrs_disc.node.places import Places
    from mrs_disc.node.running import is_running
    from mrs_disc.record.node import read_status

    places = Places(_chosen(config, output).folder)
    found = read_status(places.results)
    running = is_running(places.home)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"running": running, "counts": found.counts}))
        return 0
    at = f", {found.ae_title} on {found.address}" if found.address and running else ""
    click.echo(
        f"{'running' if running else 'not running'}{at}; last written {found.time}", err=True
    )
    for one in found.studies:
        cells = (one.key, one.state, str(one.n_objects), one.last, one.reason)
        click.echo("\t".join(" ".join(cell.split()) for cell in cells))
    return 0


@command.command("retry")
@_CONFIG
@_FOLDER
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
def retry(config: Path | None, output: Path | None, studies: tuple[str, ...]) -> int:
    """Try failed studies again: those named as status prints them, or all.

    Example: mrs-disc node retry -o node
    """
    from mrs_disc.errors import InputError, did_you_mean
    from mrs_disc.files import write_whole
    from mrs_disc.node.places import Places
    from mrs_disc.record.node import read_status

    places = Places(_chosen(config, output).folder)
    failed = [one.key for one in read_status(places.results).studies if one.state == "failed"]
    for key in studies:
        if key not in failed:
            raise InputError(
                f"'{key[:60]}': no study of this name failed.{did_you_mean(key, failed)}"
            )
    for key in studies or failed:
        write_whole(places.requests / key, b"", overwrite=True)
        click.echo(key)
    return 0
