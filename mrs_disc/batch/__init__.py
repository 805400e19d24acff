"""Many studies: workers that may die, shards, resume, tables of the whole dataset.

Each study's folder appears whole, by renaming; the dataset's tables are rebuilt from the folders
(`collect`) and never appended to. So any number of runs on any number of machines can work on one
output folder, each on its own shard, and any of them can be killed at any moment.

- `lock`: who is at work in a folder
- `pool`: worker processes
- `plan`: which studies, in which shard
- `work`: one study, and whether it is done already
- `run`: a whole batch
- `collect`, `index`: the tables and the page over all results
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrs_disc.batch.collect import collect_results as collect_results
    from mrs_disc.batch.run import BatchOptions as BatchOptions
    from mrs_disc.batch.run import plan_batch as plan_batch
    from mrs_disc.batch.run import run_batch as run_batch

_HOME = {
    "BatchOptions": "run",
    "collect_results": "collect",
    "plan_batch": "run",
    "run_batch": "run",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"mrs_disc.batch.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mrs_disc.batch' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
