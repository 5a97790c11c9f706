"""Browsers that receive pushes, which are beside the platforms of the contract."""

import uuid
from collections.abc import Mapping
from typing import Final

from pidgr.clock import Clock
from pidgr.directory import member_store
from pidgr.errors import NotFoundError, UnauthenticatedError, invalid_field
from pidgr.identity.caller import Caller
from pidgr.inbox import web_push_store
from pidgr.inbox.web_push_store import StoredSubscription
from pidgr.outreach.web_push import PushServices, Subscription, SubscriptionError
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.validation import require_uuid

_IDS: Final = uuid.UUID("9b6a9a0e-3f4e-4c1c-8f7d-0f6f5e2c7d41")
_MOST: Final = 20
"""Browsers of a member. A cleared browser subscribes anew, and nobody says farewell for the old."""


class WebPushSubscriptions:
    """Keeps the subscriptions of members' browsers."""

    def __init__(self, database: Database, services: PushServices, clock: Clock) -> None:
        self._database = database
        self._services = services
        self._clock = clock

    async def register(self, caller: Caller, values: Mapping[str, object]) -> str:
        """Store or renew a subscription of the caller's and return its id.

        Raises:
            InvalidArgumentError: not a subscription, or of a push service that is not spoken to.
            PermissionDeniedError: the caller is an API key.
            UnauthenticatedError: the caller has just been deactivated.
        """
        person = caller.member()
        try:
            subscription = Subscription.of(values)
        except SubscriptionError as error:
            raise invalid_field("subscription", str(error)) from error
        if self._services.of(subscription.endpoint) is None:
            known = ", ".join(self._services.names)
            told = f"endpoint must belong to a push service this server speaks to: {known}"
            raise invalid_field("subscription", told)
        subscription_id = str(uuid.uuid5(_IDS, subscription.endpoint))
        now = self._clock.now()

        def work(unit: Transaction) -> None:
            # See DeviceService.register.
            if not member_store.hold_open_member(unit, caller.organization_key, person.key):
                raise UnauthenticatedError("this member has been deactivated")
            web_push_store.register(
                unit,
                caller.organization_key,
                person.key,
                subscription_id=subscription_id,
                push_token=subscription.token,
                now=now,
                most=_MOST,
            )

        await self._database.write(work)
        return subscription_id

    async def remove(self, caller: Caller, subscription_id: str) -> None:
        """Stop pushes to one of the caller's browsers.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: the caller has no such subscription.
            PermissionDeniedError: the caller is an API key.
        """
        person = caller.member()
        wanted = require_uuid("id", subscription_id)
        removed = await self._database.write(
            lambda unit: web_push_store.remove(unit, caller.organization_key, person.key, wanted)
        )
        if not removed:
            raise NotFoundError(f"you have no subscription with the id {wanted}")

    async def subscriptions(self, caller: Caller) -> list[StoredSubscription]:
        """Return the caller's subscriptions, last seen first.

        Raises:
            PermissionDeniedError: the caller is an API key.
        """
        person = caller.member()
        return await self._database.read(
            lambda unit: web_push_store.subscriptions(unit, caller.organization_key, person.key)
        )
