"""How a command ends."""

import subprocess
import sys

from nextclick.settings import CHECKOUT

_AT_WORK = """
import threading
import click
from nextclick.command import run_command

@click.command()
def long():
    threading.Thread(target=threading.Event().wait).start()  # it never ends by itself
    raise KeyboardInterrupt

run_command(long)
"""


def test_an_interrupt_ends_the_process_though_a_thread_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", _AT_WORK], cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr.strip() == "nextclick: interrupted; call again to go on where it stopped."
