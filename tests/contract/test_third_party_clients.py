"""Clients are generated elsewhere, by tools we do not choose: the protos must not need ours."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

PROTO = Path(__file__).parents[2] / "proto"
PROGRAM = """
import importlib, pathlib, sys
sys.path.insert(0, ".")
stubs = sorted(pathlib.Path("pidgr/v1").glob("*_pb2_grpc.py"))
modules = [importlib.import_module(f"pidgr.v1.{stub.stem}") for stub in stubs]
names = {name for module in modules for name in vars(module) if name.endswith("ServiceStub")}
from pidgr.v1 import campaign_pb2, common_pb2
request = campaign_pb2.ListCampaignsRequest(pagination=common_pb2.Pagination(page_size=10))
print(len(names), request.SerializeToString().hex())
"""


def test_plain_protoc_stubs_import_and_encode_outside_our_environment(compiled: Path) -> None:
    # -S leaves out the editable install, whose package pidgr would hide the stubs' pidgr.v1.
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", PROGRAM],
        cwd=compiled,
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    services = sum(
        line.startswith("service ")
        for proto in PROTO.glob("pidgr/v1/*.proto")
        for line in proto.read_text().splitlines()
    )
    assert services >= 15
    assert done.stdout.split() == [str(services), "0a02080a"]
