"""Memory of the collector and the API over ten minutes, while a million visitors come by, against the first minute's.

    .venv/bin/python -m benchmarks.speed.soak [--seconds 600] [--visitors 1000000] [--people 10000] [--items 10000]

Batches of 20 views of random visitors are posted, about 5,000 events/s, and 300 lists a second are asked for, of any of
these visitors. Memory is what the processes hold by themselves (RssAnon in /proc); pages of the stores' files, which the
kernel takes back when it needs room, are not in it. wrk makes the load (Debian: apt-get install wrk).
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import own_mb, ratio
from benchmarks.speed.collector import need_wrk, serving
from benchmarks.speed.serving import API, ASK, COLLECTOR, furnish, under_load, wrk
from nextclick.kv import open_profiles
from nextclick.profile import profile
from nextclick.settings import Settings, hand_down, load

MINUTE = 60
BATCHES, ANSWERS = 250, 300
"""Requests a second."""
POST = """
wrk.method = "POST"
local sent = 0
request = function()
  local events = {{}}
  for i = 1, 20 do
    sent = sent + 1
    events[i] = string.format('{{"event":"view_item","event_id":"%d","visitor_id":"%08d","item_id":"%08d","timestamp":%d}}',
      sent, math.random(0, {visitors} - 1), math.random(0, {items} - 1), os.time() * 1000)
  end
  return wrk.format(nil, nil, nil, "[" .. table.concat(events, ",") .. "]")
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"seconds": 600, "visitors": 1_000_000, "people": 10_000, "items": 10_000}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="nextclick-bench-") as name:
        settings = load(Path(name) / "lake")
        hand_down(settings)
        furnish(settings, options.people, options.items)
        measure(settings, options)


def measure(settings: Settings, options: argparse.Namespace) -> None:
    """Print the memory of both, minute by minute, and what has become of the first minute's."""
    folder, nextclick = settings.lake.root.parent, str(Path(sys.executable).parent / "nextclick")
    ask, post = ASK.format(people=options.visitors), POST.format(visitors=options.visitors, items=options.items)
    with ExitStack() as stack:
        servers = {
            "collector": stack.enter_context(
                serving((nextclick, "collect", "--port", str(COLLECTOR)), COLLECTOR, folder)
            ),
            "API": stack.enter_context(serving((nextclick, "serve", "--port", str(API)), API, folder)),
        }
        for port, script, rate, path in ((COLLECTOR, post, BATCHES, "/v1/events"), (API, ask, ANSWERS, "/")):
            stack.enter_context(under_load(wrk(stack, port, script, options.seconds + MINUTE, rate, path)))
        started, seen = time.monotonic(), list[dict[str, float]]()
        for minute in range(1, options.seconds // MINUTE + 1):
            time.sleep(max(0.0, started + minute * MINUTE - time.monotonic()))
            seen.append({name: own_mb(process.pid) for name, process in servers.items()})
            held = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in seen[-1].items())
            print(f"minute {minute:>2}   {held}   {share_seen(settings, options.visitors):.0%} of the visitors seen")
        for name in servers:
            first, last = seen[0][name], seen[-1][name]
            print(ratio(f"memory of the {name} at the end", last, f"after a minute ({first:.0f} MB)", first, 1.1))


def share_seen(settings: Settings, visitors: int) -> float:
    """The share of visitors who have a profile, by a sample of a thousand."""
    some = random.Random(1).choices(range(visitors), k=1_000)
    keys = [profile.visitor_key(settings.site, f"{visitor:08d}") for visitor in some]
    return sum(bool(entry.actions) for entry in open_profiles(settings).get_many(keys)) / len(keys)


if __name__ == "__main__":
    main()
