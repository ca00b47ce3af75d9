"""The whole `run` in one lake after another, in a process whose session has the connector of S3; a script of test_object_store_run.py.

    python store_jobs.py LAKE…

The first lake's settings open the session. Each answer is a line, the reports as JSON.
"""

import json
import sys

import msgspec

from nextclick.settings import load
from orchestration.pipeline import STEPS, side_by_side
from orchestration.step_runner import step_runner

for address in sys.argv[1:]:
    runner = step_runner(load(address, profile="test"))
    groups = [runner.perform(*(step.name for step in group)) for group in side_by_side(STEPS)]
    reports = {report.job: msgspec.to_builtins(report) for group in groups for report in group}
    sys.stdout.write(json.dumps(reports, default=str) + "\n")
    sys.stdout.flush()
