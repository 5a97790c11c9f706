import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from pidgr.rpc.server import BackgroundServer, ServerOptions
from rpc.server.apps import build
from rpc.server.calls import OPEN, QUICK, OpenStream, curl, submitter


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    files = {name: folder / f"{name}.pem" for name in ("authority", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["authority"]))
    leaf.private_key_pem.write_to_path(str(files["key"]))
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(files["cert"]), append=True)
    return files


@pytest.fixture
def tls_server(tls_files: dict[str, Path]) -> Iterator[BackgroundServer]:
    options = ServerOptions(
        port=0,
        tls_cert=tls_files["cert"],
        tls_key=tls_files["key"],
        drain_seconds=3,
        max_connection_age_seconds=0.5,
    )
    with BackgroundServer(build, options) as running:
        yield running


def test_grpc_over_tls_survives_aged_connections(
    tls_server: BackgroundServer, tls_files: dict[str, Path]
) -> None:
    credentials = grpc.ssl_channel_credentials(tls_files["authority"].read_bytes())
    with grpc.secure_channel(f"localhost:{tls_server.port}", credentials) as channel:
        stream = OpenStream(channel)
        submit = submitter(channel)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            submit(QUICK, timeout=10)
        submit(OPEN)
        stream.finish()


@pytest.mark.parametrize(("flag", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_tls_agrees_on_either_http_version(
    tls_server: BackgroundServer, tls_files: dict[str, Path], flag: str, version: str
) -> None:
    trust = ("--cacert", str(tls_files["authority"]))
    url = f"https://localhost:{tls_server.port}/echo"
    assert curl(flag, *trust, "-d", "hi", "-w", " %{http_version}", url) == f"hi {version}"
