"""A small grpcio client over stubs we did not write: plain protoc made them of our protos."""

import atexit
import functools
import importlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

import pidgr

PROTOS = Path(__file__).parents[2] / "proto"
PROTOC = (sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}")


class Stubs:
    """Message classes and service stubs by their contract names."""

    def __init__(self, modules: list[ModuleType]) -> None:
        self.modules = modules
        self._names = {name: value for module in modules for name, value in vars(module).items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self._names[name]
        except KeyError:
            raise AttributeError(name) from None


@functools.cache
def compiled_stubs() -> Stubs:
    """Compile the contract once per process: protobuf's descriptor pool is process-wide too."""
    out = Path(tempfile.mkdtemp(prefix="pidgr-stubs-"))
    atexit.register(shutil.rmtree, out)
    files = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    subprocess.run(
        [*PROTOC, f"--python_out={out}", f"--grpc_python_out={out}", *files],
        check=True,
        timeout=120,
    )
    sys.path.insert(0, str(out))
    pidgr.__path__.append(str(out / "pidgr"))
    names = (path.stem for path in sorted((out / "pidgr" / "v1").glob("*_pb2*.py")))
    return Stubs([importlib.import_module(f"pidgr.v1.{name}") for name in names])


@dataclass(frozen=True)
class Organization:
    id: str
    admin_id: str
    api_key: str


class Client:
    """Calls RPCs by name: ``client("CampaignService/GetCampaign", key, campaign_id=...)``."""

    def __init__(self, channel: grpc.Channel, stubs: Stubs) -> None:
        self.channel = channel
        self.stubs = stubs

    def __call__(self, rpc: str, credential: str | None = None, /, **fields: Any) -> Any:
        return self.send(rpc, self.request(rpc, **fields), credential)

    def request(self, rpc: str, /, **fields: Any) -> Any:
        """Return an RPC's request message."""
        return getattr(self.stubs, f"{rpc.partition('/')[2]}Request")(**fields)

    def send(
        self, rpc: str, request: Any, credential: str | None, *headers: tuple[str, str]
    ) -> Any:
        service, _, method = rpc.partition("/")
        call = getattr(getattr(self.stubs, f"{service}Stub")(self.channel), method)
        metadata = [("authorization", f"Bearer {credential}")] if credential else []
        return call(request, metadata=[*metadata, *headers], timeout=60)

    def error(self, rpc: str, credential: str | None = None, /, **fields: Any) -> grpc.Call:
        """Return the error of a call that must fail."""
        with pytest.raises(grpc.RpcError) as raised:
            self(rpc, credential, **fields)
        error: Any = raised.value
        assert isinstance(error, grpc.Call)
        return error
