"""Both servers over https, as a browser would ask them."""

import ssl
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api_process import answering
from tests.collector_process import Collector, collecting

Start = Callable[..., AbstractContextManager[Collector]]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(private)
    files[1].chmod(0o600)
    return files


@pytest.mark.parametrize(
    ("start", "section"), [(collecting, "COLLECTOR"), (answering, "SERVING")], ids=["collect", "serve"]
)
def test_a_server_with_a_certificate_speaks_https(tmp_path: Path, start: Start, section: str) -> None:
    cert, key = certificate(tmp_path)
    tls = {f"NEXTCLICK_{section}__TLS_CERTIFICATE": str(cert), f"NEXTCLICK_{section}__TLS_KEY": str(key)}
    with start(tmp_path / "lake", **tls) as server:
        assert server.address.startswith("https://")
        trusted = ssl.create_default_context(cafile=cert)
        with urllib.request.urlopen(f"{server.address}/health", context=trusted, timeout=30) as reply:
            assert reply.status == 200
            assert reply.headers["strict-transport-security"].startswith("max-age=")
