"""An installation under test: its database, its people, its processes and its push gateway."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from faults.api import Api
from faults.gateway import Gateway
from faults.processes import Process
from pidgr import operations
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.clock import DAY
from pidgr.contract.v1.common_pb import Platform
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory import member_store, role_store
from pidgr.directory.member_store import NewMember
from pidgr.engine import rows
from pidgr.identity import operator, permissions
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction
from pidgr.system import build_system, migrate

TEAM: Final = "People team"
# Some have no device, and some lack what the personalised template needs.
NO_DEVICE_EVERY: Final = 10
NO_DEPARTMENT_EVERY: Final = 97

_ORGANIZATION: Final = Statement("select key from organization where id = :id")
_MEMBER_KEYS: Final = Statement("select id, key from member where organization_key = :key")
_CAMPAIGN_KEY: Final = Statement("select key from campaign where id = :id")
_DEVICE_COLUMNS: Final = (
    "id",
    "organization_key",
    "member_key",
    "platform",
    "push_token",
    "active",
    "last_seen_at",
    "created_at",
)

SEND: Final[dict[str, Any]] = {
    "id": "send",
    "type": "STEP_TYPE_SEND_NOTIFICATION",
    "send_notification": {
        "type": "push",
        "action_type": "ACTION_TYPE_ACK",
        "action_label": "Got it",
    },
}
MISSED: Final = {"id": "missed", "type": "STEP_TYPE_MARK_MISSED"}
SEND_THEN_MISSED: Final = {"steps": [{**SEND, "transitions": {"completed": "missed"}}, MISSED]}
SEND_WAIT_MISSED: Final = {
    "steps": [
        {**SEND, "transitions": {"completed": "wait"}},
        {
            "id": "wait",
            "type": "STEP_TYPE_DEADLINE_CHECK",
            "deadline_check": {"delay": "1m"},
            "transitions": {"completed": "missed"},
        },
        MISSED,
    ]
}
SEND_ONLY: Final = {"steps": [SEND]}

SHARED: Final[dict[str, Any]] = {"name": "Shared", "title": "New policy", "body": "Please read."}
PERSONAL: Final[dict[str, Any]] = {
    "name": "Personal",
    "title": "New policy for {{name}}",
    "body": "Hello {{name}} of {{department}}, please read.",
    "variables": [
        {"name": "name", "source": "TEMPLATE_VARIABLE_SOURCE_PROFILE"},
        {"name": "department", "source": "TEMPLATE_VARIABLE_SOURCE_PROFILE", "required": True},
    ],
}


@dataclass
class Person:
    id: str
    devices: tuple[str, ...]
    has_department: bool


@dataclass
class Tenant:
    id: str
    api_key: str
    people: list[Person] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [person.id for person in self.people]


class Deployment:
    def __init__(self, database_url: str, directory: Path) -> None:
        self.database_url = database_url
        self.directory = directory
        self.gateway = Gateway()
        self.processes: list[Process] = []
        self.database = Database(database_url)
        migrate(self.database)
        self._settings = Settings(data_dir=directory, database_url=database_url)

    def close(self) -> None:
        for process in self.processes:
            if process.running:
                process.kill()
        self.gateway.close()
        self.database.close()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PIDGR_DATA_DIR": str(self.directory),
            "PIDGR_DATABASE_URL": self.database_url,
            "PIDGR_PUSH_URL": self.gateway.url,
            "PIDGR_PORT": "0",
            "PIDGR_RATE_LIMIT_PER_SECOND": "1000000",
            "PIDGR_RATE_LIMIT_BURST": "1000000",
            "PIDGR_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
        }

    def _start(self, *arguments: str, **environment: str) -> Process:
        log = self.directory / f"process-{len(self.processes)}.log"
        process = Process(list(arguments), {**self._environment, **environment}, log)
        self.processes.append(process)
        return process

    def serve(self, **environment: str) -> tuple[Process, str]:
        """Start a server; return it and its URL."""
        process = self._start("serve", **environment)
        return process, process.wait_ready().rpartition(" ")[2]

    def worker(self, **environment: str) -> Process:
        process = self._start("worker", **environment)
        process.wait_ready()
        return process

    def found(self, people: int, devices_each: int = 1) -> Tenant:
        """Store an organization with members and devices. Only while no server runs."""
        system = build_system(self._settings, run_handlers=False)
        try:
            name = f"Organization {uuid.uuid4()}"
            created = operations.found_organization(system, name, f"{uuid.uuid4()}@example.com")
        finally:
            system.close()
        tenant = Tenant(created["organization_id"], created["api_key"])
        self.database.write_now(lambda unit: _populate(unit, tenant, people, devices_each))
        return tenant

    @property
    def several_batches(self) -> int:
        """How many people are pushed to in more batches than there are lanes at once."""
        return 6_000 if self.database.dialect == "sqlite" else 18_000

    def tokens(self, user_ids: Sequence[str]) -> dict[str, str]:
        """Mint access tokens. Only while no server runs."""
        system = build_system(self._settings, run_handlers=False)
        now = system.clock.now()

        def mint(unit: Transaction) -> dict[str, str]:
            return {
                user_id: operator.mint_token(unit, system.signer, user_id, DAY, now)
                for user_id in user_ids
            }

        try:
            return system.database.write_now(mint)
        finally:
            system.close()

    def delivery_ids(self) -> DeliveryIds:
        """How the ids of deliveries are computed. Only while no server runs."""
        system = build_system(self._settings, run_handlers=False)
        system.close()
        return system.delivery_ids

    def create_campaign(
        self,
        api: Api,
        tenant: Tenant,
        *,
        workflow: dict[str, Any] = SEND_THEN_MISSED,
        template: dict[str, Any] = SHARED,
    ) -> str:
        made = api("TemplateService/CreateTemplate", **template)["template"]
        created = api(
            "CampaignService/CreateCampaign",
            name="Policy",
            template_id=made["id"],
            user_ids=tenant.ids,
            sender_name=TEAM,
            workflow=workflow,
        )
        return str(created["campaign"]["id"])

    def campaign_key(self, campaign_id: str) -> int:
        key: int = self.database.read_now(
            lambda reader: reader.value(_CAMPAIGN_KEY, {"id": campaign_id})
        )
        return key

    def fire_timer(self, key: str) -> None:
        """Let a waiting task start now, as if its time had come."""
        self.database.write_now(lambda unit: rows.move(unit, key, 0))


def _populate(unit: Transaction, tenant: Tenant, people: int, devices_each: int) -> None:
    now = time.time_ns() // 1_000
    organization_key: int = unit.value(_ORGANIZATION, {"id": tenant.id})
    role_key = role_store.roles_by_slug(unit, organization_key)[permissions.EMPLOYEE].key
    members = [
        NewMember(
            email=f"person{number}.{tenant.id}@example.com",
            name=f"Person {number}",
            status=UserStatus.ACTIVE,
            role_key=role_key,
            profile=UserProfile(department="" if number % NO_DEPARTMENT_EVERY == 0 else "Sales"),
        )
        for number in range(1, people + 1)
    ]
    member_store.insert_members(unit, organization_key, members, now)
    unit.execute(
        Statement("""
            insert into team (id, organization_key, name, name_folded, created_at, updated_at)
            values (:id, :organization_key, :name, :folded, :now, :now)
        """),
        {
            "id": str(uuid.uuid4()),
            "organization_key": organization_key,
            "name": TEAM,
            "folded": TEAM.lower(),
            "now": now,
        },
    )
    keys: dict[str, int] = dict(unit.rows(_MEMBER_KEYS, {"key": organization_key}))
    for number, member in enumerate(members, 1):
        count = 0 if number % NO_DEVICE_EVERY == 0 else devices_each
        devices = tuple(str(uuid.uuid4()) for _ in range(count))
        tenant.people.append(Person(member.id, devices, bool(member.profile.department)))
    unit.bulk_insert(
        "device",
        _DEVICE_COLUMNS,
        (
            (
                device,
                organization_key,
                keys[person.id],
                int(Platform.IOS),
                f"token-{device}",
                True,
                now,
                now,
            )
            for person in tenant.people
            for device in person.devices
        ),
    )
    if unit.dialect == "postgresql":
        member_store.refresh_statistics(unit)


def value(database: Database, text: str, **parameters: object) -> Any:
    """Return a single value straight from the database."""
    statement = Statement(text)

    def read(reader: Reader) -> Any:
        return reader.value(statement, parameters)

    return database.read_now(read)
