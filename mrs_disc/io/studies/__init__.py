"""Forms of a study: BIDS-MRS, study.toml, a folder of named files, and the draft of one."""
