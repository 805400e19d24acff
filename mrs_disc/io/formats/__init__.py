"""Readers of scanner formats, one module each: `sniff` and `read` to a `Scan`."""
