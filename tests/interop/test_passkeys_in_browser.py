"""Passkeys in Chromium, with its virtual authenticator, through the pages a person sees."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from support.node import NodeProject
from support.visitor import Visitor

from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.storage.sql import Statement

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")
STEPS = ("address", "code", "wrong code", "passkeys", "add", "consent")
TOLD = Statement("""
    select count(*) from audit_event e join organization o on o.key = e.organization_key
    where e.event_type = :type and o.id = :id
""")


def test_a_person_lives_with_a_passkey_by_keyboard_alone(
    node: NodeProject, visitor: Visitor
) -> None:
    seen = node.run("passkeys/live", **visitor.scenario)
    assert "code is on its way" in seen["first"]["asked"]["text"]
    assert "You have no passkey yet" in seen["first"]["entered"]["text"]
    assert "Name of the new passkey" in seen["form"]["text"]
    assert "Laptop <1> is ready" in seen["added"]["text"]
    assert "Laptop <1>, never used" in seen["added"]["text"]
    assert re.search(r"Laptop <1>, last used \d{4}-\d\d-\d\d", seen["used"]["text"])
    # The device knows that it has one.
    assert "No passkey was made" in seen["twice"]["alert"]
    assert "No passkey of this site was used" in seen["unverified"]["alert"]
    assert "not accepted" in seen["foreign"]["alert"]
    assert "No passkey was made" in seen["careless"]["alert"]
    assert "opens nothing any more" in seen["removed"]["text"]
    assert "You have no passkey yet" in seen["removed"]["text"]
    assert "not accepted" in seen["afterwards"]["alert"]
    parameters = {"type": int(AuditEventType.PASSKEY_ENROLLED), "id": visitor.organization.id}
    told = visitor.installation.system.database.read_now(
        lambda reader: reader.value(TOLD, parameters)
    )
    assert told == 1


def test_an_application_is_allowed_by_passkey_and_every_page_is_clean_in_every_language(
    node: NodeProject, visitor: Visitor
) -> None:
    query = {
        "client_id": "pidgr-mcp",
        "response_type": "code",
        "state": "x",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        "scope": "campaigns:read",
    }
    authorize = f"{visitor.scenario['url']}/oauth/authorize?{urlencode(query)}"
    seen = node.run(
        "passkeys/consent", **visitor.scenario, languages=LANGUAGES, authorize=authorize
    )
    looked = [(one["language"], one["name"]) for one in seen["pages"]]
    assert looked == [(language, name) for language in LANGUAGES for name in STEPS]
    assert [one["violations"] for one in seen["pages"]] == [[]] * len(looked)
    answers = [dict(parse_qsl(urlsplit(url).query)) for url in seen["answers"] if "?" in url]
    assert len({answer["code"] for answer in answers}) == len(LANGUAGES)
    assert {answer["state"] for answer in answers} == {"x"}
