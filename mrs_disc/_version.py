"""The package's version, on the ground floor: every floor may name it, and hatch reads it here."""

__version__ = "0.1.0"
