"""Alerts by push: to people who have no delivery of their own that could be pushed."""

from collections import defaultdict
from collections.abc import Sequence

from pidgr.campaigns import push_store
from pidgr.contract.v1.common_pb import Platform
from pidgr.errors import UnavailableError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.push import Answer, Outcome, Push, Pusher
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction


class AlertChannel:
    """Pushes nudges to every active device of a person; who has none cannot be reached."""

    def __init__(self, database: Database, pusher: Pusher) -> None:
        self._database = database
        self._pusher = pusher

    def send(self, nudges: Sequence[Nudge]) -> Handed:
        """Send a batch."""
        by_member = {nudge.member_id: nudge for nudge in nudges}
        devices = self._database.read_now(
            lambda reader: push_store.devices_of(
                reader, nudges[0].organization_key, list(by_member)
            )
        )
        pushes = [
            Push(
                delivery_id="",
                campaign_id=by_member[device.member_id].campaign_id,
                device_id=device.device_id,
                platform=Platform(device.platform).name,
                push_token=device.push_token,
                title=by_member[device.member_id].subject,
                summary=by_member[device.member_id].summary,
                critical=by_member[device.member_id].critical,
            )
            for device in devices
        ]
        try:
            answers = self._pusher.send(pushes, nudges[0].key) if pushes else []
        except UnavailableError as error:
            return Handed([], error)
        self._retire(pushes, answers)
        found: dict[str, list[Answer]] = defaultdict(list)
        for device, answer in zip(devices, answers, strict=True):
            found[device.member_id].append(answer)
        return Handed([_answer(found[nudge.member_id]) for nudge in nudges])

    def _retire(self, pushes: Sequence[Push], answers: Sequence[Answer]) -> None:
        """Deactivate the devices whose tokens the provider calls dead."""
        dead = [
            push
            for push, answer in zip(pushes, answers, strict=True)
            if answer.outcome is Outcome.DEAD_TOKEN
        ]

        def work(transaction: Transaction) -> None:
            for push in dead:
                push_store.deactivate_device(transaction, push.device_id, push.push_token)

        if dead:
            self._database.write_now(work)


def _answer(answers: Sequence[Answer]) -> NudgeAnswer:
    """Return what came of a person's devices: one that took the push is enough."""
    outcomes = {answer.outcome for answer in answers}
    if Outcome.ACCEPTED in outcomes:
        return NudgeAnswer(NudgeOutcome.SENT)
    refusals = [answer.reason for answer in answers if answer.outcome is Outcome.REFUSED]
    if refusals:
        return NudgeAnswer(NudgeOutcome.REFUSED, refusals[0])
    return NudgeAnswer(NudgeOutcome.UNREACHABLE)
