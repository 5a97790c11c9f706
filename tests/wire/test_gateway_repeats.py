"""A gateway knows a batch again by its key, so it gets the same batch under the same key."""

from support.grpc_client import Client, Organization
from support.push_gateway import PushGateway
from support.running import Installation
from support.story import Story
from support.waiting import until

from pidgr.storage.sql import Statement

BROWSER = Statement("""
    insert into web_push_subscription
      (id, organization_key, member_key, push_token, last_seen_at, created_at)
    select id, organization_key, key, 'browser', 0, 0 from member where id = :id
""")


def test_a_gateway_that_was_away_for_browsers_gets_the_same_batch_again(
    installation: Installation, client: Client, organization: Organization, gateway: PushGateway
) -> None:
    story = Story(installation, client, organization, people=2)
    phoned, browsing = story.user_ids
    story.register(phoned)
    installation.system.database.write_now(lambda unit: unit.execute(BROWSER, {"id": browsing}))
    gateway.requests.clear()
    gateway.away_for = "BROWSER"
    campaign = story.create()
    client("CampaignService/StartCampaign", story.key, campaign_id=campaign.id)
    until(lambda: [1 for _, devices in gateway.requests if browsing in devices][1:])
    gateway.away_for = ""
    story.reach(campaign.id, "wait")
    assert len(gateway.of(campaign.id)) >= 2
    asked = [(key, devices == [browsing]) for key, devices in gateway.requests]
    assert len(asked) > 2
    # One of the devices, and one of the browsers.
    assert len(set(asked)) == 2
