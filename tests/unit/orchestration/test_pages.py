"""`nextclick up` where it cannot start."""

import socket
from pathlib import Path

from click.testing import CliRunner

from cli.main import cli
from nextclick.errors import UsageError


def test_a_taken_port_is_named_with_the_option_that_chooses_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(cli, ["--lake", str(tmp_path), "up", "--port", port])
    assert isinstance(done.exception, UsageError)
    assert f"Port {port} of 127.0.0.1" in str(done.exception)
    assert "--port" in str(done.exception)
