"""Alerts by push: to people who have no delivery of their own that could be pushed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pidgr.campaigns import push_store
from pidgr.campaigns.push_store import BROWSER, MemberDevice
from pidgr.campaigns.pushes import platform_name
from pidgr.errors import UnavailableError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.push import Answer, Outcome, Push, Pusher, send_all
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction


class AlertChannel:
    """Pushes nudges to every device and browser of a person; who has neither is not reached."""

    def __init__(self, database: Database, pusher: Pusher, browser_pusher: Pusher) -> None:
        self._database = database
        self._pusher = pusher
        self._browser_pusher = browser_pusher

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        by_member = {nudge.member_id: nudge for nudge in nudges}
        found = self._database.read_now(
            lambda reader: push_store.devices_of(
                reader, nudges[0].organization_key, list(by_member)
            )
        )
        devices = [device for device in found if device.platform != BROWSER]
        browsers = [device for device in found if device.platform == BROWSER]
        key = nudges[0].key
        parts = [
            (self._pusher, _pushes(devices, by_member), key),
            (self._browser_pusher, _pushes(browsers, by_member), f"{key}:browsers"),
        ]
        try:
            answers = send_all(parts, departure)
        except UnavailableError as error:
            return Handed([], error)
        devices += browsers
        self._retire(devices, answers)
        by_person: dict[str, list[Answer]] = defaultdict(list)
        for device, answer in zip(devices, answers, strict=True):
            by_person[device.member_id].append(answer)
        return Handed([_answer(by_person[nudge.member_id]) for nudge in nudges])

    def _retire(self, devices: Sequence[MemberDevice], answers: Sequence[Answer]) -> None:
        """Push no more to the devices whose tokens the provider calls dead."""
        dead = [
            device
            for device, answer in zip(devices, answers, strict=True)
            if answer.outcome is Outcome.DEAD_TOKEN
        ]

        def work(transaction: Transaction) -> None:
            for device in dead:
                push_store.retire(transaction, device.platform, device.device_id, device.push_token)

        if dead:
            self._database.write_now(work)


def _pushes(devices: Sequence[MemberDevice], by_member: Mapping[str, Nudge]) -> list[Push]:
    return [
        Push(
            delivery_id="",
            campaign_id=nudge.campaign_id,
            device_id=device.device_id,
            platform=platform_name(device.platform),
            push_token=device.push_token,
            title=nudge.subject,
            summary=nudge.summary,
            critical=nudge.critical,
        )
        for device in devices
        for nudge in [by_member[device.member_id]]
    ]


def _answer(answers: Sequence[Answer]) -> NudgeAnswer:
    """Return what came of a person's devices: one that took the push is enough."""
    outcomes = {answer.outcome for answer in answers}
    if Outcome.ACCEPTED in outcomes:
        return NudgeAnswer(NudgeOutcome.SENT)
    refusals = [answer.reason for answer in answers if answer.outcome is Outcome.REFUSED]
    if refusals:
        return NudgeAnswer(NudgeOutcome.REFUSED, refusals[0])
    if Outcome.NOT_STARTED in outcomes:
        return NudgeAnswer(NudgeOutcome.LATER)
    return NudgeAnswer(NudgeOutcome.UNREACHABLE)
