"""The jobs up to silver in a process of their own, whose session has Kafka's jars; a script of test_kafka.py.

    python kafka_jobs.py LAKE

LAKE is where the session keeps its own things. Each line of stdin is an environment as
JSON: the jobs run by it, and the answer is a line, the reconciliation of its lake.
"""

import json
import sys

import msgspec

from nextclick.reconciliation import reconcile
from nextclick.settings import load
from spark_jobs.run_jobs import job
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger

JOBS = ("ingest_events", "ingest_rejects", "build_events")

own = load(sys.argv[1], profile="test", environ={"NEXTCLICK_STREAMING__SOURCE": "kafka"})
spark = open_session(own, "tests of Kafka")
for line in sys.stdin:
    settings = load(profile="test", environ=json.loads(line))
    for name in JOBS:
        job(name)(spark, settings, Trigger.AVAILABLE_NOW)
    sys.stdout.write(json.dumps(msgspec.to_builtins(reconcile(settings))) + "\n")
    sys.stdout.flush()
