"""SQL that reads everything of an organization, table by table and page by page.

Secrets are left out: tokens of devices, digests, sealed values, sessions. Numbers by which rows are
joined never leave the server; ids stand in for them. A test holds this list against the schema.
"""

from dataclasses import dataclass
from typing import Final

from pidgr.campaigns.delivery_status import EFFECTIVE_STATUS, LANE_OF_DELIVERY
from pidgr.privacy.member_columns import MEMBER, PROVISIONED
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Row

Position = tuple[int | str, int | str]


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of data: what its columns are called, and how a page of it is read.

    Behind the columns stands the position of the row, in two parts; ``start`` is before every one.
    """

    name: str
    columns: tuple[str, ...]
    statement: Statement
    start: Position


_KEY: Final = ("x.key", "0")


def _section(
    name: str,
    columns: dict[str, str],
    source: str,
    key: tuple[str, str],
    scope: str = "x.organization_key = :organization_key",
    *,
    start: Position = (-1, -1),
) -> Section:
    """Return a section.

    Args:
        name: what it is called.
        columns: what each column is called, and the SQL of it.
        source: what is selected from; ``x`` is the table.
        key: SQL of the position, which an index is ordered by.
        scope: SQL that is true of the organization's rows.
        start: a position before every row.
    """
    first, second = key
    # A comparison with a constant in it could use no index.
    behind, order = f"({first}, {second}) > (:first, :second)", f"{first}, {second}"
    if key == _KEY:
        behind, order = f"{first} > :first", first
    return Section(
        name,
        tuple(columns),
        Statement(f"""
            select {", ".join(columns.values())}, {first}, {second} from {source}
            where {scope} and {behind} order by {order} limit :limit
        """),
        start,
    )


def _own(table: str, *names: str, **others: str) -> dict[str, str]:
    """Return columns of a table under their own names, and some under others."""
    return {name: f"{table}.{name}" for name in names} | others


def _collective(table: str, section: str) -> tuple[Section, Section]:
    """Return groups or teams, and who is in them."""
    names = ("id", "name", "description", "is_default", "created_by", "created_at", "updated_at")
    return (
        _section(section, _own("x", *names), f"{table} x", _KEY),
        _section(
            f"{section[:-1]}_members",
            {f"{section[:-1]}_id": "c.id", "user_id": "m.id"},
            f"{table}_member x join {table} c on c.key = x.{table}_key"
            " join member m on m.key = x.member_key",
            (f"x.{table}_key", "x.member_key"),
            # "+": see member_store.
            "+c.organization_key = :organization_key",
        ),
    )


SECTIONS: Final = (
    _section(
        "organization",
        _own(
            "x",
            "id",
            "name",
            "org_type",
            "industry",
            "company_size",
            "default_locale",
            "default_workflow",
            "data_governance_region",
            "sso_attribute_mappings",
            "created_at",
        ),
        "organization x",
        _KEY,
        "x.key = :organization_key",
    ),
    _section(
        "privacy_toggles",
        _own("x", "kind", "enabled", "changed_at"),
        "privacy_toggle x",
        ("x.organization_key", "x.kind"),
        start=(-1, ""),
    ),
    _section(
        "quiet_hours",
        _own("x", "start_minute", "end_minute", "zone", "changed_at"),
        "quiet_hours x",
        ("x.organization_key", "x.start_minute"),
    ),
    _section("roles", _own("x", "id", "slug", "name", "permissions", "created_at"), "role x", _KEY),
    _section(
        "members",
        _own("x", *MEMBER, role="r.slug", **PROVISIONED),
        "member x join role r on r.key = x.role_key left join scim_user s on s.member_key = x.key",
        ("x.sort_name", "x.key"),
        start=("", -1),
    ),
    *_collective("recipient_group", "groups"),
    *_collective("team", "teams"),
    _section(
        "devices",
        _own("x", "id", "platform", "active", "last_seen_at", "created_at", user_id="m.id"),
        "device x join member m on m.key = x.member_key",
        ("x.member_key", "x.id"),
        start=(-1, ""),
    ),
    _section(
        "web_push_subscriptions",
        _own("x", "id", "last_seen_at", "created_at", user_id="m.id"),
        "web_push_subscription x join member m on m.key = x.member_key",
        ("x.member_key", "x.id"),
        start=(-1, ""),
    ),
    _section(
        "telegram_chats",
        _own("x", "chat_id", "opened_at", user_id="m.id"),
        "telegram_chat x join member m on m.key = x.member_key",
        ("x.member_key", "m.id"),
        start=(-1, ""),
    ),
    _section(
        "templates",
        _own("x", "id", "name", "type", "source_locale", "latest_version"),
        "template x",
        _KEY,
    ),
    _section(
        "template_versions",
        _own("x", "version", "title", "body", "variables", "created_at", template_id="t.id"),
        "template_version x join template t on t.key = x.template_key",
        ("x.template_key", "x.version"),
        "t.organization_key = :organization_key",
    ),
    _section(
        "template_translations",
        _own(
            "x",
            "id",
            "version",
            "locale",
            "title",
            "body",
            "status",
            "translated_by",
            "reviewed_by",
            "reviewed_at",
            "created_at",
            template_id="t.id",
        ),
        "template_translation x join template t on t.key = x.template_key",
        _KEY,
        "t.organization_key = :organization_key",
    ),
    _section(
        "campaigns",
        _own(
            "x",
            "id",
            "name",
            "title",
            "sender_name",
            "template_version",
            "workflow",
            "status",
            "audience_size",
            "critical",
            "default_locale",
            "synthetic",
            "created_at",
            "started_at",
            "completed_at",
            template_id="t.id",
        ),
        "campaign x join template t on t.key = x.template_key",
        _KEY,
    ),
    _section(
        "contents",
        _own("x", "content_id", "title", "summary", "preview", "body", "created_at"),
        "content x",
        ("x.content_id", "x.key"),
        start=("", -1),
    ),
    _section(
        "deliveries",
        {
            "step_run_key": "d.step_run_key",
            "ordinal": "d.ordinal",
            "campaign_id": "k.id",
            "user_id": "m.id",
            "kind": "d.kind",
            "status": EFFECTIVE_STATUS,
            "content_id": "coalesce(b.content_id, c.content_id)",
            # Of those that were rendered for one person; the others are among the contents.
            "title": "b.title",
            "body": "b.body",
            "created_at": "d.created_at",
            "delivered_at": "d.delivered_at",
            "read_at": "d.read_at",
            "acted_at": "d.acted_at",
        },
        f"""delivery d {LANE_OF_DELIVERY} join campaign k on k.key = r.campaign_key
            left join member m on m.key = d.member_key
            left join content c on c.key = d.content_key
            left join delivery_body b on b.step_run_key = d.step_run_key and b.ordinal = d.ordinal
        """,
        ("d.step_run_key", "d.ordinal"),
        "d.organization_key = :organization_key and r.organization_key = :organization_key",
    ),
    _section(
        "api_keys",
        _own(
            "x",
            "id",
            "name",
            "key_type",
            "key_prefix",
            "permissions",
            "created_at",
            "last_used_at",
            "expires_at",
            "revoked_at",
        ),
        "api_key x",
        _KEY,
    ),
    _section(
        "invite_links",
        _own(
            "x",
            "id",
            "max_uses",
            "use_count",
            "created_by",
            "created_at",
            "expires_at",
            "revoked_at",
        ),
        "invite_link x",
        _KEY,
    ),
    _section(
        "privacy_requests",
        _own(
            "x",
            "id",
            "user_id",
            "request_type",
            "status",
            "facts",
            "due_at",
            "created_at",
            "completed_at",
        ),
        "privacy_request x",
        _KEY,
    ),
    _section(
        "security_incidents", _own("x", "id", "kind", "detected_at"), "security_incident x", _KEY
    ),
    _section(
        "audit_events",
        _own(
            "x",
            "id",
            "event_type",
            "actor_id",
            "entity_type",
            "entity_id",
            "facts",
            "request_id",
            "synthetic",
            "created_at",
        ),
        "audit_event x",
        ("x.created_at", "x.key"),
    ),
)


def page(
    reader: Reader, section: Section, organization_key: int, after: Position, limit: int
) -> list[Row]:
    """Return some rows of a section from behind a position."""
    parameters: dict[str, object] = {"organization_key": organization_key, "limit": limit}
    parameters |= dict(zip(("first", "second"), after, strict=True))
    return reader.rows(section.statement, parameters)
