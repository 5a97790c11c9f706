"""One installation under measurement: a database with people in it and a server on top."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.databases import Workbench, fresh_url
from bench.plan import Kind
from bench.population import Population
from bench.serving import Process, Server, serving, working
from pidgr import operations
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.clock import HOUR
from pidgr.identity import operator
from pidgr.secrets import load_master_key
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.system import System, build_system, migrate

# People whose inboxes are read and who acknowledge.
_READERS: Final = 200
_SENDER: Final = "The bench"
DEADLINE_STEP: Final = "deadline"
_SHARED_BODY: Final = "# A new travel policy\n\nPlease **read** it and confirm. " + (
    "It applies to every trip that is booked from the first of next month on. " * 12
)
_PERSONAL_BODY: Final = (
    "# Dear {{first_name}} {{last_name}}\n\n"
    "The travel policy of {{department}} changes. Please **read** it and confirm. "
    "It applies to every trip that is booked from the first of next month on. "
    "It applies to every trip that is booked from the first of next month on."
)
_WAIT_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Installation:
    """What the measurements need of an installation."""

    kind: Kind
    directory: Path
    server: Server
    worker: Process
    bench: Workbench
    population: Population
    delivery_ids: DeliveryIds
    api_key: str
    admin_id: str
    tokens: tuple[str, ...]
    templates: dict[str, str]

    def call(self, rpc: str, **request: Any) -> Any:  # noqa: ANN401 - JSON
        """Call as the administrator."""
        return self.server.call(rpc, self.api_key, request)

    def campaign(
        self, template: str, recipients: int, people: int = 0, *, deadline: str = ""
    ) -> str:
        """Make a campaign of one send and return its id.

        Args:
            template: ``shared`` or ``personalised``.
            recipients: how many deliveries; written past the API, which takes 100,000 at most.
            people: how many members they go to, if fewer.
            deadline: until when the campaign waits after that, as a duration of the contract.
        """
        send: dict[str, Any] = {
            "id": "send",
            "type": "STEP_TYPE_SEND_NOTIFICATION",
            "sendNotification": {"type": "push", "actionLabel": "Got it"},
        }
        steps = [send]
        if deadline:
            send["transitions"] = {"completed": DEADLINE_STEP}
            steps.append(
                {
                    "id": DEADLINE_STEP,
                    "type": "STEP_TYPE_DEADLINE_CHECK",
                    "deadlineCheck": {"delay": deadline},
                }
            )
        created = self.call(
            "CampaignService/CreateCampaign",
            name="Bench",
            templateId=self.templates[template],
            userIds=[self.admin_id],
            senderName=_SENDER,
            # Or a deadline would end at once, as nobody can be reached who has no device.
            waitForEnrollment=bool(deadline),
            workflow={"steps": steps},
        )
        campaign_id: str = created["campaign"]["id"]
        self.population.address(campaign_id, recipients, people or recipients)
        return campaign_id

    def start(self, campaign_id: str) -> None:
        """Start a campaign."""
        self.call("CampaignService/StartCampaign", campaignId=campaign_id)

    def await_end(self, campaign_id: str) -> int:
        """Wait until the send is over; returns when it ended, in microseconds of wall time.

        Raises:
            TimeoutError: it did not end.
        """
        return self._await(
            """
            select r.finished_at from step_run r join campaign c on c.key = r.campaign_key
            where c.id = :id and r.finished_at is not null
            """,
            campaign_id,
        )

    def await_deadline(self, campaign_id: str) -> int:
        """Wait until a campaign waits for its deadline and return its key.

        Raises:
            TimeoutError: it does not.
        """
        return self._await(
            """
            select c.key from campaign c join step_run r on r.campaign_key = c.key
            where c.id = :id and r.due_at is not null
            """,
            campaign_id,
        )

    def _await(self, question: str, campaign_id: str) -> int:
        """Ask until there is a row and return its number."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            row = self.bench.run(question, id=campaign_id).fetchone()
            if row is not None:
                number: int = row[0]
                return number
            time.sleep(0.02)
        raise TimeoutError(campaign_id)

    def run_key(self, campaign_id: str) -> int:
        """Return the key of a campaign's only step run."""
        key: int = self.bench.value(
            """
            select r.key from step_run r join campaign c on c.key = r.campaign_key
            where c.id = :id
            """,
            id=campaign_id,
        )
        return key


@contextmanager
def installation(kind: Kind, members: int, directory: Path) -> Iterator[Installation]:
    """Set up a database with so many members and serve it."""
    with fresh_url(kind, directory) as url:
        environment = {
            "PIDGR_DATA_DIR": str(directory / "data"),
            "PIDGR_DATABASE_URL": url,
            "PIDGR_RATE_LIMIT_PER_SECOND": "1e9",
            "PIDGR_RATE_LIMIT_BURST": "1000000000",
            "PIDGR_PORT": "0",
        }
        settings = Settings(data_dir=directory / "data", database_url=url)
        database = Database(url)
        migrate(database)
        database.close()
        system = build_system(settings, run_handlers=False)
        created = operations.found_organization(system, _SENDER, "bench@example.com")
        bench = Workbench(kind, url)
        population = Population(bench, created["organization_id"])
        population.add_members(members)
        tokens = _mint(system, population.first_ids(_READERS))
        system.close()
        log = directory / "server.log"
        with _processes(kind, environment, log) as (server, worker):
            key = created["api_key"]
            yield Installation(
                kind=kind,
                directory=directory,
                server=server,
                worker=worker,
                bench=bench,
                population=population,
                delivery_ids=DeliveryIds(load_master_key(settings)),
                api_key=key,
                admin_id=created["admin_user_id"],
                tokens=tokens,
                templates=_templates(server, key),
            )
        bench.close()


@contextmanager
def _processes(
    kind: Kind, environment: dict[str, str], log: Path
) -> Iterator[tuple[Server, Process]]:
    """Run what serves the API and what runs campaigns: on SQLite they are one process."""
    serve = ["-m", "pidgr.cli", "serve"]
    if kind == "sqlite":
        with serving(serve, environment, log) as server:
            yield server, server
        return
    apart = environment | {"PIDGR_EMBEDDED_ENGINE": "false"}
    with working(environment, log) as worker, serving(serve, apart, log) as server:
        yield server, worker


def _mint(system: System, member_ids: list[str]) -> tuple[str, ...]:
    def work(transaction: Transaction) -> tuple[str, ...]:
        now = system.clock.now()
        return tuple(
            operator.mint_token(transaction, system.signer, member_id, HOUR, now)
            for member_id in member_ids
        )

    return system.database.write_now(work)


def _templates(server: Server, key: str) -> dict[str, str]:
    names = ("first_name", "last_name", "department")
    variables = [{"name": name, "source": "TEMPLATE_VARIABLE_SOURCE_PROFILE"} for name in names]
    bodies: dict[str, dict[str, Any]] = {
        "shared": {"body": _SHARED_BODY},
        "personalised": {"body": _PERSONAL_BODY, "variables": variables},
    }
    return {
        name: server.call(
            "TemplateService/CreateTemplate",
            key,
            {"name": name, "title": "A new travel policy", **fields},
        )["template"]["id"]
        for name, fields in bodies.items()
    }


def scratch_file(directory: Path, suffix: str) -> Path:
    """Return a new file name in the directory."""
    return directory / f"{os.getpid()}-{secrets.token_hex(4)}{suffix}"
