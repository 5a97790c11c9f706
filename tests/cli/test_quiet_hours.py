from cli.conftest import Command


def test_quiet_hours_are_set_shown_and_ended(pidgr: Command, organization_id: str) -> None:
    ours = ("admin", "quiet-hours", "--organization-id", organization_id)
    assert pidgr(*ours).out == "No quiet hours.\n"
    night = ("--from", "22:00", "--to", "07:00", "--zone", "Europe/Berlin")
    told = "From 22:00 to 07:00 by the recipient's clock (Europe/Berlin).\n"
    assert pidgr(*ours, *night).out == told
    assert "to: must be" in pidgr(*ours, "--from", "22:00", "--to", "7", "--json").sentence()
    shown = pidgr(*ours, "--json").json
    assert shown == {"quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}}
    assert pidgr(*ours, "--from", "22:00").status == 2
    assert pidgr(*ours, *night, "--off").status == 2
    assert pidgr(*ours, "--off", "--json").json == {"quiet_hours": None}


def test_nobody_s_quiet_hours_are_not_set(pidgr: Command, organization_id: str) -> None:
    del organization_id
    theirs = ("admin", "quiet-hours", "--organization-id", "nope", "--off")
    assert pidgr(*theirs).sentence() == "no organization has the id nope"
