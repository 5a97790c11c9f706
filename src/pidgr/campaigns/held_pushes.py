"""Sends the pushes that were held back, once the recipients' quiet hours are over."""

from pidgr.campaigns import quiet_store, run_store, store
from pidgr.campaigns.push_batch import Held, PushBatch
from pidgr.campaigns.pushing import Pushing
from pidgr.campaigns.quiet_hours import QuietHours
from pidgr.campaigns.store import CampaignRow
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader


def quiet_hours_of(reader: Reader, campaign: CampaignRow) -> QuietHours | None:
    """Return the quiet hours a campaign observes: none if it is critical."""
    if campaign.critical:
        return None
    return quiet_store.quiet_hours(reader, campaign.organization_key)


class HeldPushes:
    """Handles the engine's tasks of held pushes.

    What is settled meanwhile is not pushed; for whom it is night again is held back once more.
    """

    def __init__(self, database: Database, pushing: Pushing) -> None:
        self._database = database
        self._pushing = pushing

    def run(
        self, step_run_key: int, number: int, since: int, upto: int, held_at: int, due_at: int
    ) -> None:
        """Send a batch of held pushes.

        Raises:
            UnavailableError: the provider wants them later.
        """

        def read(reader: Reader) -> PushBatch | None:
            run = run_store.step_run(reader, step_run_key)
            lane = run_store.lane(reader, step_run_key, number)
            campaign = store.campaign_by_key(reader, run.campaign_key) if run else None
            if run is None or lane is None or campaign is None:
                return None
            quiet = quiet_hours_of(reader, campaign)
            return PushBatch(campaign, run, lane, since, upto, quiet, Held(held_at, due_at))

        batch = self._database.read_now(read)
        if batch is not None:
            self._pushing.send(batch)
