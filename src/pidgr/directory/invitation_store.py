"""SQL of invitations that wait for their mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class WaitingInvitation:
    """An invitation whose mail has not left, with what its mail says."""

    member_key: int
    member_id: str
    email: str
    name: str
    status: int
    preferred_locale: str
    organization_name: str
    default_locale: str
    expires_at: int | None


_ADD: Final = """
    insert into invitation_mail (member_key, organization_key, batch, created_at)
    select key, organization_key, :batch, :now from member
    where {hint}organization_key = :organization_key and id {ids}
    on conflict (member_key) do update set batch = excluded.batch, created_at = excluded.created_at
"""
# "+" keeps SQLite off the organization's index: see member_store.
_INSERT: Final = Statement(
    _ADD.format(hint="+", ids="in (select value from json_each(:ids))"),
    postgresql=_ADD.format(hint="", ids="= any(:ids)"),
)
_NEXT: Final = Statement("""
    select m.key, m.id, m.email, m.name, m.status, m.preferred_locale, o.name, o.default_locale,
           o.expires_at
    from invitation_mail i
    join member m on m.key = i.member_key
    join organization o on o.key = i.organization_key
    where i.batch = :batch
    order by i.member_key limit 1
""")
_DELETE: Final = Statement("""
    delete from invitation_mail where member_key = :member_key and batch = :batch
""")


def insert_invitations(
    transaction: Transaction,
    organization_key: int,
    member_ids: Sequence[str],
    batch: str,
    now: int,
) -> None:
    """Let members wait for their mail; who waits already waits with this batch instead."""
    parameters = {
        "organization_key": organization_key,
        "ids": transaction.array(member_ids),
        "batch": batch,
        "now": now,
    }
    transaction.execute(_INSERT, parameters)


def next_invitation(reader: Reader, batch: str) -> WaitingInvitation | None:
    """Return one of a batch that waits."""
    return reader.record(WaitingInvitation, _NEXT, {"batch": batch})


def forget_invitation(transaction: Transaction, member_key: int, batch: str) -> None:
    """Note that an invitation waits no more, unless it was made again meanwhile."""
    transaction.execute(_DELETE, {"member_key": member_key, "batch": batch})
