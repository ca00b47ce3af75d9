"""Spark's part of the way to lists, in one lake after another, in a process whose session has the connector of S3; a script of
test_object_store_run.py and test_cluster.py.

    python store_jobs.py [--jobs JOB,JOB] LAKE…

The first lake's settings open the session. A job that was done finds nothing new.
"""

import sys

from nextclick.settings import load
from orchestration.step_runner import step_runner

JOBS: tuple[str, ...] = ("ingest_events", "build_events", "build_sessions", "build_interactions")

words = sys.argv[1:]
if words[0] == "--jobs":
    JOBS, words = tuple(words[1].split(",")), words[2:]
for address in words:
    runner = step_runner(load(address, profile="test"))
    for job in JOBS:
        sys.stdout.write(f"{address} {runner.perform(job)}\n")
        sys.stdout.flush()
