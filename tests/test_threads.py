"""The public functions run on one BLAS thread, whatever the caller set, and leave it as it was."""

import numpy as np
import threadpoolctl

import mrs_disc as md
from mrs_disc.threads import one_blas_thread


def threads():
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


def test_a_function_runs_on_one_thread_and_gives_back_what_was_set():
    np.ones((2, 2)) @ np.ones((2, 2))
    md.preprocess  # noqa: B018 - loads SciPy and with it the last of the libraries
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        assert set(one_blas_thread(threads)()) == {1}
        assert threads() == before
        assert set(one_blas_thread(one_blas_thread(threads))()) == {1}
        assert threads() == before


def test_every_public_function_that_computes_is_limited():
    for name in ("analyze", "preprocess", "fit", "quantify", "simulate_study"):
        assert hasattr(getattr(md, name), "__wrapped__"), name
