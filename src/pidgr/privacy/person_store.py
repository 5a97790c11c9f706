"""SQL that reads everything that is known of one person in one organization."""

from typing import Final

from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, LANE_OF_DELIVERY
from pidgr.privacy.member_columns import MEMBER, PROVISIONED
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader

# What each part of the answer is called, its columns, and how to read it.
_PARTS: Final[dict[str, tuple[tuple[str, ...], Statement]]] = {
    "profile": (
        (*MEMBER, *PROVISIONED, "role"),
        Statement(f"""
            select {", ".join(f"m.{name}" for name in MEMBER)},
                   {", ".join(PROVISIONED.values())}, r.name
            from member m join role r on r.key = m.role_key
            left join scim_user s on s.member_key = m.key
            where m.organization_key = :organization_key and m.key = :member_key
        """),
    ),
    **{
        name: (
            ("id", "name"),
            Statement(f"""
                select c.id, c.name from {table}_member x join {table} c on c.key = x.{table}_key
                where x.member_key = :member_key and c.organization_key = :organization_key
                order by c.key
            """),
        )
        for name, table in (("groups", "recipient_group"), ("teams", "team"))
    },
    # Without the token, by which others could push to it.
    "devices": (
        ("id", "platform", "active", "last_seen_at", "created_at"),
        Statement("""
            select id, platform, active, last_seen_at, created_at from device
            where organization_key = :organization_key and member_key = :member_key
            order by created_at, id
        """),
    ),
    "browsers": (
        ("id", "last_seen_at", "created_at"),
        Statement("""
            select id, last_seen_at, created_at from web_push_subscription
            where organization_key = :organization_key and member_key = :member_key
            order by created_at, id
        """),
    ),
    "telegram": (
        ("chat_id", "opened_at"),
        Statement("""
            select chat_id, opened_at from telegram_chat
            where organization_key = :organization_key and member_key = :member_key
              and chat_id is not null
        """),
    ),
    "messages": (
        (
            "step_run_key",
            "ordinal",
            "campaign_id",
            "campaign_name",
            "sender_name",
            "kind",
            "status",
            "created_at",
            "delivered_at",
            "read_at",
            "acted_at",
            "title",
            "body",
        ),
        Statement(f"""
            select d.step_run_key, d.ordinal, k.id, k.name, k.sender_name, d.kind,
                   {EFFECTIVE_STATUS}, d.created_at, d.delivered_at, d.read_at, d.acted_at,
                   coalesce(b.title, c.title), coalesce(b.body, c.body)
            from delivery d
            {LANE_OF_DELIVERY}
            join campaign k on k.key = r.campaign_key
            left join content c on c.key = d.content_key
            left join delivery_body b on b.step_run_key = d.step_run_key and b.ordinal = d.ordinal
            where d.organization_key = :organization_key and d.member_key = :member_key
            order by d.step_run_key, d.ordinal
        """),
    ),
    "nudges": (
        ("campaign_id", "campaign_name", "channel", "status", "reason", "settled_at"),
        Statement("""
            select k.id, k.name, n.channel, n.status, n.reason, n.settled_at
            from nudge n
            join step_run r on r.key = n.step_run_key
            join campaign k on k.key = r.campaign_key
            where n.organization_key = :organization_key and n.member_key = :member_key
            order by n.step_run_key, n.channel
        """),
    ),
    "sessions": (
        ("method", "created_at", "refreshed_at", "expires_at", "revoked_at"),
        Statement("""
            select s.method, s.created_at, s.refreshed_at, s.expires_at, s.revoked_at
            from sign_in_session s
            join member m on m.subject = s.subject and m.key = :member_key
            where s.organization_key = :organization_key and m.organization_key = :organization_key
            order by s.key
        """),
    ),
    "passkeys": (
        ("name", "created_at", "last_used_at"),
        Statement("""
            select p.name, p.created_at, p.last_used_at
            from passkey p join member m on m.subject = p.subject and m.key = :member_key
            where m.organization_key = :organization_key
            order by p.key
        """),
    ),
    "audit_events": (
        ("id", "event_type", "entity_type", "entity_id", "facts", "created_at"),
        Statement("""
            select e.id, e.event_type, e.entity_type, e.entity_id, e.facts, e.created_at
            from audit_event e
            join member m on m.id = e.actor_id and m.key = :member_key
            where e.organization_key = :organization_key and m.organization_key = :organization_key
            order by e.created_at, e.key
        """),
    ),
}

CATEGORIES: Final = tuple(_PARTS)
"""The kinds of data, in the order of an export."""


def part(
    reader: Reader, category: str, organization_key: int, member_key: int
) -> list[dict[str, object]]:
    """Return one kind of a person's data, each thing with the names of its columns."""
    columns, statement = _PARTS[category]
    parameters = {"organization_key": organization_key, "member_key": member_key}
    return [dict(zip(columns, row, strict=True)) for row in reader.rows(statement, parameters)]
