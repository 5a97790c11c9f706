"""SQL of groups and teams: two tables of one shape, and one set of statements for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.directory.member_store import MEMBER_COLUMNS, StoredMember
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredCollective:
    """A group or team as it lies in the database."""

    key: int
    id: str
    name: str
    name_folded: str
    description: str
    member_count: int
    created_at: int
    updated_at: int
    is_default: bool
    created_by: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose own ones to look for: an actor id, and a member key when the actor is a person."""

    actor_id: str
    member_key: int | None


_COLUMNS: Final = """
    c.key, c.id, c.name, c.name_folded, c.description, c.member_count, c.created_at, c.updated_at,
    c.is_default, c.created_by
"""


class CollectiveStore:
    """The statements of one kind, ``team`` or ``recipient_group``.

    Transactions that change memberships lock members first, then groups, then teams, each by key,
    so that none waits for another in a circle.
    """

    def __init__(self, table: str) -> None:
        # What a caller without the right to see every one may see.
        own = f"""
            (c.created_by = :actor_id or exists (
              select 1 from {table}_member cm
              where cm.{table}_key = c.key and cm.member_key = :member_key))
        """
        scope = "c.organization_key = :organization_key"
        page = f"{scope} and c.name_folded > :after"
        order = "order by c.name_folded limit :limit"
        self._by_id = Statement(f"select {_COLUMNS} from {table} c where {scope} and c.id = :id")
        self._lock = Statement(f"""
            select {_COLUMNS} from {table} c where {scope} and c.id = :id {{for_update}}
        """)
        self._named = Statement(
            f"select 1 from {table} c where {scope} and c.name_folded = :name_folded"
        )
        self._is_own = Statement(
            f"select 1 from {table} c where {scope} and c.key = :key and {own}"
        )
        self._page = Statement(f"select {_COLUMNS} from {table} c where {page} {order}")
        self._own_page = Statement(
            f"select {_COLUMNS} from {table} c where {page} and {own} {order}"
        )
        self._count = Statement(f"select count(*) from {table} c where {scope}")
        self._count_own = Statement(f"select count(*) from {table} c where {scope} and {own}")
        self._insert = Statement(f"""
            insert into {table}
              (id, organization_key, name, name_folded, description, is_default, created_by,
               created_at, updated_at)
            values
              (:id, :organization_key, :name, :name_folded, :description, :is_default, :created_by,
               :now, :now)
        """)
        self._update = Statement(f"""
            update {table}
            set name = :name, name_folded = :name_folded, description = :description,
                version = version + 1, updated_at = :now
            where organization_key = :organization_key and key = :key
        """)
        self._clear = Statement(f"delete from {table}_member where {table}_key = :key")
        self._delete = Statement(
            f"delete from {table} where organization_key = :organization_key and key = :key"
        )
        # "+": see member_store.
        add = f"""
            insert into {table}_member ({table}_key, member_key, sort_name)
            select :key, m.key, m.sort_name from member m
            where +m.organization_key = :organization_key
        """
        self._add = Statement(
            f"""
            {add} and m.key in (select value from json_each(:member_keys))
            on conflict ({table}_key, member_key) do nothing returning member_key
            """,
            postgresql=f"""
            {add} and m.key = any(:member_keys)
            on conflict ({table}_key, member_key) do nothing returning member_key
            """,
        )
        remove = f"delete from {table}_member where {table}_key = :key"
        self._remove = Statement(
            f"""
            {remove} and member_key in (select value from json_each(:member_keys))
            returning member_key
            """,
            postgresql=f"{remove} and member_key = any(:member_keys) returning member_key",
        )
        self._change_count = Statement(f"""
            update {table} set member_count = member_count + :change, version = version + 1
            where organization_key = :organization_key and key = :key
        """)
        self._members = Statement(f"""
            select {MEMBER_COLUMNS}
            from {table}_member cm
            join member m on m.key = cm.member_key
            join role r on r.key = m.role_key
            where cm.{table}_key = :key and m.organization_key = :organization_key
              and (cm.sort_name, cm.member_key) > (:after_name, :after_key)
            order by cm.sort_name, cm.member_key limit :limit
        """)
        memberships = f"""
            select m.id, {_COLUMNS}
            from member m
            join {table}_member cm on cm.member_key = m.key
            join {table} c on c.key = cm.{table}_key
            where +m.organization_key = :organization_key and m.id
        """
        self._memberships = Statement(
            f"""
            {memberships} in (select value from json_each(:member_ids)) order by c.name_folded
            """,
            postgresql=f"{memberships} = any(:member_ids) order by c.name_folded",
        )
        self._lock_of_member = Statement(f"""
            select c.key from {table} c
            where {scope} and c.key in
              (select {table}_key from {table}_member where member_key = :member_key)
            order by c.key {{for_update}}
        """)
        self._forget = Statement(f"""
            delete from {table}_member where {table}_key = :key and member_key = :member_key
        """)

    def find(
        self, reader: Reader, organization_key: int, collective_id: str
    ) -> StoredCollective | None:
        """Find one by its id."""
        parameters = {"organization_key": organization_key, "id": collective_id}
        return reader.record(StoredCollective, self._by_id, parameters)

    def lock(
        self, transaction: Transaction, organization_key: int, collective_id: str
    ) -> StoredCollective | None:
        """Find one by its id; its name and its members stay as they are until the end."""
        parameters = {"organization_key": organization_key, "id": collective_id}
        return transaction.record(StoredCollective, self._lock, parameters)

    def named(self, reader: Reader, organization_key: int, name_folded: str) -> bool:
        """Tell whether the organization has one of this folded name."""
        parameters = {"organization_key": organization_key, "name_folded": name_folded}
        return reader.value(self._named, parameters) is not None

    def is_own(self, reader: Reader, organization_key: int, key: int, viewer: Viewer) -> bool:
        """Tell whether the viewer belongs to it or made it."""
        parameters = _own(organization_key, viewer) | {"key": key}
        return reader.value(self._is_own, parameters) is not None

    def page(
        self, reader: Reader, organization_key: int, viewer: Viewer | None, after: str, limit: int
    ) -> list[StoredCollective]:
        """Return some by folded name, from behind ``after``; a given viewer's own ones."""
        parameters = {"organization_key": organization_key, "after": after, "limit": limit}
        if viewer is None:
            return reader.records(StoredCollective, self._page, parameters)
        return reader.records(
            StoredCollective, self._own_page, parameters | _own(organization_key, viewer)
        )

    def count(self, reader: Reader, organization_key: int, viewer: Viewer | None) -> int:
        """Return how many ``page`` walks through."""
        if viewer is None:
            count: int = reader.value(self._count, {"organization_key": organization_key})
        else:
            count = reader.value(self._count_own, _own(organization_key, viewer))
        return count

    def insert(
        self,
        transaction: Transaction,
        organization_key: int,
        *,
        collective_id: str,
        name: str,
        name_folded: str,
        description: str,
        created_by: str,
        is_default: bool,
        now: int,
    ) -> None:
        """Store a new, empty one.

        Raises:
            UniqueViolationError: the organization has one of this folded name.
        """
        transaction.execute(
            self._insert,
            {
                "id": collective_id,
                "organization_key": organization_key,
                "name": name,
                "name_folded": name_folded,
                "description": description,
                "created_by": created_by,
                "is_default": is_default,
                "now": now,
            },
        )

    def update(
        self,
        transaction: Transaction,
        organization_key: int,
        key: int,
        *,
        name: str,
        name_folded: str,
        description: str,
        now: int,
    ) -> None:
        """Replace name and description.

        Raises:
            UniqueViolationError: the organization has another one of this folded name.
        """
        transaction.execute(
            self._update,
            {
                "organization_key": organization_key,
                "key": key,
                "name": name,
                "name_folded": name_folded,
                "description": description,
                "now": now,
            },
        )

    def delete(self, transaction: Transaction, organization_key: int, key: int) -> None:
        """Delete one with its memberships."""
        transaction.execute(self._clear, {"key": key})
        transaction.execute(self._delete, {"organization_key": organization_key, "key": key})

    def add(
        self, transaction: Transaction, organization_key: int, key: int, member_keys: Sequence[int]
    ) -> set[int]:
        """Add those members who are not in it yet, and return them. It and they must be locked."""
        parameters = {
            "organization_key": organization_key,
            "key": key,
            "member_keys": transaction.array(member_keys),
        }
        added = {member_key for (member_key,) in transaction.rows(self._add, parameters)}
        self._change(transaction, organization_key, key, len(added))
        return added

    def remove(
        self, transaction: Transaction, organization_key: int, key: int, member_keys: Sequence[int]
    ) -> set[int]:
        """Remove those members who are in it, and return them. It and they must be locked."""
        parameters = {"key": key, "member_keys": transaction.array(member_keys)}
        removed = {member_key for (member_key,) in transaction.rows(self._remove, parameters)}
        self._change(transaction, organization_key, key, -len(removed))
        return removed

    def _change(
        self, transaction: Transaction, organization_key: int, key: int, change: int
    ) -> None:
        if not change:
            return
        parameters = {"organization_key": organization_key, "key": key, "change": change}
        transaction.execute(self._change_count, parameters)

    def members_page(
        self, reader: Reader, organization_key: int, key: int, after: tuple[str, int], limit: int
    ) -> list[StoredMember]:
        """Return members by name, from behind the position ``after``: a sort name and a key."""
        parameters = {
            "organization_key": organization_key,
            "key": key,
            "after_name": after[0],
            "after_key": after[1],
            "limit": limit,
        }
        return reader.records(StoredMember, self._members, parameters)

    def memberships(
        self, reader: Reader, organization_key: int, member_ids: Sequence[str]
    ) -> list[tuple[str, StoredCollective]]:
        """Return pairs of a member's id and one that they are in, by name."""
        parameters = {
            "organization_key": organization_key,
            "member_ids": reader.array(member_ids),
        }
        rows = reader.rows(self._memberships, parameters)
        return [(member_id, StoredCollective(*columns)) for member_id, *columns in rows]

    def forget_member(
        self, transaction: Transaction, organization_key: int, member_key: int
    ) -> None:
        """Take a member, who must be locked, out of all of them."""
        parameters = {"organization_key": organization_key, "member_key": member_key}
        for (key,) in transaction.rows(self._lock_of_member, parameters):
            transaction.execute(self._forget, {"key": key, "member_key": member_key})
            self._change(transaction, organization_key, key, -1)


GROUPS: Final = CollectiveStore("recipient_group")
TEAMS: Final = CollectiveStore("team")


def _own(organization_key: int, viewer: Viewer) -> dict[str, object]:
    return {
        "organization_key": organization_key,
        "actor_id": viewer.actor_id,
        "member_key": viewer.member_key,
    }
