"""The command line: one lazily loaded module per command, one message per problem, exit status.

Exit status: 0 done, 1 a bug, 2 the input, recipe or command line is wrong, 3 finished but some
level or study failed, 130 interrupted.

A new command is one module that defines `command`, and one line in `COMMANDS`.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from math import inf
from typing import Any, TextIO, cast

# One BLAS thread: the fit's matrices are small, and two threads made it 8 to 11 times slower.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# No plugins in the schemas: looking for them reads the metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import click  # noqa: E402 - NumPy reads the settings above when it is first imported

from mrs_disc._version import __version__  # noqa: E402
from mrs_disc.cli.shared import Group  # noqa: E402
from mrs_disc.errors import InputError, OutputError  # noqa: E402

EXIT_STATUS: dict[int, str] = {
    0: "done",
    1: "a bug: the message says how to report it, --debug shows the traceback",
    2: "the input, the recipe or the command line is wrong, or nothing can be written",
    3: "finished, but some level or study failed, or would fail (info), or a limit is missed",
    130: "interrupted",
}
"""What the status means with which a command leaves."""

COMMANDS: dict[str, str] = {
    "demo": "Analyse the bundled study and print its impression.",
    "info": "Describe a file, a study or a dataset; never writes.",
    "convert": "Convert the scanner files of one acquisition to NIfTI-MRS.",
    "init": "Draft study.toml for a folder of scanner files.",
    "analyze": "Analyse one study and write its report.",
    "batch": "Analyse every study of a dataset.",
    "collect": "Rebuild the dataset's tables from the studies' results.",
    "bids-app": "Run batch or collect under the BIDS-App convention.",
    "plan": "Expected errors and labels, and the transients an aim takes.",
    "cohort": "Compare groups, scores and repeats over many studies.",
    "compare": "Compare examinations of one person over time.",
    "report": "Render results.json again, without analysis.",
    "review": "Open the local review page.",
    "node": "Receive studies by DICOM, analyse them, send the reports back.",
    "send": "Send the DICOM objects of results to an archive.",
    "fetch": "Fetch a study from an archive.",
    "recipe": "Show, check or describe recipes.",
    "model": "List, show, check or calibrate models.",
    "simulate": "Write studies with known truth.",
    "validate": "Print the accuracy tables against known truth.",
}


class LazyGroup(Group):
    """A group whose commands are imported when they are run, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a user's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module = import_module(f"mrs_disc.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Print what a bug report needs: this package, Python, machine, and each library."""
    if not value or ctx.resilient_parsing:
        return
    import platform
    from importlib.metadata import PackageNotFoundError, requires, version

    click.echo(f"mrs-disc {__version__}, Python {platform.python_version()}, {platform.platform()}")
    try:
        declared = requires("mrs-disc") or []
    except PackageNotFoundError:  # run from a folder that was not installed
        declared = []
    for line in declared:
        name, extra = (
            re.split(r"[ \[<>=!~;(]", line, maxsplit=1)[0],
            re.search(r"extra == .(\w+)", line),
        )
        if name == "mrs-disc" or (extra and extra[1] in ("all", "test")):
            continue
        try:
            found = version(name)
        except PackageNotFoundError:
            found = f"not installed; pip install 'mrs-disc[{extra[1]}]'" if extra else "missing"
        click.echo(f"  {name} {found}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Completion of commands and options in bash (in .bashrc; zsh and fish alike): "
    'eval "$(_MRS_DISC_COMPLETE=bash_source mrs-disc)". '
    "Exit status: 0 done, 1 a bug, 2 wrong input or command line, 3 finished but something failed, "
    "130 interrupted. Research use only: not a medical device.",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of a bug.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and that of the libraries, for bug reports.",
)
def cli() -> None:
    """Analyse MR spectra of intervertebral discs, from scanner files to a report."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    The collector of cycles is asked less often, and at the end not at all: what a command loads
    stays to its end, and looking through it again and again took a fifth of a short analysis. Of a
    command that stays for days it is asked more often.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    gc.set_threshold(10_000 if _STAYING & set(words[:1]) else 100_000, 10, 10)
    status = run(words)
    gc.freeze()
    sys.exit(status)


class Listener:
    """A standard stream that goes on when nobody can take it: what a command does is done.

    The reader of a pipe may leave, a disk that output is sent to may be full, and a shell may have
    closed the stream (`None`). `problem` says what kept it from being written.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = io.StringIO() if stream is None else stream
        self.problem: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as long as that is possible."""
        if self.problem is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush as long as that is possible."""
        if self.problem is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Send what is left in the buffer nowhere, or Python tries again at its end."""
        self.problem = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status; a problem is one line on stderr."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # odd file names must not end in an error
    out, errors = Listener(before[0]), Listener(before[1])
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, errors)
    try:
        status = _run(arguments)
        out.flush()
        if out.problem is not None and out.problem.errno != errno.EPIPE:
            why = out.problem.strerror
            status = _say(
                f"standard output cannot be written to ({why}); what goes to files is there", 2
            )
        errors.flush()
        return status
    finally:
        sys.stdout, sys.stderr = before


def _run(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments  # allowed in any place, as a person adds it at the end
    words = [word for word in arguments if word != "--debug"]
    if any(word == "" or (word.startswith("--") and word.endswith("=")) for word in words):
        # Taken as a path it would be the present folder, which nobody has named.
        return _say("an argument is empty: is a variable of the shell not set?", 2)
    if set(words[:1]) & _ANALYSING and (limit := address_limit()) < _ADDRESSES:
        return _say(
            f"the limit of memory (ulimit -v) is {limit / 1e6:.0f} MB; an analysis takes "
            f"{_ADDRESSES / 1e6:.0f} MB of addresses. Raise it, or lift it: ulimit -v unlimited",
            2,
        )
    try:
        result: Any = cli.main(args=words, prog_name="mrs-disc", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.message, err=True)
        return 2
    except click.MissingParameter as error:
        path = error.ctx.command_path if error.ctx else "mrs-disc"
        return _say(f"{error.format_message()} '{path} --help' shows an example.", 2)
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (InputError, OutputError) as error:
        return _say(str(error), 2)
    except MemoryError:
        return _say(_NO_MEMORY, 2)
    except Exception as error:
        if debug:
            raise
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    """Say what no part of the program has foreseen: of the system, or a bug."""
    chain: BaseException | None = error
    while chain is not None:  # a library gives another name to it
        no_room = isinstance(chain, ImportError) and _NO_ROOM.search(str(chain))
        if isinstance(chain, MemoryError) or no_room:
            return _say(_NO_MEMORY, 2)
        chain = chain.__cause__ or chain.__context__
    if isinstance(error, OSError) and error.strerror:  # a name of 300 letters, a full disk
        where = f"{str(error.filename)[-80:]}: " if error.filename else ""
        return _say(f"{where}cannot be used ({error.strerror})", 2)
    if str(error).startswith("Symlink loop"):  # a RuntimeError of `resolve` before Python 3.13
        return _say(f"{str(error)[-80:]}: cannot be used (a loop of links)", 2)
    return _say(
        f"this is a bug ({type(error).__name__}: {error}). "
        "Run again with --debug and report what it prints.",
        1,
    )


def address_limit() -> float:
    """Return how many bytes of addresses the process may have; infinite where nobody says."""
    try:
        import resource
    except ImportError:  # Windows
        return inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return inf if limit == resource.RLIM_INFINITY else float(limit)


_STAYING = {"node", "review"}
_ANALYSING = {"demo", "analyze", "batch", "bids-app", "review", "plan", "simulate", "validate"}
_ADDRESSES = 750e6
"""Measured: below 700 MB, OpenBLAS or typst abort the process, and no exception can tell."""
_NO_ROOM = re.compile(r"map segment|allocate memory", re.IGNORECASE)
_NO_MEMORY = (
    "there is not enough memory. Close other programs, raise the limit (ulimit -v), or run batch "
    "with fewer --jobs"
)


def _say(message: str, status: int) -> int:
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", " ".join(message.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 4 :]}"
    print(f"mrs-disc: {line}", file=sys.stderr)  # noqa: T201
    return status


_LONGEST = 2_000
"""Characters of a message: what a file holds may stand in it, and a terminal takes orders."""
