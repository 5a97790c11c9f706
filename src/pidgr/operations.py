"""What the command line does to the database without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from pidgr.identity import operator, permissions
from pidgr.settings import Settings
from pidgr.storage.transaction import Transaction
from pidgr.system import System, build_system

_ADMIN_KEY_NAME = "created by pidgr admin create-org"


@contextmanager
def system_of(settings: Settings) -> Iterator[System]:
    """Open the installation for the length of a command."""
    system = build_system(settings, run_handlers=False)
    try:
        yield system
    finally:
        system.close()


def create_organization(settings: Settings, name: str, admin_email: str) -> dict[str, str]:
    """Create an organization with its first super admin and an API key of every permission.

    Raises:
        AlreadyExistsError: the name is taken.
        InvalidArgumentError: a bad name or address.
    """
    with system_of(settings) as system:
        return found_organization(system, name, admin_email)


def found_organization(system: System, name: str, admin_email: str) -> dict[str, str]:
    """Do the same in an installation that is open."""
    from pidgr.directory.founding import (  # noqa: PLC0415
        NewOrganization,
        create_organization,
    )

    def work(transaction: Transaction) -> dict[str, str]:
        now = system.clock.now()
        founding = create_organization(
            transaction, NewOrganization(name), admin_email=admin_email, now=now
        )
        key = operator.create_api_key(
            transaction, founding.organization_key, _ADMIN_KEY_NAME, permissions.ASSIGNABLE, now
        )
        return {
            "organization_id": founding.organization_id,
            "admin_user_id": founding.admin_id,
            "api_key": key,
        }

    return system.database.write_now(work)


def mint_token(settings: Settings, user_id: str, lifetime: int) -> str:
    """Return an access token for a member.

    Args:
        settings: which installation.
        user_id: the member.
        lifetime: microseconds.

    Raises:
        NotFoundError: no such member.
        FailedPreconditionError: the member is deactivated.
    """
    with system_of(settings) as system:
        return system.database.write_now(
            lambda transaction: operator.mint_token(
                transaction, system.signer, user_id, lifetime, system.clock.now()
            )
        )
