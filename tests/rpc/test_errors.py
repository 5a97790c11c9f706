"""What a client sees of errors: a service with defects behind the real front door."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from support.grpc_client import Client, compiled_stubs

from pidgr import errors
from pidgr.clock import Clock
from pidgr.contract.v1 import team_pb
from pidgr.identity.caller import Caller
from pidgr.rpc.binding import bind
from pidgr.rpc.idempotency import Idempotency
from pidgr.rpc.interceptors import Observe
from pidgr.rpc.server import BackgroundServer, ServerOptions
from pidgr.rpc.service_app import ServiceApp
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database

TEAMS = team_pb.desc().services[0]
SECRET = "the password is swordfish"


class Defective:
    """Raises whatever the test puts into ``problem``."""

    problem: Exception

    def get_team(self, _request: object, _caller: Caller, _unit: object) -> None:
        raise self.problem

    def create_team(self, _request: object, _caller: Caller, _unit: object) -> None:
        raise self.problem


@pytest.fixture(scope="module")
def service() -> Defective:
    return Defective()


@pytest.fixture(scope="module")
def client(service: Defective, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path: Path = tmp_path_factory.mktemp("data") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    idempotency = Idempotency(MasterKey("a master key for tests, long enough"), Clock())
    bound = bind(TEAMS, service, database, idempotency)

    def app() -> Any:
        return ServiceApp(TEAMS, bound, interceptors=(Observe(),))

    with (
        BackgroundServer(app, ServerOptions(port=0)) as server,
        grpc.insecure_channel(server.url.partition("//")[2]) as channel,
    ):
        yield Client(channel, compiled_stubs())
    database.close()


Fail = Callable[[Exception], grpc.Call]


@pytest.fixture(params=["TeamService/GetTeam", "TeamService/CreateTeam"])
def fail(request: pytest.FixtureRequest, service: Defective, client: Client) -> Fail:
    """Let a reading or a writing RPC raise, and return what the client gets."""

    def run(problem: Exception) -> grpc.Call:
        service.problem = problem
        return client.error(request.param)

    return run


def details(error: grpc.Call) -> dict[str, Any]:
    """Return the google.rpc details by their names; the status repeats code and message."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    found: dict[str, Any] = {}
    for one in status.details:
        name = one.type_url.rpartition(".")[2]
        message = getattr(error_details_pb2, name)()
        assert one.Unpack(message)
        assert name not in found
        found[name] = message
    return found


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.InvalidArgumentError("a"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.UnauthenticatedError("a"), grpc.StatusCode.UNAUTHENTICATED),
        (errors.PermissionDeniedError("a"), grpc.StatusCode.PERMISSION_DENIED),
        (errors.NotFoundError("a"), grpc.StatusCode.NOT_FOUND),
        (errors.AlreadyExistsError("a"), grpc.StatusCode.ALREADY_EXISTS),
        (errors.FailedPreconditionError("a"), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.ResourceExhaustedError("a"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.UnavailableError("a"), grpc.StatusCode.UNAVAILABLE),
        (errors.UnimplementedError("a"), grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_our_errors_keep_their_sentence_and_name_their_reason(
    fail: Fail, problem: errors.PidgrError, code: grpc.StatusCode
) -> None:
    error = fail(problem)
    assert error.code() is code
    assert error.details() == "a"
    info = details(error)["ErrorInfo"]
    assert (info.domain, info.reason) == ("pidgr.v1", code.name)


def test_every_error_of_ours_has_a_code() -> None:
    from pidgr.rpc.error_mapping import _CODES

    ours = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.PidgrError)
    }
    assert ours - {errors.PidgrError} == set(_CODES)


@pytest.mark.parametrize("problem", [ZeroDivisionError(SECRET), KeyError(SECRET), OSError(SECRET)])
def test_a_defect_shows_an_opaque_id_and_its_text_is_only_in_the_log(
    fail: Fail, problem: Exception
) -> None:
    with structlog.testing.capture_logs() as logged:
        error = fail(problem)
    assert error.code() is grpc.StatusCode.INTERNAL
    info = details(error)["ErrorInfo"]
    error_id = info.metadata["error_id"]
    assert len(error_id) == 32
    assert error_id in error.details()
    seen = f"{error.details()} {error.trailing_metadata()!r} {error.initial_metadata()!r}"
    assert "swordfish" not in seen
    assert type(problem).__name__ not in seen
    (entry,) = [entry for entry in logged if entry["event"] == "unexpected error"]
    assert entry["error_id"] == error_id
    assert entry["exc_info"] is problem


def test_two_defects_have_two_ids(fail: Fail) -> None:
    ids = {details(fail(ValueError()))["ErrorInfo"].metadata["error_id"] for _ in range(2)}
    assert len(ids) == 2


def test_bad_fields_are_listed_by_path(fail: Fail) -> None:
    violations = errors.Violations()
    violations.add("name", "must not be empty")
    violations.add("pagination.page_size", "must not be negative")
    with pytest.raises(errors.InvalidArgumentError) as raised:
        violations.raise_if_any()
    error = fail(raised.value)
    assert error.details() == (
        "name: must not be empty; pagination.page_size: must not be negative"
    )
    listed = details(error)["BadRequest"].field_violations
    assert [(one.field, one.description) for one in listed] == [
        ("name", "must not be empty"),
        ("pagination.page_size", "must not be negative"),
    ]


def test_how_long_to_wait_is_a_header_and_a_detail(fail: Fail) -> None:
    error = fail(errors.ResourceExhaustedError("slower", retry_after_seconds=1.25))
    retry = details(error)["RetryInfo"].retry_delay
    assert (retry.seconds, retry.nanos) == (1, 250_000_000)
    headers = [*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())]
    assert [value for name, value in headers if name == "retry-after"] == ["2"]


@pytest.mark.parametrize("character", ["x", "ü", "界", "🦆"])
@pytest.mark.parametrize("count", [1, 20, 10_000])
def test_an_error_fits_into_the_8_kib_that_clients_allow_whatever_it_quotes(
    fail: Fail, character: str, count: int
) -> None:
    violations = errors.Violations()
    for number in range(count):
        violations.add(f"items[{number}].{character * 1_000}", character * 1_000)
    with pytest.raises(errors.InvalidArgumentError) as raised:
        violations.raise_if_any()
    error = fail(raised.value)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("items[0].")
    listed = details(error)["BadRequest"].field_violations
    assert 1 <= len(listed) <= count
    assert listed[0].field.startswith(f"items[0].{character}")
