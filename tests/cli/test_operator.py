import json
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from support.serve_process import ServeProcess

from cli.conftest import Command

OURSELVES = json.dumps(
    [{"issuer": "http://localhost:8080", "audience": "a", "jwks_url": "http://localhost:8080/x"}]
)


def test_the_help_fits_one_screen(pidgr: Command) -> None:
    answer = pidgr("--help", columns="80")
    assert answer.status == 0
    assert len(answer.out.splitlines()) <= 24
    for command in ("serve", "worker", "migrate", "doctor", "demo", "admin", "members"):
        assert command in answer.out


def test_the_version_names_the_contract_too(pidgr: Command) -> None:
    assert pidgr("--version").out == f"pidgr {version('pidgr')} (contract pidgr.v1 0.101.0)\n"


def test_create_org_prints_what_a_program_needs(pidgr: Command) -> None:
    created = pidgr(
        "admin", "create-org", "--name", "Acme", "--admin-email", "ada@example.com", "--json"
    )
    assert created.status == 0
    assert created.json.keys() == {"organization_id", "admin_user_id", "api_key"}
    assert created.json["api_key"].startswith("pidgr_k_")


def test_create_org_twice_says_the_name_is_taken(pidgr: Command, organization_id: str) -> None:
    assert organization_id
    again = pidgr("admin", "create-org", "--name", "ACME", "--admin-email", "bob@example.com")
    assert "exists already" in again.sentence()


def test_a_bad_address_is_named(pidgr: Command) -> None:
    answer = pidgr("admin", "create-org", "--name", "Acme", "--admin-email", "ada")
    assert answer.sentence() == "admin_email: must be an e-mail address"


def test_key_and_token_of_the_operator_open_the_api(pidgr: Command, data_dir: Path) -> None:
    with ServeProcess(data_dir) as server:
        organization = server.found()
        token = pidgr("admin", "token", "--user-id", organization.admin_id).out.strip()
        for credential in (organization.api_key, token):
            answer = httpx.post(
                f"{server.url}/pidgr.v1.MemberService/GetUser",
                headers={"authorization": f"Bearer {credential}"},
                json={"userId": organization.admin_id},
            )
            assert answer.json()["user"]["email"] == "ada@example.com"


def test_a_token_for_nobody_is_refused(pidgr: Command) -> None:
    assert (
        pidgr("admin", "token", "--user-id", "nobody").sentence() == "no member has the id nobody"
    )


def test_migrate_may_be_repeated(pidgr: Command, database_url: str) -> None:
    for _ in range(2):
        answer = pidgr("migrate", "--database-url", database_url)
        assert (answer.status, answer.out, answer.err) == (0, "The schema is up to date.\n", "")


@pytest.mark.parametrize(
    "command",
    [
        ("admin", "token", "--user-id", "x"),
        ("admin", "create-org", "--name", "x", "--admin-email", "x@example.com"),
        ("serve", "--port", "0"),
        ("worker",),
    ],
)
def test_postgresql_without_migrations_is_refused_with_what_to_do(
    pidgr: Command, postgres_url: str, command: tuple[str, ...]
) -> None:
    sentence = pidgr(*command, database_url=postgres_url).sentence()
    assert sentence.endswith("run `pidgr migrate`")


def test_a_newer_schema_is_left_alone(pidgr: Command, postgres_url: str) -> None:
    import psycopg

    assert pidgr("migrate", database_url=postgres_url).status == 0
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("update schema_version set version_num = '9999'")
    for command in (("migrate",), ("serve", "--port", "0")):
        assert "a newer version" in pidgr(*command, database_url=postgres_url).sentence()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "the database URL cannot be read"),
        ("mysql://host/name", "'mysql' databases are not supported"),
        ("sqlite://", "a database in memory"),
        ("postgresql://127.0.0.1:1/pidgr", "the database cannot be reached: connection failed"),
        ("sqlite:////nowhere/at/all.db", "the database cannot be reached: unable to open"),
    ],
)
def test_a_bad_database_url_is_one_sentence(pidgr: Command, url: str, sentence: str) -> None:
    assert pidgr("migrate", "--database-url", url).sentence().startswith(sentence)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("port", "many", "PIDGR_PORT: "),
        ("log_level", "loud", "PIDGR_LOG_LEVEL: "),
        ("master_key", "short", "PIDGR_MASTER_KEY needs at least 32 characters"),
        ("master_key_file", "/nowhere", "/nowhere: No such file"),
        ("tls_cert", "cert.pem", "TLS needs both"),
        ("workers", "2", "several workers need PostgreSQL"),
        ("embedded_engine", "false", "PIDGR_EMBEDDED_ENGINE=false needs PostgreSQL"),
        ("trusted_issuers", OURSELVES, "PIDGR_TRUSTED_ISSUERS names PIDGR_ISSUER"),
    ],
)
def test_a_bad_setting_is_one_sentence(
    pidgr: Command, setting: str, value: str, sentence: str
) -> None:
    assert pidgr("serve", **{setting: value}).sentence().startswith(sentence)


def test_another_master_key_is_refused(pidgr: Command, organization_id: str) -> None:
    assert organization_id
    answer = pidgr("serve", "--port", "0", master_key="another key, which is long enough")
    assert "the master key is not the one this database was set up with" in answer.sentence()


def test_a_worker_refuses_sqlite(pidgr: Command) -> None:
    assert pidgr("worker").sentence().startswith("a worker needs PostgreSQL")


def test_a_taken_port_is_one_sentence(pidgr: Command) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        public = pidgr("serve", "--port", str(port)).err.splitlines()[-1]
        internal = pidgr(
            "serve", "--port", "0", internal_port=str(port), internal_token="t" * 32
        ).err.splitlines()[-1]
    taken = f"pidgr: 127.0.0.1:{port} is taken by another program: stop it or give another"
    assert public == f"{taken} --port"
    assert internal == f"{taken} PIDGR_INTERNAL_PORT"


def test_a_second_server_on_the_file_is_refused(pidgr: Command, data_dir: Path) -> None:
    with ServeProcess(data_dir):
        sentence = pidgr("serve", "--port", "0").sentence()
    assert sentence.startswith("another process (pid ")


def test_sigterm_ends_the_server_with_status_0(data_dir: Path) -> None:
    with ServeProcess(data_dir) as server:
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        assert server.terminate() == 0


def test_every_worker_logs_json(pidgr: Command, data_dir: Path, postgres_url: str) -> None:
    assert pidgr("migrate", database_url=postgres_url).status == 0
    with ServeProcess(data_dir, "--workers", "2", database_url=postgres_url) as server:
        answer = httpx.get(f"{server.url}/pidgr.v1.MemberService/ListUsers")
        assert answer.status_code == 415
        called = httpx.post(f"{server.url}/pidgr.v1.MemberService/ListUsers", json={})
        assert called.status_code == 401
        assert server.terminate() == 0
    lines = (data_dir / "serve.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert any(event["event"] == "rpc" for event in events)


def test_a_worker_runs_until_it_is_told_to_stop(
    pidgr: Command, environment: dict[str, str], postgres_url: str
) -> None:
    from cli.conftest import PIDGR

    assert pidgr("migrate", database_url=postgres_url).status == 0
    worker = subprocess.Popen(
        [*PIDGR, "worker", "--database-url", postgres_url],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "Pidgr worker is ready\n"
    worker.terminate()
    assert worker.wait(60) == 0
    worker.stdout.close()


def test_an_application_is_registered_listed_and_removed(pidgr: Command) -> None:
    client = ("admin", "oauth-client")
    added = pidgr(
        *client, "add", "--name", "Reports", "--redirect-uri", "https://reports.example/cb",
        "--scope", "campaigns:read", "--json",
    )  # fmt: skip
    client_id = added.json["client_id"]
    built_in, ours = pidgr(*client, "list", "--json").json["clients"]
    assert built_in["client_id"] == "pidgr-mcp"
    assert ours == {
        "client_id": client_id,
        "name": "Reports",
        "redirect_uris": ["https://reports.example/cb"],
        "scopes": ["campaigns:read"],
    }
    assert pidgr(*client, "remove", client_id).status == 0
    assert "no application" in pidgr(*client, "remove", client_id).sentence()
    assert "built in" in pidgr(*client, "remove", "pidgr-mcp").sentence()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("--redirect-uri", "http://reports.example/cb", "redirect-uri"),
        ("--redirect-uri", "https://reports.example/cb#part", "redirect-uri"),
        ("--scope", "everything", "the scopes are"),
        ("--name", " ", "name"),
    ],
)
def test_a_bad_application_is_refused(pidgr: Command, field: str, value: str, told: str) -> None:
    fields = {
        "--name": "Reports",
        "--redirect-uri": "https://reports.example/cb",
        "--scope": "campaigns:read",
        field: value,
    }
    arguments = [part for pair in fields.items() for part in pair]
    assert told in pidgr("admin", "oauth-client", "add", *arguments).sentence()
