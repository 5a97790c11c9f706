"""An organization of any size, made inside the database."""

from typing import Final

from bench.databases import Workbench

SERIES: Final = (
    "with recursive series(i) as (select 0 union all select i + 1 from series where i < :last)"
)
_MEMBERS = f"""
    insert into member (id, organization_key, email, email_folded, name, sort_name, status,
                        role_key, first_name, last_name, department, created_at)
    {SERIES}
    select {{id}}, :organization_key, 'person' || i || '@example.com',
           'person' || i || '@example.com', 'Person Number ' || i, 'person number ' || i, 2,
           :role_key, 'Person', 'Number ' || i, 'Department ' || i % 40, 0
    from series
"""
_SQLITE_ID = "printf('%08x-0000-4000-8000-%012x', i, i)"
_POSTGRESQL_ID = "lpad(to_hex(i), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(i), 12, '0')"


class Population:
    """The members of one organization besides its first."""

    def __init__(self, bench: Workbench, organization_id: str) -> None:
        self._bench = bench
        self.organization_key: int = bench.value(
            "select key from organization where id = :id", id=organization_id
        )

    def add_members(self, count: int) -> None:
        """Add people without devices."""
        role_key = self._bench.value(
            "select key from role where organization_key = :key and slug = 'employee'",
            key=self.organization_key,
        )
        self._bench.run(
            _MEMBERS.format(id=_SQLITE_ID),
            postgresql=_MEMBERS.format(id=_POSTGRESQL_ID),
            last=count - 1,
            organization_key=self.organization_key,
            role_key=role_key,
        )
        self._bench.run(
            "update member_count set members = members + :count where organization_key = :key",
            count=count,
            key=self.organization_key,
        )
        self._bench.run("analyze")

    def add_devices(self) -> None:
        """Give everybody one active device."""
        self._bench.run(
            """
            insert into device (id, organization_key, member_key, platform, push_token, active,
                                last_seen_at, created_at)
            select 'd' || substr(id, 2), organization_key, key, 1,
                   'a-push-token-of-the-usual-length-' || id || id || id, true, 0, 0
            from member where organization_key = :key
            """,
            key=self.organization_key,
        )
        self._bench.run("analyze device", postgresql="analyze device")

    def first_ids(self, count: int) -> list[str]:
        """Return the ids of the first members."""
        return [
            row[0]
            for row in self._bench.run(
                """
                select id from member where organization_key = :key and first_name = 'Person'
                order by key limit :count
                """,
                key=self.organization_key,
                count=count,
            )
        ]

    def address(self, campaign_id: str, count: int, people: int) -> None:
        """Make ``count`` recipients of a campaign out of the first ``people`` members, in turn."""
        campaign_key = self._bench.value("select key from campaign where id = :id", id=campaign_id)
        self._bench.run("delete from audience where campaign_key = :key", key=campaign_key)
        first = self._bench.value(
            "select min(key) from member where organization_key = :key and first_name = 'Person'",
            key=self.organization_key,
        )
        self._bench.run(
            f"""
            insert into audience (campaign_key, ordinal, member_key)
            {SERIES} select :campaign_key, i, :first + i % :people from series
            """,
            last=count - 1,
            campaign_key=campaign_key,
            first=first,
            people=people,
        )
        self._bench.run(
            "update campaign set audience_size = :count where key = :key",
            count=count,
            key=campaign_key,
        )
        self._bench.run("analyze audience")
