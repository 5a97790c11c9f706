"""kill -9 of servers and workers while random workflows run, and an audit of all they did.

``FAULT_FIRST_SEED=7 FAULT_SEEDS=1 make faults`` repeats seed 7: the same campaigns to the same
people, killed at the same moments as far as the machine's pace allows.
"""

import random
from typing import Final

import pytest
from support.waiting import until

from faults.api import Api, ApiError
from faults.audit import check_counters, open_tasks, wait_over
from faults.company import Company
from faults.conftest import seeds
from faults.deployment import TEAM, Deployment, value
from faults.hourglass import Hourglass
from faults.killing import Killer
from faults.processes import Process
from faults.readers import Readers
from faults.receiver import Receiver, receiver
from faults.story import read_story
from faults.verdict import CANCELLED, Verdict
from faults.workflows import Scenario, definition, drawn
from pidgr.contract.v1.common_pb import CampaignStatus

PEOPLE: Final = 2_300
KILLS: Final = 10
# More campaigns than are killed ten times.
_SCENARIOS: Final = 3 * KILLS
_RUNNING: Final = f"select count(*) from campaign where status = {int(CampaignStatus.RUNNING)}"


class Processes:
    """A server, and where the database allows it a worker beside it."""

    def __init__(self, deployment: Deployment, *, with_worker: bool, embedded_engine: bool) -> None:
        self._deployment = deployment
        self._embedded_engine = embedded_engine
        self.server, self.url = self._serve()
        self.worker = deployment.worker() if with_worker else None

    def _serve(self) -> tuple[Process, str]:
        return self._deployment.serve(PIDGR_EMBEDDED_ENGINE=str(self._embedded_engine).lower())

    def any(self, dice: random.Random) -> Process:
        return dice.choice([one for one in (self.server, self.worker) if one is not None])

    def replace_dead(self) -> None:
        if not self.server.running:
            self.server, self.url = self._serve()
        if self.worker is not None and not self.worker.running:
            self.worker = self._deployment.worker()


class Siege:
    """Campaigns, begun one after the other, in an installation whose processes are killed."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self.deployment = deployment
        self.dice = random.Random(seed)
        self.company = Company(deployment, PEOPLE)
        self.ids = deployment.delivery_ids()
        self.readers = Readers(deployment, self.company.tenant.ids[:12], seed)
        self.killer = Killer(deployment, self.dice)
        self.killer.dead_devices = self.company.dead_devices
        several = deployment.database_url.startswith("postgresql")
        self.processes = Processes(
            deployment, with_worker=several, embedded_engine=not several or seed % 2 == 0
        )
        self.campaigns: dict[str, Scenario] = {}
        self.kills = 0

    def api(self) -> Api:
        return Api(self.processes.url, self.company.tenant.api_key)

    def withstand(self, scenarios: list[Scenario], peer: Receiver) -> None:
        """Run campaigns until enough processes have been killed, and wait for them all to end."""
        with self.api() as api:
            places = self.company.equip(api)
        self.readers.start(self.processes.url)
        hourglass = Hourglass(self.deployment, self.dice.randrange(1_000))
        for number, scenario in enumerate(scenarios):
            if self.kills == KILLS:
                break
            workflow = definition(scenario, places, peer.url(number))
            campaign_id = self.start(scenario, workflow, places.template_ids[False])
            strikes = self.dice.randint(0, 2)
            cancelled_at = self.dice.randint(0, strikes) if scenario.cancelled else -1
            for strike in range(strikes + 1):
                if strike == cancelled_at:
                    self.cancel(campaign_id)
                if strike < strikes and self.kills < KILLS:
                    self.strike()
        with self.api() as api:
            for campaign_id in self.campaigns:
                wait_over(api, campaign_id)
        self.readers.finish()
        until(lambda: not open_tasks(self.deployment), 120)
        hourglass.finish()

    def start(self, scenario: Scenario, workflow: dict[str, object], template_id: str) -> str:
        with self.api() as api:
            created = api(
                "CampaignService/CreateCampaign",
                name="Policy",
                template_id=template_id,
                user_ids=self.company.audience(scenario),
                sender_name=TEAM,
                workflow=workflow,
                wait_for_enrollment=scenario.wait_for_enrollment,
            )
            campaign_id = str(created["campaign"]["id"])
            api("CampaignService/StartCampaign", campaign_id=campaign_id)
        self.campaigns[campaign_id] = scenario
        return campaign_id

    def cancel(self, campaign_id: str) -> None:
        with self.api() as api:
            try:
                api("CampaignService/CancelCampaign", campaign_id=campaign_id)
            except ApiError as error:
                assert error.code == "failed_precondition"  # noqa: PT017 - it was over already
            else:
                assert api.campaign(campaign_id)["status"] == CANCELLED

    def strike(self) -> None:
        """Kill a process, if something runs that the kill could harm."""
        if not self.is_busy():
            return
        self.killer.strike(self.processes.any(self.dice), calls=2, patience=3)
        self.kills += self.is_busy()
        self.processes.replace_dead()
        self.readers.url = self.processes.url

    def is_busy(self) -> bool:
        return bool(value(self.deployment.database, _RUNNING))

    def check(self, peer: Receiver) -> None:
        """Audit every campaign."""
        deliveries = repeats = 0
        with self.api() as api:
            for number, (campaign_id, scenario) in enumerate(self.campaigns.items()):
                campaign = api.campaign(campaign_id)
                print(campaign_id, campaign["status"], scenario)  # noqa: T201 - shown if it fails
                assert "workflowProgress" not in campaign
                check_counters(self.deployment, api, campaign_id)
                story = read_story(self.deployment, self.ids, campaign_id, peer.calls(number))
                deliveries += len(story.made)
                repeats += story.repeats.total()
                Verdict(
                    scenario,
                    self.company,
                    story,
                    status=campaign["status"],
                    answers=self.readers.answers,
                    readers=self.readers.user_ids,
                    kills=self.killer.kills,
                ).check()
        print(  # noqa: T201 - the figures somebody runs this for
            f"\n{self.kills} kills of {len(self.campaigns)} campaigns, {deliveries} deliveries: "
            f"{len(self.readers.answers)} confirmed, {repeats} batches pushed again"
        )


@pytest.mark.faults
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", seeds())
def test_random_workflows_survive_kills(deployment: Deployment, seed: int) -> None:
    siege = Siege(deployment, seed)
    with receiver(siege.killer.witness) as peer:
        siege.withstand(drawn(seed, PEOPLE, _SCENARIOS), peer)
        siege.check(peer)
    assert siege.kills == KILLS
