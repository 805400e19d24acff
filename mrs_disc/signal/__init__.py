"""Array kernels: NumPy and SciPy only, arrays in, arrays out, no records, no files."""

import mrs_disc.unneeded  # noqa: F401
