"""Reminders beyond the inbox, and what has become of them."""

from collections.abc import Iterable
from typing import TypeAlias

from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.storage.sql import Statement
from support.story import World
from support.waiting import until

Outcome: TypeAlias = tuple[NudgeStatus, str]

SENT: Outcome = (NudgeStatus.SENT, "")
NO_IDENTIFIER: Outcome = (NudgeStatus.SKIPPED, "NO_IDENTIFIER")
NOT_NEEDED: Outcome = (NudgeStatus.SKIPPED, "NO_LONGER_NEEDED")
_NUDGES = Statement("""
    select m.email, n.status, n.reason, n.channel
    from nudge n
    join member m on m.key = n.member_key
    join step_run r on r.key = n.step_run_key
    join campaign c on c.key = r.campaign_key
    where c.id = :id order by m.email
""")


def name_of(email: str) -> str:
    """Return what stands before the at sign: the name that tests tell people apart by."""
    return email.partition("@")[0]


def nudges_by_channel(world: World, campaign_id: str) -> dict[tuple[str, int], Outcome]:
    """Return what has become of each nudge of a campaign, by name and channel."""
    rows = world.installation.system.database.read_now(
        lambda reader: reader.rows(_NUDGES, {"id": campaign_id})
    )
    return {
        (name_of(email), channel): (NudgeStatus(status), reason)
        for email, status, reason, channel in rows
    }


def nudges(world: World, campaign_id: str) -> dict[str, Outcome]:
    """Return what has become of each nudge of a campaign, by name."""
    found = nudges_by_channel(world, campaign_id)
    return {name: outcome for (name, _), outcome in found.items()}


def settled_nudges(world: World, campaign_id: str, names: Iterable[str]) -> dict[str, Outcome]:
    """Wait until these people have nudges, and none of them waits; return what became of them."""
    expected = set(names)

    def done() -> bool:
        found = nudges_by_channel(world, campaign_id)
        return {name for name, _ in found} == expected and all(
            status is not NudgeStatus.WAITING for status, _ in found.values()
        )

    until(done)
    return nudges(world, campaign_id)


def remind(world: World, channel: int, title: str) -> dict[str, Outcome]:
    """Remind Ada and Bob over a channel; return what became of it by name."""
    steps = world.steps
    step = steps.remind(third_party_channels=[channel])
    workflow = steps(steps.send(), steps.wait(), step, steps.wait("late"), steps.missed())
    campaign = world.start(title=title, workflow=workflow, user_ids=[world.ada, world.bob])
    world.pass_deadline(campaign.id)
    return settled_nudges(world, campaign.id, ("person0", "person1"))
