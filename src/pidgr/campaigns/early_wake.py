"""Ends a deadline before its time, once nobody is left to wait for."""

from pidgr.campaigns import store
from pidgr.campaigns.advance import wake_key
from pidgr.campaigns.store import CampaignRow, Counters
from pidgr.engine.port import Engine
from pidgr.storage.database import Database


def has_nobody_to_wait_for(campaign: CampaignRow, counters: Counters) -> bool:
    """Tell whether a deadline has nothing to wait for.

    One before the first message puts it off: its recipients have settled nothing yet.
    """
    if campaign.audience_size and not counters.total:
        return False
    return not counters.unresolved(wait_for_enrollment=bool(campaign.wait_for_enrollment))


def wake_if_settled(database: Database, engine: Engine, campaign_key: int) -> None:
    """Let a campaign's timer fire now if every recipient has settled.

    Called after the commit of either thing that can make it so: an acknowledgement, and the
    beginning of the deadline. Of two at once, the one that commits last sees the other. A crash
    in between costs nothing but the early end.
    """
    found = database.read_now(lambda reader: store.counters(reader, [campaign_key]))
    if found[campaign_key].unresolved(wait_for_enrollment=False):
        return
    campaign = database.read_now(lambda reader: store.campaign_by_key(reader, campaign_key))
    if campaign is None or campaign.next_wake_at is None:
        return
    if not has_nobody_to_wait_for(campaign, found[campaign_key]):
        return
    key = wake_key(campaign_key, campaign.current_step_id)
    database.write_now(lambda transaction: engine.move(transaction, key, 0))
