"""The jobs up to silver in a process of their own; a script of test_kafka.py.

Each line of stdin is an environment as JSON: the jobs run by it, and the answer is a line,
the lake's reconciliation. The first one makes the session, so it is one with Kafka.
"""

import json
import sys

import msgspec

from nextclick.reconciliation import reconcile
from nextclick.settings import load
from spark_jobs.cli import job
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger

JOBS = ("ingest_events", "ingest_rejects", "build_events")

for line in sys.stdin:
    settings = load(profile="test", environ=json.loads(line))
    spark = open_session(settings, "tests of Kafka")
    for name in JOBS:
        job(name)(spark, settings, Trigger.AVAILABLE_NOW)
    sys.stdout.write(json.dumps(msgspec.to_builtins(reconcile(settings))) + "\n")
    sys.stdout.flush()
