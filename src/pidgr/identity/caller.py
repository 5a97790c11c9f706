"""The authenticated caller of an RPC."""

from dataclasses import dataclass

from pidgr.contract.v1.common_pb import Permission
from pidgr.errors import PermissionDeniedError, UnauthenticatedError


@dataclass(frozen=True, slots=True)
class Organization:
    """The tenant a call is scoped to."""

    key: int
    id: str
    suspended: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person as a member of the call's organization."""

    key: int
    id: str
    email: str
    role_id: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, for which organization, with which rights.

    A person without an organization (a token from before sign-up) has ``subject`` and ``email``
    and neither ``organization`` nor ``person``. An API key has ``api_key_id`` and no ``person``.
    """

    organization: Organization | None = None
    person: Person | None = None
    permissions: frozenset[Permission] = frozenset()
    api_key_id: str = ""
    # When that key expires, in microseconds; None for one that does not, and for people.
    api_key_expires_at: int | None = None
    subject: str = ""
    email: str = ""
    # How the person signed in (RFC 8176), as far as their token tells.
    methods: frozenset[str] = frozenset()
    # When they did, in microseconds, as far as their token tells.
    authenticated_at: int | None = None
    # Id of the application (OAuth client) that calls for the person, within what they allowed it;
    # empty when they call themselves.
    client_id: str = ""
    # A service of this installation, which has no rights of its own and calls what nobody else may.
    internal: bool = False
    # Id of the request they call with, as the log has it.
    request_id: str = ""

    @property
    def organization_key(self) -> int:
        """Return the key every store statement is scoped by.

        Raises:
            UnauthenticatedError: the credential names no organization.
        """
        if self.organization is None:
            message = "this call needs a credential that belongs to an organization"
            raise UnauthenticatedError(message)
        return self.organization.key

    @property
    def organization_id(self) -> str:
        """Return the id of the organization, empty if the credential names none."""
        return self.organization.id if self.organization else ""

    @property
    def actor_id(self) -> str:
        """Return the id of the member or API key behind the call."""
        return self.person.id if self.person else self.api_key_id

    def member(self) -> Person:
        """Return the person, for RPCs on the caller's own records.

        Raises:
            PermissionDeniedError: the caller is an API key, which has no inbox or devices.
        """
        if self.person is None:
            raise PermissionDeniedError("this call acts for a person; sign in as a member")
        return self.person

    def has(self, *permissions: Permission) -> bool:
        """Tell whether the caller holds any of the permissions."""
        return not self.permissions.isdisjoint(permissions)

    def require(self, *permissions: Permission) -> None:
        """Demand any one of the permissions.

        Raises:
            PermissionDeniedError: in the contract's wording, names without their prefix.
        """
        if not self.has(*permissions):
            names = " or ".join(permission.name for permission in permissions)
            raise PermissionDeniedError(f"requires {names} permission")


ANONYMOUS = Caller()
