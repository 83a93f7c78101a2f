"""Run a kind in a test: in memory with `run`, on the real servers with `run_job`."""

from jobs.testing.memory_workspace import MemoryFile, MemoryWorkspace
from jobs.testing.runs import FinishedRun, Result, run, run_job

__all__ = ["FinishedRun", "MemoryFile", "MemoryWorkspace", "Result", "run", "run_job"]
