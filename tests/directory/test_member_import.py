import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.organization import Installation, Tenant
from support.rows import contents

from pidgr.contract.v1.common_pb import Pagination
from pidgr.contract.v1.member_pb import ListUsersRequest
from pidgr.contract.v1.user_pb import User, UserStatus
from pidgr.directory.member_import import ImportReport, import_members
from pidgr.errors import InvalidArgumentError, NotFoundError
from pidgr.storage.blobs import FileBlobs
from pidgr.storage.database import Database
from pidgr.storage.migration import migrate
from pidgr.storage.sql import Statement


def run(tenant: Tenant, text: str, *, dry_run: bool = False) -> ImportReport:
    installation = tenant.installation
    lines = io.StringIO(text, newline="")
    return import_members(
        installation.database, installation.clock, tenant.id, lines, dry_run=dry_run
    )


def problems(report: ImportReport) -> list[tuple[int, str]]:
    return [(problem.line, problem.reason) for problem in report.problems]


def counted(report: ImportReport) -> tuple[int, int, int]:
    return report.inserted, report.skipped, report.invalid


def users(tenant: Tenant) -> dict[str, User]:
    installation = tenant.installation
    service = installation.member_service
    request = ListUsersRequest(pagination=Pagination(page_size=100))
    found = installation.read(lambda unit: service.list_users(request, tenant.admin, unit)).users
    return {user.email: user for user in found}


def test_every_column_reaches_its_field(acme: Tenant) -> None:
    report = run(
        acme,
        "email,name,first_name,last_name,department,title,phone,location,employee_id,manager_name,"
        "start_date,preferred_locale,role,Shirt size\r\n"
        "Grace@Example.com,Amazing Grace,Grace,Hopper,Navy,Admiral,+1,Arlington,7,Ada,1943-12-02,"
        "pt-BR,manager,M\r\n",
    )
    assert counted(report) == (1, 0, 0)
    grace = users(acme)["Grace@Example.com"]
    assert (grace.name, grace.status) == ("Amazing Grace", UserStatus.INVITED)
    assert grace.role_id == acme.role_id("manager")
    profile = grace.profile
    assert profile is not None
    assert (profile.first_name, profile.last_name, profile.department) == (
        "Grace",
        "Hopper",
        "Navy",
    )
    assert (profile.title, profile.phone, profile.location) == ("Admiral", "+1", "Arlington")
    assert (profile.employee_id, profile.manager_name) == ("7", "Ada")
    assert profile.start_date == "1943-12-02"
    assert profile.custom_attributes == {"Shirt size": "M"}
    locale = acme.installation.read(
        lambda unit: unit.value(
            Statement("select preferred_locale from member where preferred_locale <> ''")
        )
    )
    assert locale == "pt-BR"


def test_headers_may_be_in_any_case_and_order_behind_a_byte_order_mark(acme: Tenant) -> None:
    report = run(acme, "\ufeff Last_Name , FIRST_NAME,Email\nHopper,Grace, grace@example.com \n")
    assert counted(report) == (1, 0, 0)
    grace = users(acme)["grace@example.com"]
    assert grace.name == "Grace Hopper"
    assert grace.role_id == acme.role_id("employee")


def test_cells_may_be_quoted_missing_and_blank(acme: Tenant) -> None:
    report = run(
        acme,
        'email,name,department,,\n"a@example.com","Doe, ""Jo""\nAnn",,,\n\nb@example.com\n,,,\n',
    )
    assert counted(report) == (2, 0, 1)
    assert users(acme)["a@example.com"].name == 'Doe, "Jo"\nAnn'
    # The record before spans two lines, and an empty line counts as one.
    assert problems(report) == [(6, "email: must be an e-mail address")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nobody,,,,", "email: must be an e-mail address"),
        (f"{'a' * 250}@x.com,,,,", "email: must be at most 254 characters, has 256"),
        (f"g@x.com,{'n' * 201},,,", "name: must be at most 200 characters, has 201"),
        (f"g@x.com,,{'t' * 201},,", "title: must be at most 200 characters, has 201"),
        ("g@x.com,,,yesterday,", "start_date: must be a date as YYYY-MM-DD"),
        ("g@x.com,,,,de", "preferred_locale: must be one of en, es, pt-BR, zh, ja"),
        ("g@x.com,,,,,boss", "role: must be one of super_admin, admin, manager, employee"),
        (f"g@x.com,,,,,,{'x' * 1001}", "custom_attributes[shirt]: must be at most 1,000"),
        ("g@x.com,,,,,,,extra", "row: has a value in a column that the first line does not name"),
        ("g@x.com,a\0b,,,", "name: must not contain the NUL character"),
        ("nobody,,,yesterday,", "address; start_date: must be"),
    ],
)
def test_a_bad_row_is_reported_and_the_others_go_in(acme: Tenant, row: str, reason: str) -> None:
    report = run(
        acme,
        "email,name,title,start_date,preferred_locale,role,shirt\n"
        f"first@example.com\n{row}\nlast@example.com\n",
    )
    assert counted(report) == (2, 0, 1)
    [(line, told)] = problems(report)
    assert line == 3
    assert reason in told
    assert set(users(acme)) == {"ada@example.com", "first@example.com", "last@example.com"}


def test_known_and_repeated_addresses_are_skipped(acme: Tenant) -> None:
    report = run(acme, "email\nADA@example.com\ng@example.com\nG@Example.com\n")
    assert counted(report) == (1, 2, 0)
    assert [problem.line for problem in report.problems] == [2, 4]
    assert [problem.email for problem in report.problems] == ["ADA@example.com", "G@Example.com"]


def test_a_dry_run_reports_the_same_and_changes_nothing(acme: Tenant) -> None:
    # Repeated addresses, one of them two chunks further down.
    people = [f"person{number}@example.com" for number in range(4_500)]
    again = ["Person1@example.com", "bad"]
    rows = ["email", "ADA@example.com", *people[:2], *again, *people[2:], people[0]]
    file = "\n".join(rows)
    before = acme.installation.read(contents)
    expected = run(acme, file, dry_run=True)
    assert counted(expected) == (4_500, 3, 1)
    assert acme.installation.read(contents) == before
    assert run(acme, file) == expected
    assert counted(run(acme, file, dry_run=True)) == (0, 4_503, 1)


def test_other_organizations_do_not_matter(installation: Installation, acme: Tenant) -> None:
    beta = installation.found("Beta", "bob@example.com")
    assert counted(run(acme, "email\nbob@example.com\n")) == (1, 0, 0)
    assert set(users(beta)) == {"bob@example.com"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must name the columns"),
        ("mail,name\na@x.com,Ann\n", "the first line must name the columns"),
        ("email;name\na@x.com;Ann\n", "the first line must name the columns"),
        ("email,Name,name\na@x.com,Ann,Ann\n", "names name more than once"),
        ('email,name\na@x.com,Ann\nb@x.com,"Bo\n', "line 3 is not valid CSV"),
        ("email\n" + "x" * 200_000, "line 2 is not valid CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(acme: Tenant, text: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        run(acme, text)
    assert set(users(acme)) == {"ada@example.com"}


def test_a_file_that_is_not_text_is_refused(acme: Tenant) -> None:
    installation = acme.installation
    lines = io.TextIOWrapper(io.BytesIO(b"email\n\xff\xfe@x.com\n"), encoding="utf-8", newline="")
    with pytest.raises(InvalidArgumentError, match="not UTF-8"):
        import_members(installation.database, installation.clock, acme.id, lines)


@pytest.mark.parametrize("organization_id", ["00000000-0000-4000-8000-000000000000", "acme", ""])
def test_an_unknown_organization_is_not_found(acme: Tenant, organization_id: str) -> None:
    installation = acme.installation
    with pytest.raises(NotFoundError):
        import_members(installation.database, installation.clock, organization_id, ["email\n"])


def test_an_address_that_is_invited_meanwhile_is_skipped(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    migrate(database)
    acme = Installation(database, FileBlobs(tmp_path)).found()
    with psycopg.connect(postgres_url) as rival:
        rival.execute(
            "insert into member (id, organization_key, email, email_folded, status, role_key,"
            " created_at) select 'rival', organization_key, 'b@x.com', 'b@x.com', 1, role_key, 1"
            " from member"
        )
        with ThreadPoolExecutor(1) as pool:
            report = pool.submit(run, acme, "email\na@x.com\nb@x.com\nc@x.com\n")
            wait_for_a_lock(postgres_url)
            rival.commit()
            assert counted(report.result(30)) == (2, 1, 0)
    assert set(users(acme)) == {"ada@example.com", "a@x.com", "b@x.com", "c@x.com"}
    database.close()


def wait_for_a_lock(url: str) -> None:
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as observer:
        while not observer.execute("select 1 from pg_locks where not granted").fetchone():
            assert time.monotonic() < deadline


def big_file(rows: int) -> Iterator[str]:
    """Every tenth row repeats an address, every hundredth has a bad one."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    yield "email,name,department,shirt\r\n"
    for number in range(rows):
        if number % 100 == 50:
            writer.writerow(["nobody", "", "", ""])
        elif number % 10 == 9:
            writer.writerow([f"PERSON{number - 9}@example.com", "again", "", ""])
        else:
            writer.writerow([f"person{number}@example.com", f"Person {number}", "Sales", "XL"])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def test_20000_rows_go_in_and_the_counts_add_up(acme: Tenant) -> None:
    installation = acme.installation
    seen: list[int] = []
    report = import_members(
        installation.database,
        installation.clock,
        acme.id,
        big_file(20_000),
        lambda so_far: seen.append(so_far.rows),
    )
    # Rows at 50, 150, ... are bad; so the repetitions at 59, 159, ... are the first of their kind.
    assert counted(report) == (20_000 - 200 - 2_000 + 200, 2_000 - 200, 200)
    assert report.rows == 20_000
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 20_000
    assert len(report.problems) == 100
    assert [problem.line for problem in report.problems] == sorted(
        problem.line for problem in report.problems
    )
    counts = installation.read(
        lambda unit: unit.row(
            Statement("""
                select t.member_count, (select count(*) from team_member),
                       g.member_count, (select count(*) from recipient_group_member)
                from team t, recipient_group g
            """)
        )
    )
    assert counts == (18_001,) * 4
    again = import_members(installation.database, installation.clock, acme.id, big_file(20_000))
    assert counted(again) == (0, 19_800, 200)
