"""Our applications, held against the generated ones that are not loaded by a server."""

import importlib
import pkgutil
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from protobuf import DescService

from pidgr.contract import v1
from pidgr.contract.health import health_connect, health_pb
from pidgr.rpc.app import CONTRACT
from pidgr.rpc.binding import snake_case
from pidgr.rpc.service_app import ServiceApp

SERVICES = [*CONTRACT, *health_pb.desc().services]

# Each takes megabytes, or loads what does, and none is needed before some rare request.
LATE = {
    "PIL",
    "alembic",
    "connectrpc_grpcreflect",
    "httpcore",
    "lxml",
    "numpy",
    "pidgr.storage.schema",
    "pyqwest",
    "signxml",
}


def generated(service: DescService) -> Any:
    modules = [health_connect] + [
        importlib.import_module(f"{v1.__name__}.{module.name}")
        for module in pkgutil.iter_modules(v1.__path__)
        if module.name.endswith("_connect")
    ]
    name = service.type_name.rpartition(".")[2] + "ASGIApplication"
    (found,) = (vars(module)[name] for module in modules if name in vars(module))
    return found


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.type_name)
def test_an_application_serves_what_the_generated_one_does(service: DescService) -> None:
    functions = SimpleNamespace(**{snake_case(method.name): object() for method in service.methods})
    ours, theirs = ServiceApp(service, functions), generated(service)(functions)
    assert ours._endpoints(functions) == theirs._endpoints(functions)
    assert ours.path == theirs.path


def test_a_server_loads_nothing_early_that_few_requests_need() -> None:
    script = f"import pidgr.cli, pidgr.rpc.app, sys; print({LATE} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
