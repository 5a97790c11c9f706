"""An organization in a migrated database, and callers of every kind, for tests of services."""

from collections.abc import Callable
from typing import TypeVar

from pidgr.clock import ManualClock
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import founding, member_store, role_store
from pidgr.directory.founding import Founding, NewOrganization
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.member_service import MemberService
from pidgr.directory.member_store import NewMember
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.identity import permissions
from pidgr.identity.caller import Caller, Organization, Person
from pidgr.pagination import PageTokens
from pidgr.sandboxes.deletion import SandboxDeletion
from pidgr.secrets import MasterKey
from pidgr.storage.blobs import BlobStore
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction
from support.outbox import Outbox

Result = TypeVar("Result")
START = 1_767_225_600_000_000


class Installation:
    """A migrated database with a clock that stands still."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self.database = database
        self.blobs = blobs
        self.clock = ManualClock(START)
        self.page_tokens = PageTokens(MasterKey("a master key for tests, long enough"))
        # Takes tasks and runs none: tests run handlers themselves.
        self.engine = DbosEngine(database, run_handlers=False)
        self.sandbox_deletion = SandboxDeletion(database, self.engine, blobs, self.clock)
        self.outbox = Outbox()
        self.invitation_mail = InvitationMail(
            database, self.engine, self.outbox, self.clock, "https://pidgr.example/inbox"
        )
        self.member_service = MemberService(self.clock, self.page_tokens, self.invitation_mail)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        return self.database.write_now(work)

    def read(self, work: Callable[[Reader], Result]) -> Result:
        return self.database.read_now(work)

    def found(self, name: str = "Acme", admin_email: str = "ada@example.com") -> "Tenant":
        founded = self.write(
            lambda unit: founding.create_organization(
                unit, NewOrganization(name), admin_email=admin_email, now=self.clock.now()
            )
        )
        return Tenant(self, founded)


class Tenant:
    """One organization of an installation."""

    def __init__(self, installation: Installation, founded: Founding) -> None:
        self.installation = installation
        self.key = founded.organization_key
        self.id = founded.organization_id
        self.admin = self.person(founded.admin_id)

    @property
    def scope(self) -> Organization:
        return Organization(self.key, self.id, suspended=False)

    def add_member(
        self,
        email: str,
        *,
        name: str = "",
        role: str = permissions.EMPLOYEE,
        status: UserStatus = UserStatus.ACTIVE,
    ) -> Caller:
        def work(unit: Transaction) -> str:
            role_key = role_store.roles_by_slug(unit, self.key)[role].key
            new = NewMember(email=email, name=name, status=status, role_key=role_key)
            member_store.insert_members(unit, self.key, [new], self.installation.clock.now())
            return new.id

        return self.person(self.installation.write(work))

    def person(self, member_id: str) -> Caller:
        stored = self.installation.read(lambda unit: member_store.member(unit, self.key, member_id))
        assert stored is not None
        return Caller(
            organization=self.scope,
            person=Person(stored.key, stored.id, stored.email, stored.role_id),
            permissions=permissions.from_names(stored.role_permissions),
            subject=stored.id,
            email=stored.email,
        )

    def api_key(self, *granted: Permission) -> Caller:
        return Caller(
            organization=self.scope, permissions=frozenset(granted), api_key_id="key-of-a-program"
        )

    def role_id(self, slug: str) -> str:
        roles = self.installation.read(lambda unit: role_store.roles_by_slug(unit, self.key))
        return roles[slug].id
