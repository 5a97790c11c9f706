"""What the command line tells of an installation, changing nothing."""

from dataclasses import dataclass
from datetime import datetime

from pidgr.campaigns import simulation_store, timeline_store, workflow
from pidgr.campaigns import store as campaign_store
from pidgr.campaigns.advance import definition_of
from pidgr.campaigns.delivery_id import unknown_delivery
from pidgr.campaigns.simulation import Audience, Firing, simulate
from pidgr.campaigns.targets import targets_of
from pidgr.campaigns.timeline import Happening, History, happenings
from pidgr.clock import DAY, from_datetime, to_timestamp
from pidgr.contract.v1.common_pb import CampaignStatus, StepType, WorkflowStep
from pidgr.contract.v1.heatmap_pb import (
    HeatmapMode,
    QueryHeatmapDataRequest,
    QueryHeatmapDataResponse,
)
from pidgr.directory import organization_store
from pidgr.errors import FailedPreconditionError, NotFoundError
from pidgr.heatmaps import screenshot_store
from pidgr.heatmaps.screenshot_store import Screenshot
from pidgr.heatmaps.service import HeatmapService
from pidgr.identity.caller import Caller
from pidgr.operations import system_of
from pidgr.settings import Settings
from pidgr.storage.transaction import Reader
from pidgr.system import System
from pidgr.validation import LOCALES


def render_heatmap(
    settings: Settings,
    organization_id: str,
    screen: str,
    *,
    first_day: datetime | None,
    last_day: datetime | None,
    resolution: float,
    median: bool,
) -> bytes:
    """Return a PNG of the heatmap of a screen over its latest picture.

    Raises:
        NotFoundError: no such organization.
        InvalidArgumentError: a bad name, range or resolution.
    """
    # Not before it is needed: numpy and the painter take 40 MB, and every command loads this.
    from pidgr.heatmaps import rendering  # noqa: PLC0415

    request = QueryHeatmapDataRequest(
        screen_name=screen,
        mode=HeatmapMode.MEDIAN if median else HeatmapMode.TOTAL,
        grid_resolution=resolution,
    )
    if first_day is not None:
        request.date_from = to_timestamp(from_datetime(first_day))
    if last_day is not None:
        request.date_to = to_timestamp(from_datetime(last_day) + DAY - 1)
    with system_of(settings) as system:
        service = HeatmapService(
            system.clock, system.cohorts, system.touch_upkeep, system.screenshots
        )

        def ask(reader: Reader) -> tuple[QueryHeatmapDataResponse, Screenshot | None]:
            tenant = organization_store.tenant(reader, organization_id)
            if tenant is None:
                raise NotFoundError(f"no organization has the id {organization_id}")
            answer = service.query_heatmap_data(request, Caller(organization=tenant), reader)
            return answer.with_objects(), screenshot_store.newest(reader, tenant.key, screen)

        answer, picture = system.database.read_now(ask)
        pixels = None
        if picture is not None:
            with system.blobs.get(picture.blob_name) as content:
                pixels = content.read()
    caption = "median of cohorts" if median else "touches"
    if median and not answer.cohort_enabled:
        caption = "fewer than 5 cohorts: medians are withheld"
    return rendering.render(answer.data_points, resolution, pixels, caption)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a campaign would do if nobody acted."""

    audience: Audience
    firings: list[Firing]


def simulate_campaign(settings: Settings, campaign_id: str) -> Simulation:
    """Return when each step of a campaign would fire, and for how many; nothing changes.

    Raises:
        NotFoundError: no such campaign.
        FailedPreconditionError: it has been started, or is over.
    """
    with system_of(settings) as system:
        return simulate_in(system, campaign_id)


def simulate_in(system: System, campaign_id: str) -> Simulation:
    """Do the same in an installation that is open."""

    def read(reader: Reader) -> Simulation:
        campaign = campaign_store.campaign_of_id(reader, campaign_id)
        if campaign is None:
            raise NotFoundError(f"no campaign has the id {campaign_id}")
        if campaign.status != CampaignStatus.CREATED:
            raise FailedPreconditionError("the campaign has been started, or is over")
        audience = simulation_store.audience(reader, campaign.key)

        def count_others(step: WorkflowStep, reachable_only: bool) -> int:
            return simulation_store.count_pairs(
                reader,
                campaign.key,
                campaign.organization_key,
                targets_of(
                    workflow.targets(step), include_restricted=bool(campaign.include_restricted)
                ),
                reachable_only=reachable_only,
            )

        firings = simulate(
            definition_of(campaign),
            audience,
            count_others,
            wait_for_enrollment=bool(campaign.wait_for_enrollment),
        )
        return Simulation(audience, firings)

    return system.database.read_now(read)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A delivery and what has become of it."""

    history: History
    happenings: list[Happening]


def explain_delivery(settings: Settings, delivery_id: str) -> Explanation:
    """Return the timeline of a delivery; nothing changes.

    Raises:
        InvalidArgumentError: not a UUID.
        NotFoundError: no such delivery.
    """
    with system_of(settings) as system:
        return explain_in(system, delivery_id)


def explain_in(system: System, delivery_id: str) -> Explanation:
    """Do the same in an installation that is open."""
    key = system.delivery_ids.decode("delivery_id", delivery_id)

    def read(reader: Reader) -> History:
        facts = timeline_store.delivery(reader, key)
        if facts is None:
            raise unknown_delivery()
        locales = timeline_store.locales_by_preference(reader, facts, key)
        campaign = campaign_store.campaign_by_key(reader, facts.campaign_key)
        assert campaign is not None  # noqa: S101 - it has the delivery
        step = workflow.find_step(definition_of(campaign), facts.step_id)
        return History(
            facts,
            timeline_store.sweeps(reader, facts, key, StepType.MARK_MISSED),
            timeline_store.children(reader, facts, key),
            timeline_store.refusals(reader, facts, key),
            timeline_store.devices(reader, facts),
            timeline_store.nudges(reader, facts, key, StepType.SEND_REMINDER),
            {preferred: LOCALES[number] for preferred, number in locales.items()},
            key.step_run_key,
            timeline_store.held_back(reader, facts, key),
            timeline_store.alerts(reader, facts, key),
            workflow.spares_confirmed(step),
        )

    history = system.database.read_now(read)
    return Explanation(history, happenings(history, system.delivery_ids.encode))
