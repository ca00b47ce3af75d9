"""What pages load is what its page names, and lies at an address of its content."""

import re
from hashlib import sha256

from dashboard import assets
from nextclick.settings import CHECKOUT

VENDORED = CHECKOUT / "dashboard/vendored"


def test_the_vendored_files_are_those_that_their_page_names() -> None:
    rows = re.findall(r"^\| `([\w.]+\.js)` \|.*`(\w{64})` \|$", (VENDORED / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == {path.name for path in VENDORED.glob("*.js")}
    assert all(sha256((VENDORED / name).read_bytes()).hexdigest() == digest for name, digest in rows)


def test_a_file_of_another_version_is_not_there() -> None:
    _, _, digest, name = assets.address("dashboard.css").split("/")
    assert assets.served(digest, name) is not None
    assert assets.served("0" * 16, name) is None
    assert assets.served(digest, "echarts.LICENSE") is None
