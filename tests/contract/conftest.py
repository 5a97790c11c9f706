"""The contract as a third party sees it: compiled by plain protoc, run by google.protobuf."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Python stubs and ``contract.binpb``, made by protoc alone."""
    out = tmp_path_factory.mktemp("client")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{PROTO}",
            "--include_imports",
            f"--descriptor_set_out={out / 'contract.binpb'}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            *(str(path) for path in sorted(PROTO.rglob("pidgr/v1/*.proto"))),
        ],
        check=True,
        timeout=120,
    )
    return out


@pytest.fixture(scope="session")
def pool(compiled: Path) -> descriptor_pool.DescriptorPool:
    """The contract in the reference runtime, apart from its process-wide default pool."""
    files = descriptor_pb2.FileDescriptorSet.FromString((compiled / "contract.binpb").read_bytes())
    third_party = descriptor_pool.DescriptorPool()
    for file in files.file:
        third_party.Add(file)
    return third_party
