"""How the story ended, whether that adds up, and how to look at it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from pidgr.contract.v1.common_pb import DeliveryStatus

_NAMES: Final = {
    DeliveryStatus.ACKNOWLEDGED: "confirmed",
    DeliveryStatus.MISSED: "missed the deadline",
    DeliveryStatus.NO_DEVICE: "without a device",
}


class OutcomeError(Exception):
    """What the server reports is not what the clients did."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients did, beside what the server says about it."""

    campaign_id: str
    without_device: int
    opened: int
    read: int
    confirmed: int
    # By ListDeliveries, which was read to its end.
    statuses: Mapping[DeliveryStatus, int]
    delivered_at: int
    read_at: int
    # By GetCampaign.
    total_recipients: int
    action_completed_count: int
    missed_count: int

    def count(self, status: DeliveryStatus) -> int:
        """Return how many deliveries are in a status."""
        return self.statuses.get(status, 0)


def check(outcome: Outcome, people: int) -> None:
    """Hold the server's figures against the clients'.

    Raises:
        OutcomeError: naming every figure that differs.
    """
    confirmed = outcome.count(DeliveryStatus.ACKNOWLEDGED)
    missed = outcome.count(DeliveryStatus.MISSED)
    without_device = outcome.count(DeliveryStatus.NO_DEVICE)
    wanted = (
        ("deliveries listed", sum(outcome.statuses.values()), people),
        ("recipients of the campaign", outcome.total_recipients, people),
        ("deliveries with an outcome", confirmed + missed + without_device, people),
        ("deliveries confirmed", confirmed, outcome.confirmed),
        ("confirmations the campaign counts", outcome.action_completed_count, outcome.confirmed),
        ("deliveries missed", missed, people - outcome.without_device - outcome.confirmed),
        ("misses the campaign counts", outcome.missed_count, missed),
        ("deliveries without a device", without_device, outcome.without_device),
        ("deliveries that were fetched", outcome.delivered_at, outcome.opened),
        ("deliveries that were read", outcome.read_at, outcome.read),
    )
    wrong = [
        f"{what} should be {right:,} and are {found:,}"
        for what, found, right in wanted
        if found != right
    ]
    if wrong:
        raise OutcomeError("; ".join(wrong))


def table(outcome: Outcome) -> Table:
    """Return the table of outcomes, as the server tells them."""
    total = sum(outcome.statuses.values())
    shown = Table(title="Outcome of the campaign", show_footer=True)
    shown.add_column("recipients who", "all")
    shown.add_column("people", f"{total:,}", justify="right")
    shown.add_column("share", "100 %", justify="right")
    for status, count in sorted(outcome.statuses.items(), key=lambda item: -item[1]):
        name = _NAMES.get(status, status.name.lower())
        shown.add_row(name, f"{count:,}", f"{count / total:.1%}")
    return shown


def calls_to_try(url: str, api_key: str, campaign_id: str) -> str:
    """Return shell commands that show the campaign, to be copied as they are."""
    page = json.dumps({"pagination": {"pageSize": 10}})
    one = json.dumps({"campaignId": campaign_id})
    return f"""\
Address   {url}
API key   {api_key}

Try it. The list of campaigns, by POST:

curl -s {url}/pidgr.v1.CampaignService/ListCampaigns \\
  -H 'Authorization: Bearer {api_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{page}'

This campaign, by GET, as every read can be called:

curl -s --get {url}/pidgr.v1.CampaignService/GetCampaign \\
  -H 'Authorization: Bearer {api_key}' \\
  -d connect=v1 -d encoding=json \\
  --data-urlencode 'message={one}'
"""
