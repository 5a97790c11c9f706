"""The inbox in a real browser, before a real server."""

import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from support.browser import PushService, push_service
from support.grpc_client import Client, Stubs
from support.http_peer import Received, Scripted, http_peer
from support.named_server import named_server
from support.node import NodeProject
from support.running import Installation
from support.story import Story
from support.telegram import NAME, TOKEN, Telegram
from support.waiting import until
from support.web_build import bundle

from pidgr.campaigns import link_store
from pidgr.campaigns.short_codes import short_code_of
from pidgr.clock import HOUR
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")
LONG = "Arbeitssicherheitsunterweisungsbescheinigung"
CAMPAIGN = Statement("select key, organization_key from campaign where id = :id")


@pytest.fixture(scope="module")
def _built() -> None:
    bundle("inbox")


@pytest.fixture(scope="module")
def browsers() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    with http_peer() as peer:
        yield Telegram(peer)


@pytest.fixture(scope="module")
def place(
    _built: None,
    browsers: PushService,
    telegram: Telegram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Installation, str]]:
    """A server with its inbox and a bot, and where its mail can be read."""
    with named_server(
        tmp_path_factory.mktemp("place"),
        web_push_services=(browsers.origin,),
        telegram_bot_token=TOKEN,
        telegram_url=telegram.url,
        webhook_allowed_networks=("127.0.0.1",),
    ) as place:
        yield place


class Employee(Story):
    """An organization of one employee, and the browser in front of them."""

    def __init__(self, place: tuple[Installation, str], client: Client, node: NodeProject) -> None:
        installation, letters = place
        self.name = f"Works {secrets.token_hex(4)}"
        super().__init__(installation, client, installation.found(self.name), people=0)
        self.email = f"{secrets.token_hex(6)}@example.com"
        self.user_id = self.invite(self.email, name="Eve")
        self.address = installation.system.settings.inbox_url
        self._node = node
        self._browser = {**node.browser(), "mailbox": letters, "email": self.email}

    def link(self, campaign_id: str, recipient_id: str) -> str:
        """Return the link of a nudge."""
        system = self.installation.system
        expires_at = system.clock.now() + HOUR

        def write(transaction: Transaction) -> str:
            key, organization_key = transaction.rows(CAMPAIGN, {"id": campaign_id})[0]
            token = system.deeplink_tokens.sign(
                self.organization.id,
                link_store.link_key(transaction, organization_key),
                campaign_id=campaign_id,
                recipient_id=recipient_id,
                step_kind=1,
                expires_at=expires_at,
            )
            return f"{system.settings.issuer}/c/{short_code_of(transaction, key)}?t={token}"

        return system.database.write_now(write)

    def browse(self, scenario: str, **argument: Any) -> Any:
        seen = self._node.run(
            f"inbox/{scenario}", **{**self._browser, "address": self.address, **argument}
        )
        assert seen["errors"] == []
        return seen


@pytest.fixture
def employee(
    place: tuple[Installation, str], stubs: Stubs, node: NodeProject
) -> Iterator[Employee]:
    with grpc.insecure_channel(place[0].address) as channel:
        yield Employee(place, Client(channel, stubs), node)


def test_an_employee_signs_in_reads_and_confirms_by_keyboard_alone(employee: Employee) -> None:
    campaign = employee.start(title=LONG)
    seen = employee.browse("read", languages=LANGUAGES)
    assert employee.statuses(campaign.id) == {employee.user_id: "ACKNOWLEDGED"}
    looked = seen["screens"]
    assert [one["violations"] for one in looked] == [[]] * 11
    assert [one["hidden"] for one in looked] == [0] * 11, "nothing is beside the screen"
    assert [one["language"] for one in looked[5:]] == [*LANGUAGES, LANGUAGES[-1]]
    assert len({one["text"] for one in looked[5:]}) == 6
    screens = {one["name"]: one["text"] for one in looked}
    assert "Sign in to read your messages" in screens["welcome"]
    for told in ("Unread", "To confirm", LONG, "People team", "Please read it."):
        assert told in screens["list"]
    assert seen["focused"] == "H1"
    assert "Got it" in screens["message"]
    assert "You have confirmed this message" in screens["confirmed"]
    assert "Got it" not in screens["confirmed"]
    assert "Confirmed" in screens["list afterwards"]
    assert "Unread" not in screens["list afterwards"]
    (delivery,) = employee.deliveries(campaign.id).deliveries
    assert delivery.HasField("read_at")


def test_a_confirmation_is_sent_until_it_is_answered_and_counts_once(employee: Employee) -> None:
    campaign = employee.start()
    seen = employee.browse("confirmInVain")
    assert seen["buttons"] == 0
    assert len(seen["sent"]) >= 3
    assert len({one["key"] for one in seen["sent"]}) == 1
    assert {one["status"] for one in seen["sent"]} == {200}
    assert employee.counts(campaign.id) == (1, 1, 0)


def test_what_is_settled_already_is_not_confirmed_again(employee: Employee) -> None:
    """By another device of the person's, or because the campaign was called off."""
    confirmed = employee.start(title="Confirmed elsewhere")
    cancelled = employee.start(title="Called off", wait_for_enrollment=True)

    def meanwhile(_request: object) -> Scripted:
        employee.acknowledge(confirmed.id, employee.user_id)
        employee.cancel(cancelled.id)
        return Scripted()

    with http_peer() as peer:
        peer.answer = meanwhile
        seen = employee.browse("confirmTooLate", meanwhile=peer.url())
    assert "Called off" in seen["cancelled"]["text"]
    assert "can no longer be confirmed" in seen["cancelled"]["text"]
    assert "Confirmed elsewhere" in seen["elsewhere"]["text"]
    assert "You have confirmed this message" in seen["elsewhere"]["text"]
    assert employee.counts(confirmed.id) == (1, 1, 0)
    assert employee.counts(cancelled.id) == (1, 0, 0)


def test_a_link_of_a_nudge_leads_to_its_message(employee: Employee) -> None:
    old = employee.start(title="Older than 200 others")
    html = employee.template(
        title="Fire drill",
        type=employee.stubs.TEMPLATE_TYPE_HTML,
        body="<h1>At noon</h1>\n\n    <p>Please <b>leave</b>, *all* of you.</p>",
    )
    campaign = employee.start(template_id=html)
    colleague = employee.invite("colleague@example.com")
    other = employee.start(title="Parking", user_ids=[colleague])
    seen = employee.browse(
        "follow",
        link=employee.link(campaign.id, employee.user_id),
        foreign=employee.link(other.id, colleague),
        old=employee.link(old.id, employee.user_id),
    )
    for told in (f"A message from {employee.name} waits", "Fire drill"):
        assert told in seen["welcome"]["text"]
    delivery_id = employee.delivery_id(campaign.id, employee.user_id)
    for opened in ("opened", "again"):
        assert seen[opened]["url"] == f"{employee.address}#{delivery_id}"
        assert "Please leave, *all* of you." in seen[opened]["text"]
    # Under the title of the page, and as HTML: in Markdown what is set in like that would be code.
    assert "<h2>At noon</h2>" in seen["opened"]["html"]
    assert "<p>Please <b>leave</b>" in seen["opened"]["html"]
    assert "sent to somebody else" in seen["refused"]["text"]
    assert "Parking" not in seen["refused"]["text"]
    assert "Older than 200 others" in seen["older"]["text"]
    assert "app.webmanifest" in seen["manifest"]


def test_bodies_are_shown_as_they_are_meant(employee: Employee) -> None:
    """Numbers and tables count, Arabic begins at the right, and none is too deep to be shown."""
    deep = "> " * 5_000 + "the <b>end</b>"
    bodies = (
        "3. Third\n4. Fourth",
        '<table><tr><th colspan="2" scope="col">Rooms</th></tr></table>',
        "\u0627\u062c\u062a\u0645\u0627\u0639",
        deep,
    )
    for body in bodies:
        employee.start(template_id=employee.template(title="\u202eRead", body=body))
    seen = employee.browse("openAll")
    shown_deep, arabic, table, numbers = seen["opened"]
    assert '<ol start="3">' in numbers["html"]
    assert '<th colspan="2" scope="col">' in table["html"]
    assert [one["direction"] for one in (numbers, arabic)] == ["ltr", "rtl"]
    assert shown_deep["html"].startswith("<pre>&gt; &gt;")
    assert shown_deep["html"].endswith("the &lt;b&gt;end&lt;/b&gt;</pre>")
    for one in seen["opened"]:
        # A direction that a name turns to ends with it.
        assert '<span class="" data-pii="" dir="auto">People team</span>' in one["from"]


def test_recordings_of_a_message_have_nothing_personal_in_them(employee: Employee) -> None:
    """Nor can a body run anything, or load anything from elsewhere."""
    secret = secrets.token_hex(12)
    body = """Welcome, **{{secret}}**, to the [plan](https://example.com/{{secret}}/plan).

| room | host |
|------|------|
| Blue | {{secret}} and others |

<img src="https://example.com/x" onerror="alert(1)"><script>alert(2)</script>
[harmless](https://example.com/a) [harmful](javascript:alert(3)) <b onclick="alert(4)">bold</b>
"""
    template = employee.template(
        title="For {{secret}}",
        body=body,
        variables=[employee.stubs.TemplateVariable(name="secret", pii=True)],
    )
    member = employee.stubs.AudienceMember(user_id=employee.user_id, variables={"secret": secret})
    campaign = employee.start(template_id=template, user_ids=[], audience=[member])
    seen = employee.browse("recorded")
    article = seen["article"]
    assert f'<strong><span data-pii="">{secret}</span></strong>' in article
    assert f'href="https://example.com/{secret}/plan"' in article
    assert f'<span data-pii="">{secret}</span> and others' in article
    for harmful in ("<img", "<script", "alert", "javascript", "onclick", "\ufdd0", "%EF%B7"):
        assert harmful not in article
    paths = [one["pathname"] for one in seen["sent"]]
    assert paths[0] == "/replay/recordings"
    assert any("IngestTouchEvents" in path for path in paths)
    assert secret not in json.dumps(seen["sent"])
    recordings = employee.client(
        "ReplayService/ListSessionRecordings", employee.key, campaign_id=campaign.id
    ).recordings
    (recording,) = recordings
    played = employee.client(
        "ReplayService/GetSessionSnapshots", employee.key, recording_id=recording.id
    ).snapshot_data
    assert secret not in played
    for told in ("Welcome, ", " and others", "You have confirmed this message", "***"):
        assert told in played


def test_a_push_opens_its_message(employee: Employee, browsers: PushService) -> None:
    browser = browsers.browser(employee.user_id)
    campaigns: list[str] = []

    def push(_request: object) -> Scripted:
        """Send a campaign, and answer what the push service gets for the browser."""
        campaigns.append(employee.start(title="Fire drill").id)
        until(lambda: browsers.pushes(browser))
        return Scripted(body=json.dumps(browsers.pushes(browser)[0]).encode())

    with http_peer() as peer:
        peer.answer = push
        seen = employee.browse("notified", subscription=browser.subscription, next=peer.url())
    assert seen["key"] == employee.installation.system.vapid.public_key
    delivery_id = employee.delivery_id(campaigns[0], employee.user_id)
    shown = {name: seen["shown"][name] for name in ("title", "body", "tag", "requireInteraction")}
    assert shown == {
        "title": "Fire drill",
        "body": "Please read it.",
        "tag": delivery_id,
        "requireInteraction": False,
    }
    assert seen["opened"]["url"] == f"{employee.address}#{delivery_id}"
    # Signing out leaves nothing behind, here or there.
    assert seen["kept"] == {"pidgr.outbox": "[]", "subscription": None}
    later = employee.start(title="Later", until_step="wait")
    assert employee.statuses(later.id) == {employee.user_id: "NO_DEVICE"}


def test_whose_role_has_no_inbox_is_told_so(employee: Employee) -> None:
    role = employee.client(
        "RoleService/CreateRole",
        employee.key,
        name="Auditor",
        permissions=[employee.stubs.PERMISSION_AUDIT_READ],
    ).role
    email = f"{secrets.token_hex(6)}@example.com"
    employee.invite(email, role_id=role.id)
    seen = employee.browse("knockInVain", email=email)
    assert seen["url"] == employee.address
    assert "Your role has no inbox in this organization" in seen["text"]


def test_a_person_of_two_organizations_keeps_one_session_in_all_tabs(employee: Employee) -> None:
    here = employee.start(title="Here")
    elsewhere = Story(
        employee.installation,
        employee.client,
        employee.installation.found("Elsewhere"),
        people=0,
    )
    elsewhere.invite(employee.email)
    elsewhere.start(title="There")
    delivery_id = employee.delivery_id(here.id, employee.user_id)
    seen = employee.browse("stay", first=delivery_id)
    assert "Here" in seen["first"]["text"]
    assert "There" not in seen["first"]["text"]
    assert "There" in seen["second"]["text"]
    assert "Here" not in seen["second"]["text"]
    for opened in ("back", "afterwards"):
        assert "Here" in seen[opened]["text"]
        assert seen[opened]["url"] == f"{employee.address}#{delivery_id}"
    # One for the two tabs, whose token was too old; one for a token that the server did not take
    # any more; and one with what is no token at all.
    assert seen["refreshed"] == 3
    assert "Your session has ended" in seen["ended"]["text"]
    assert "There" not in seen["ended"]["text"]


def test_signing_out_leaves_nothing_in_any_tab_whatever_fails_meanwhile(employee: Employee) -> None:
    employee.start(title="Confidential")
    seen = employee.browse("leave")
    assert len(seen["shown"]) == 3
    for tab in seen["shown"]:
        assert "Sign in to read your messages" in tab["text"]
        assert "Confidential" not in tab["text"]
    assert seen["kept"] == ["closed", "pidgr.outbox"]


def test_a_person_is_led_to_the_bot_in_telegram_until_they_have_a_chat(
    employee: Employee, telegram: Telegram
) -> None:
    said: list[str] = []

    def open_chat(request: Received) -> Scripted:
        (start,) = parse_qs(urlsplit(request.path).query)["start"]
        said.append(telegram.tell(employee.installation.url, 7, f"/start {start}")["text"])
        return Scripted()

    with http_peer() as opener:
        opener.answer = open_chat
        seen = employee.browse("remind", opening=opener.url())
    assert seen["url"].startswith(f"https://t.me/{NAME}?start=")
    assert ["From now on" in text for text in said] == [True]
