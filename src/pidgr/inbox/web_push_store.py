"""SQL of browsers' subscriptions to pushes."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription as it may be shown: without what pushes to it need."""

    id: str
    last_seen_at: int
    created_at: int


# An endpoint is one browser, whoever uses it and in whichever organization, as a device's id is one
# phone: it moves to the caller.
_REGISTER: Final = Statement("""
    insert into web_push_subscription
      (id, organization_key, member_key, push_token, last_seen_at, created_at)
    values (:id, :organization_key, :member_key, :push_token, :now, :now)
    on conflict (id) do update set
      organization_key = excluded.organization_key,
      member_key = excluded.member_key,
      push_token = excluded.push_token,
      last_seen_at = excluded.last_seen_at,
      created_at = case when web_push_subscription.member_key = excluded.member_key
        then web_push_subscription.created_at else excluded.created_at end
""")
_KEEP_NEWEST: Final = Statement("""
    delete from web_push_subscription
    where organization_key = :organization_key and member_key = :member_key and id not in (
      select id from web_push_subscription
      where organization_key = :organization_key and member_key = :member_key
      order by last_seen_at desc, id limit :most)
""")
_REMOVE: Final = Statement("""
    delete from web_push_subscription
    where organization_key = :organization_key and member_key = :member_key and id = :id
""")
_OF_MEMBER: Final = Statement("""
    select id, last_seen_at, created_at from web_push_subscription
    where organization_key = :organization_key and member_key = :member_key
    order by last_seen_at desc, id
""")


def register(
    transaction: Transaction,
    organization_key: int,
    member_key: int,
    *,
    subscription_id: str,
    push_token: str,
    now: int,
    most: int,
) -> None:
    """Store a subscription as the member's, or renew it; only the ``most`` newest are kept."""
    member = {"organization_key": organization_key, "member_key": member_key}
    values = {"id": subscription_id, "push_token": push_token, "now": now}
    transaction.execute(_REGISTER, member | values)
    transaction.execute(_KEEP_NEWEST, member | {"most": most})


def remove(
    transaction: Transaction, organization_key: int, member_key: int, subscription_id: str
) -> bool:
    """Forget a member's subscription; False when they have no such one."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "id": subscription_id,
    }
    return transaction.execute(_REMOVE, parameters) == 1


def subscriptions(
    reader: Reader, organization_key: int, member_key: int
) -> list[StoredSubscription]:
    """Return a member's subscriptions, last seen first."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    return reader.records(StoredSubscription, _OF_MEMBER, parameters)
