"""What the verbs that start a server check and say before they listen."""

from pathlib import Path

import msgspec
import pytest

from cli.parts.server_verb import ServerVerb
from nextclick.errors import SettingsError, UsageError
from nextclick.settings import ReadKey, Settings, load

SERVE = ServerVerb("serving.api.server", "serving", "read", "metrics_serving")
ANYBODY = "0.0.0.0"


def with_keys(**changes: object) -> Settings:
    settings = load(environ={})
    changes = {"port": 0, "read_keys": {"page": ReadKey(site="default")}} | changes
    serving = msgspec.structs.replace(settings.serving, **changes)
    return msgspec.structs.replace(settings, serving=serving)


def said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    SERVE.chosen(settings)
    return capsys.readouterr().err


def test_it_warns_where_secrets_would_travel_in_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(with_keys(), capsys) == ""
    assert "travel there in clear" in said(with_keys(host=ANYBODY), capsys)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch(mode=0o644)
    tls = {"tls_certificate": str(certificate), "tls_key": str(key)}
    assert "`chmod 600` it" in said(with_keys(host=ANYBODY, **tls), capsys)
    key.chmod(0o600)
    assert said(with_keys(host=ANYBODY, **tls), capsys) == ""


def test_it_warns_of_files_of_keys_that_others_may_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys.toml"
    keys.touch(mode=0o644)
    assert "read_keys_file" in said(with_keys(read_keys_file=str(keys)), capsys)


def test_it_warns_of_a_read_key_that_opens_nothing_and_shows_a_part_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    warning = said(with_keys(read_keys={"pk_of_the_other_site": ReadKey(site="other")}), capsys)
    assert "'pk_o…' is of site 'other', and this lake serves 'default'" in warning


def test_a_certificate_wants_its_key_and_both_must_be_there() -> None:
    with pytest.raises(SettingsError, match="belong together"):
        load(environ={"NEXTCLICK_SERVING__TLS_KEY": "key.pem"})
    with pytest.raises(UsageError, match=r"serving\.tls_key names /none, which cannot be read"):
        SERVE.chosen(with_keys(tls_certificate="/none", tls_key="/none"))
