"""Calling one service directly, each RPC in a unit of work as the front door opens it."""

from typing import Any

from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Transaction
from support.organization import Tenant


class Calls:
    """A service called as one organization's admin unless told otherwise."""

    def __init__(self, tenant: Tenant, service: object) -> None:
        self.tenant = tenant
        self.service = service

    def __call__(self, rpc: str, request: Any, caller: Caller | None = None) -> Any:
        def work(unit: Transaction) -> Any:
            return getattr(self.service, rpc)(request, caller or self.tenant.admin, unit)

        return self.tenant.installation.write(work)

    def of(self, tenant: Tenant) -> "Calls":
        """Return the same service for another organization."""
        return Calls(tenant, self.service)
