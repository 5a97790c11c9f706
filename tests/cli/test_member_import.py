from pathlib import Path

import httpx
from support.serve_process import ServeProcess

from cli.conftest import Command


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_good_rows_are_in_and_the_report_is_json(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "people.csv",
        "email,first_name,last_name,badge",
        *(f"person{number}@example.com,Person,{number},{number}" for number in range(2_500)),
    )
    first = pidgr("members", "import", file, "--organization-id", organization_id, "--json")
    assert (first.status, first.err) == (0, "")
    assert first.json == {
        "rows": 2_500,
        "inserted": 2_500,
        "skipped": 0,
        "invalid": 0,
        "problems": [],
    }
    again = pidgr("members", "import", file, "--organization-id", organization_id)
    assert again.status == 0
    assert again.out.startswith("0 invited, 2,500 skipped, 0 invalid\n")
    assert again.out.endswith("  and 2,480 more\n")


def test_bad_rows_are_named_and_the_others_are_in(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "people.csv", "email,name", "good@example.com,Good", "bad,Bad", "ada@example.com"
    )
    answer = pidgr("members", "import", file, "--organization-id", organization_id, "--json")
    assert answer.status == 1
    report = answer.json
    assert (report["inserted"], report["skipped"], report["invalid"]) == (1, 1, 1)
    assert [problem["line"] for problem in report["problems"]] == [3, 4]
    assert report["problems"][0]["email"] == "bad"


def test_a_dry_run_says_what_would_happen(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "email,name", "good@example.com,Good", "bad,Bad")
    asked = ("members", "import", file, "--organization-id", organization_id)
    for _ in range(2):
        answer = pidgr(*asked, "--dry-run")
        assert answer.status == 1
        assert answer.out.startswith("1 would be invited, 0 skipped, 1 invalid\n  line 3: bad")
    assert pidgr(*asked).out.startswith("1 invited, 0 skipped, 1 invalid\n")


def test_an_unknown_organization_is_one_sentence(pidgr: Command, tmp_path: Path) -> None:
    file = write(tmp_path / "people.csv", "email", "ada@example.com")
    answer = pidgr("members", "import", file, "--organization-id", "nope")
    assert answer.sentence() == "no organization has the id nope"


def test_invitations_need_a_mail_server(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "email", "eve@example.com")
    asked = ("members", "import", file, "--organization-id", organization_id, "--send-invitations")
    assert "PIDGR_SMTP_URL" in pidgr(*asked).sentence()
    sent = pidgr(*asked, smtp_url="smtp://127.0.0.1:1", mail_from="no-reply@example.com")
    assert (sent.status, sent.out) == (0, "1 invited, 0 skipped, 0 invalid\n")


def test_a_file_without_a_header_is_one_sentence(
    pidgr: Command, organization_id: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "ada@example.com,Ada")
    answer = pidgr("members", "import", file, "--organization-id", organization_id)
    assert answer.sentence().startswith("the first line must name the columns")


def test_members_can_be_imported_under_a_running_server(
    pidgr: Command, data_dir: Path, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "people.csv",
        "email",
        *(f"person{number}@example.com" for number in range(3_000)),
    )
    with ServeProcess(data_dir) as server:
        organization = server.found()
        assert pidgr("members", "import", file, "--organization-id", organization.id).status == 0
        answer = httpx.post(
            f"{server.url}/pidgr.v1.MemberService/ListUsers",
            headers={"authorization": f"Bearer {organization.api_key}"},
            json={},
        )
    assert answer.json()["paginationMeta"]["totalCount"] == 3_001
