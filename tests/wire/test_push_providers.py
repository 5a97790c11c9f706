"""A campaign whose pushes go to Apple's and Google's protocols."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from support.google_push import UNREGISTERED, service_account
from support.grpc_client import Client, Organization
from support.http2_peer import Asked, Told, http2_peer
from support.running import Installation, running
from support.story import Story
from support.waiting import until

GONE = "dead" * 16


def provide(asked: Asked) -> Told:
    """Answer as Google's token server, as FCM and as APNs."""
    if asked.path == "/token":
        return Told(200, {"access_token": "good", "expires_in": 3600})
    if asked.path.startswith("/3/device/"):
        gone = asked.path.endswith(GONE)
        return Told(410, {"reason": "Unregistered"}) if gone else Told()
    gone = asked.json["message"]["token"] == GONE
    return Told(404, UNREGISTERED) if gone else Told(200, {"name": "projects/acme/messages/1"})


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("providers")
    patch = pytest.MonkeyPatch()
    patch.setenv("SSL_CERT_FILE", str(directory / "authority.pem"))
    with (
        http2_peer(directory, provide) as peer,
        running(
            Path(tmp_path_factory.mktemp("data")),
            apns_key=ECKey.generate_key("P-256").as_pem(private=True).decode(),
            apns_key_id="K",
            apns_team_id="T",
            apns_topic="com.example.app",
            apns_url=peer.url,
            fcm_credentials=service_account(peer.url),
            fcm_url=peer.url,
        ) as installation,
    ):
        yield installation
    patch.undo()


def test_statuses_and_devices_follow_what_the_providers_answer(
    installation: Installation, client: Client, organization: Organization
) -> None:
    story = Story(installation, client, organization, people=5)
    stubs = client.stubs
    apple, google = stubs.PLATFORM_IOS, stubs.PLATFORM_ANDROID
    tokens = [(apple, "ab" * 32), (google, "good"), (apple, GONE), (google, GONE)]
    for user_id, (platform, token) in zip(story.user_ids[:4], tokens, strict=True):
        client(
            "DeviceService/Register",
            story.tokens[user_id],
            device_id=str(uuid.uuid4()),
            platform=platform,
            push_token=token,
        )
    campaign = story.create()
    client("CampaignService/StartCampaign", story.key, campaign_id=campaign.id)
    until(lambda: story.get(campaign.id).workflow_progress.current_step_id == "wait")
    found = {one.user_id: one.status for one in story.deliveries(campaign.id).deliveries}
    sent, deviceless = stubs.DELIVERY_STATUS_SENT, stubs.DELIVERY_STATUS_NO_DEVICE
    assert [found[user_id] for user_id in story.user_ids] == [
        sent,
        sent,
        deviceless,
        deviceless,
        deviceless,
    ]
    for user_id, active in zip(story.user_ids[:4], [True, True, False, False], strict=True):
        (device,) = client("DeviceService/ListDevices", story.tokens[user_id]).devices
        assert device.active is active
