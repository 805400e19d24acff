"""Results to files: one record, one figure code, one wording; every format is a view of it."""
