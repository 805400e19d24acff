"""Start of the page: a socket on 127.0.0.1 alone, one process, until it is told to stop."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from html import escape
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from mrs_disc.errors import InputError
from mrs_disc.review.app import create_app
from mrs_disc.review.catalogue import Catalogue
from mrs_disc.review.connections import BACKLOG, Strangers, connection_of
from mrs_disc.review.security import Door, Guard
from mrs_disc.review.studies import Library

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8642


def listen(port: int | None) -> socket.socket:
    """Return a listening socket; without a wish, the usual port or else any free one.

    Raises
    ------
    InputError
        If the wished port is taken.
    """
    for candidate in (DEFAULT_PORT, 0) if port is None else (port,):
        try:
            return socket.create_server((LOOPBACK, candidate), backlog=BACKLOG)
        except OSError as error:
            problem = error.strerror or str(error)
    raise InputError(
        f"--port {port}: cannot be used ({problem}). Choose another, or leave --port out."
    )


def serve(
    folder: Path,
    port: int | None = None,
    *,
    announce: Callable[[str], None],
    browser: bool = True,
    dicom_reference: Path | None = None,
    show_patient: bool = False,
) -> None:
    """Serve the review page until it is stopped.

    Parameters
    ----------
    folder : Path
        Output of ``analyze`` or ``batch``.
    port : int, optional
        On 127.0.0.1.
    announce : callable
        Takes the address once the server can be reached.
    browser : bool
        Whether to open the address.
    dicom_reference : Path, optional
        A DICOM file of the patient, for the final DICOM; over many studies a folder with theirs.
    show_patient : bool
        Whether the page of a study says whose it is.

    Raises
    ------
    InputError
        If there is nothing to review, or the port is taken.
    """
    catalogue = Catalogue(folder)
    if dicom_reference is not None and dicom_reference.is_file() and not catalogue.single:
        raise InputError(
            f"--dicom-reference {dicom_reference.name} is a file of one patient, but OUT holds "
            "many studies; give a folder with a file <study>.dcm for each, or open one study alone"
        )
    with listen(port) as listening:
        door = Door(listening.getsockname()[1])
        server: uvicorn.Server | None = None

        def stop() -> None:
            assert server is not None
            server.should_exit = True

        library = Library()
        app = create_app(
            catalogue,
            door,
            stop,
            dicom_reference=dicom_reference,
            library=library,
            show_patient=show_patient,
        )
        server = uvicorn.Server(_settings(app, door))
        announce(door.address)
        rows = tuple(catalogue.studies.values())
        threading.Thread(target=library.look_at_all, args=(rows,), daemon=True).start()
        # The drawing libraries load while the first page is read. No daemon: an interpreter that
        # ends in the middle of such an import aborts.
        threading.Thread(target=import_module, args=("mrs_disc.review.views",)).start()
        with opening(door) if browser else nullcontext():
            server.run(sockets=[listening])


@contextmanager
def opening(door: Door) -> Iterator[None]:
    """Open the page's address in the browser without telling it to the machine.

    What is named in a command line can be read by every user, and the address carries the token.
    So the browser is given a file that its owner alone can read, and that leads on. Where no such
    file can be made or opened, the printed address is there to be followed. The file goes as soon
    as it has led somebody in, or with the server.
    """
    with ExitStack() as stack:
        try:
            private = Path(stack.enter_context(TemporaryDirectory(prefix="mrs-disc-")))  # mode 700
            page = private / "open.html"
            with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(_LEADING_ON.format(address=escape(door.address)))
        except OSError:
            pass
        else:
            door.on_open = stack.close
            threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
        yield


_LEADING_ON = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>mrs-disc review</title>'
    '<meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0; url={address}"></head>'
    '<body><p><a href="{address}">Open the review page</a></p></body></html>'
)


def _settings(app: Guard, door: Door) -> uvicorn.Config:
    """Return a server without what one person at one machine has no need of."""
    return uvicorn.Config(
        app,
        http=connection_of(Strangers(door)),
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=16_384,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
