"""A small grpcio client over stubs we did not write."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import grpc


class Stubs:
    """Message classes and service stubs by their contract names."""

    def __init__(self, modules: list[ModuleType]) -> None:
        self._names = {name: value for module in modules for name, value in vars(module).items()}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - generated code has no types
        try:
            return self._names[name]
        except KeyError:
            raise AttributeError(name) from None


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

    def __call__(self, rpc: str, credential: str | None = None, /, **fields: Any) -> Any:  # noqa: ANN401
        service, _, method = rpc.partition("/")
        stub = getattr(self.stubs, f"{service}Stub")(self.channel)
        request = getattr(self.stubs, f"{method}Request")(**fields)
        metadata = [("authorization", f"Bearer {credential}")] if credential else []
        return getattr(stub, method)(request, metadata=metadata, timeout=60)

    def error(self, rpc: str, credential: str | None = None, /, **fields: Any) -> grpc.Call:  # noqa: ANN401
        """Return the error of a call that must fail."""
        try:
            answer = self(rpc, credential, **fields)
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            return error
        message = f"{rpc} answered {answer!r} instead of an error"
        raise AssertionError(message)
