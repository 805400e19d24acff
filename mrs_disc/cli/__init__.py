"""The command line: one lazily loaded module per command, one message per problem, exit status.

Exit status: 0 done, 1 a bug, 2 the input, recipe or command line is wrong, 3 finished but some
level or study failed, 130 interrupted.

A new command is one module that defines `command`, and one line in `COMMANDS`.
"""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

# One BLAS thread: the fit's matrices are small, and two threads made it 8 to 11 times slower.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# No plugins in the schemas: looking for them reads the metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import click  # noqa: E402 - NumPy reads the settings above when it is first imported

from mrs_disc._version import __version__  # noqa: E402
from mrs_disc.cli.shared import Group  # noqa: E402
from mrs_disc.errors import InputError, OutputError  # noqa: E402

COMMANDS: dict[str, str] = {
    "demo": "Analyse the bundled study and print its impression.",
    "info": "Describe a file, a study or a dataset; never writes.",
    "init": "Draft study.toml for a folder of scanner files.",
    "convert": "Convert the scanner files of one acquisition to NIfTI-MRS.",
    "analyze": "Analyse one study and write its report.",
    "batch": "Analyse every study of a dataset.",
    "collect": "Rebuild the dataset's tables from the studies' results.",
    "bids-app": "Run batch or collect under the BIDS-App convention.",
    "compare": "Compare examinations of one person over time.",
    "report": "Render results.json again, without analysis.",
    "review": "Open the local review page.",
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
    "Research use only: not a medical device.",
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
    stays to its end, and looking through it again and again took a sixth of a short analysis.
    """
    gc.set_threshold(10_000, 10, 10)
    status = run(sys.argv[1:] if arguments is None else arguments)
    gc.freeze()
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status; a problem is one line on stderr."""
    for name in ("stdout", "stderr"):  # `None` where the shell closed it with >&-
        if getattr(sys, name) is None:
            setattr(sys, name, io.StringIO())
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # odd file names must not end in an error
    debug = "--debug" in arguments  # allowed in any place, as a person adds it at the end
    words = [word for word in arguments if word != "--debug"]
    if any(word == "" or (word.startswith("--") and word.endswith("=")) for word in words):
        # Taken as a path it would be the present folder, which nobody has named.
        return _say("an argument is empty: is a variable of the shell not set?", 2)
    try:
        result: Any = cli.main(args=words, prog_name="mrs-disc", standalone_mode=False)
        sys.stdout.flush()
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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our pipe has left: no noise
        return 0
    except Exception as error:
        if debug:
            raise
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


def _say(message: str, status: int) -> int:
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", " ".join(message.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 4 :]}"
    print(f"mrs-disc: {line}", file=sys.stderr)  # noqa: T201
    return status


_LONGEST = 2_000
"""Characters of a message: what a file holds may stand in it, and a terminal takes orders."""
