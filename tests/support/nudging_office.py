"""An organization that nudges by mail, and its mailboxes."""

from typing import Any

from pidgr.campaigns.advance import step_task
from pidgr.engine.port import TaskStatus
from pidgr.storage.sql import Statement
from support.grpc_client import Client
from support.mail_server import Peer
from support.nudges import Outcome, name_of, nudges_by_channel, settled_nudges
from support.running import Installation
from support.story import World
from support.waiting import until

MEMBER_KEYS = Statement("select key, organization_key from member where id = :id")
_CAMPAIGN_KEY = Statement("select key from campaign where id = :id")


class Office(World):
    """An organization that nudges by mail, and its mailboxes."""

    def __init__(self, installation: Installation, client: Client, peer: Peer) -> None:
        super().__init__(installation, client)
        self.peer = peer
        self.email = [self.stubs.CHANNEL_NAME_EMAIL]

    def change(self, statement: Statement, **values: object) -> None:
        self.installation.system.database.write_now(lambda unit: unit.execute(statement, values))

    def remind(self, **config: Any) -> Any:
        """Return a workflow that reminds by mail after a deadline."""
        steps = self.steps
        remind = steps.remind(third_party_channels=self.email, **config)
        return steps(steps.send(), steps.wait(), remind, steps.wait("late"), steps.missed())

    def escalate(self, **config: Any) -> Any:
        steps = self.steps
        step = steps.escalate(third_party_channels=self.email, **config)
        return steps(steps.send(), steps.wait(), step, steps.wait("late"), steps.missed())

    def next_round(self, campaign_id: str, iteration: int) -> None:
        """Let a round of an escalation begin once it is planned."""
        system = self.installation.system
        key = system.database.read_now(
            lambda reader: reader.value(_CAMPAIGN_KEY, {"id": campaign_id})
        )
        task = step_task(key, "escalate", iteration).key
        until(lambda: system.engine.status(task) is TaskStatus.WAITING)
        system.database.write_now(lambda unit: system.engine.move(unit, task, 0))

    def by_channel(self, campaign_id: str) -> dict[tuple[str, int], Outcome]:
        return nudges_by_channel(self, campaign_id)

    def settled(self, campaign_id: str, *names: str) -> dict[str, Outcome]:
        return settled_nudges(self, campaign_id, names)

    def mails(self, title: str) -> dict[str, Any]:
        """Return the mails about a title by the name in the address."""
        found = [one for one in self.peer.messages() if title in str(one["Subject"])]
        names = [name_of(str(one["To"])) for one in found]
        assert len(names) == len(set(names)), "nobody is nudged twice"
        return dict(zip(names, found, strict=True))
