"""The command line as ``python -m mrs_disc``."""

from mrs_disc.cli import main

main()
