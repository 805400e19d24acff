"""The local review page: read, compare, decide and sign, on this machine alone."""
