"""The story: a message goes out, some people confirm it, the deadline passes.

Everything here goes over the network through the contract's generated clients.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Literal, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from protobuf import Oneof
from pyqwest import Client, HTTPTransport, HTTPVersion

from pidgr.contract.v1.action_connect import ActionServiceClient
from pidgr.contract.v1.action_pb import SubmitActionRequest
from pidgr.contract.v1.campaign_connect import CampaignServiceClient
from pidgr.contract.v1.campaign_pb import (
    Campaign,
    CreateCampaignRequest,
    GetCampaignRequest,
    ListDeliveriesRequest,
    StartCampaignRequest,
)
from pidgr.contract.v1.common_pb import (
    ActionType,
    CampaignStatus,
    DeadlineCheckConfig,
    DeliveryStatus,
    Pagination,
    Platform,
    SendNotificationConfig,
    StepType,
    WorkflowDefinition,
    WorkflowStep,
)
from pidgr.contract.v1.device_connect import DeviceServiceClient
from pidgr.contract.v1.device_pb import RegisterRequest
from pidgr.contract.v1.inbox_connect import InboxServiceClient
from pidgr.contract.v1.inbox_pb import MarkReadRequest, SyncRequest
from pidgr.contract.v1.member_connect import MemberServiceClient
from pidgr.contract.v1.member_pb import ListUsersRequest
from pidgr.contract.v1.team_connect import TeamServiceClient
from pidgr.contract.v1.team_pb import CreateTeamRequest
from pidgr.contract.v1.template_connect import TemplateServiceClient
from pidgr.contract.v1.template_pb import (
    CreateTemplateRequest,
    TemplateVariable,
    TemplateVariableSource,
)
from pidgr.contract.v1.user_pb import User
from pidgr.demo.outcome import Outcome
from pidgr.demo.screen import Bars, Screen

Item = TypeVar("Item")

_PAGE: Final = 100
_CALLS_AT_ONCE: Final = 32
_TEAM: Final = "People team"
_BODY: Final = """\
Hello {{first_name}},

from Monday the fire exit of **hall 3** is closed; the nearest one is at the loading bay.
Please confirm that you have read this.
"""

# What people do, as shares of those who did the thing before.
_WITH_DEVICE: Final = 0.94
_OPEN: Final = 0.70
_READ: Final = 0.92
_CONFIRM: Final = 0.85

# The shortest deadline the contract allows, and the part of it in which people answer.
_DEADLINE: Final = "1m"
ANSWERING_SECONDS: Final = 42.0
# Far beyond the deadline: a story that is not over by then is stuck.
_LONGEST_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5


class StoryError(Exception):
    """The story took a turn it must not take."""


class Clients:
    """The services the story calls, over one HTTP/2 connection."""

    def __init__(self, url: str) -> None:
        http = Client(HTTPTransport(http_version=HTTPVersion.HTTP2))
        self.actions: Final = ActionServiceClient(url, http_client=http, send_compression=None)
        self.campaigns: Final = CampaignServiceClient(url, http_client=http)
        self.devices: Final = DeviceServiceClient(url, http_client=http, send_compression=None)
        self.inbox: Final = InboxServiceClient(url, http_client=http, send_compression=None)
        self.members: Final = MemberServiceClient(url, http_client=http)
        self.teams: Final = TeamServiceClient(url, http_client=http)
        self.templates: Final = TemplateServiceClient(url, http_client=http)


class Story:
    """One campaign to every member of an organization but its founder.

    Args:
        url: of a server.
        api_key: of an organization with members, of whom none has a device.
        screen: where to tell it.
        mint: gives each of some members an access token, in order.
        answering_seconds: over how long people come to their inboxes.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        screen: Screen,
        mint: Callable[[Sequence[str]], Iterable[str]],
        answering_seconds: float = ANSWERING_SECONDS,
    ) -> None:
        self._url = url
        self._administrator = _bearer(api_key)
        self._screen = screen
        self._mint = mint
        self._answering_seconds = answering_seconds
        self._tokens: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._over = False

    async def tell(self) -> Outcome:
        """Tell the story to its end and return how it ended.

        Raises:
            StoryError: something failed that must not.
        """
        try:
            clients = Clients(self._url)
            people = await self._people(clients)
            with_device = people[: round(len(people) * _WITH_DEVICE)]
            await self._equip(clients, with_device)
            campaign_id = await self._prepare(clients, people)
            await self._start(clients, campaign_id, len(people))
            await self._answer(clients, campaign_id, with_device)
            return await self._outcome(clients, campaign_id, len(people) - len(with_device))
        except ConnectError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # Ctrl-C: the client library tells an interrupted call as an error of the call.
                raise asyncio.CancelledError from error
            raise StoryError(f"the server answered {error.code.name}: {error.message}") from error

    async def _people(self, clients: Clients) -> list[User]:
        """Return the imported members in the order of their ids, which is a random one."""
        people: list[User] = []
        token = ""
        while True:
            answer = await clients.members.list_users(
                ListUsersRequest(pagination=Pagination(page_size=_PAGE, page_token=token)),
                headers=self._administrator,
            )
            people += [user for user in answer.users if user.profile and user.profile.first_name]
            assert answer.pagination_meta is not None  # noqa: S101 - every list has it
            token = answer.pagination_meta.next_page_token
            if not token:
                return sorted(people, key=lambda user: user.id)

    async def _equip(self, clients: Clients, people: list[User]) -> None:
        """Give people access tokens, and let each register a telephone."""
        user_ids = [user.id for user in people]
        with self._screen.bars(
            {"Signed in": len(people), "Devices registered": len(people)}
        ) as bars:
            for user_id, token in zip(user_ids, self._mint(user_ids), strict=True):
                self._tokens[user_id] = token
                bars.advance("Signed in")

            async def register(user: User) -> None:
                await clients.devices.register(
                    RegisterRequest(
                        device_id=str(uuid.uuid4()),
                        platform=Platform.ANDROID,
                        push_token=f"demo-{user.id}",
                    ),
                    headers=_bearer(self._tokens[user.id]),
                )
                bars.advance("Devices registered")

            await _in_parallel(register, people)

    async def _prepare(self, clients: Clients, people: list[User]) -> str:
        await clients.teams.create_team(CreateTeamRequest(name=_TEAM), headers=self._administrator)
        made = await clients.templates.create_template(
            CreateTemplateRequest(
                name="Fire exit",
                title="Fire exit of hall 3",
                body=_BODY,
                variables=[
                    TemplateVariable(
                        name="first_name", source=TemplateVariableSource.PROFILE, required=True
                    )
                ],
            ),
            headers=self._administrator,
        )
        assert made.template is not None  # noqa: S101 - that is the answer
        created = await clients.campaigns.create_campaign(
            CreateCampaignRequest(
                name="Fire exit, hall 3",
                template_id=made.template.id,
                user_ids=[user.id for user in people],
                sender_name=_TEAM,
                workflow=_workflow(),
            ),
            headers=self._administrator,
        )
        assert created.campaign is not None  # noqa: S101
        self._screen.step(
            f"Team, template and campaign created: {len(people):,} recipients, a button to "
            f"confirm, a deadline of one minute"
        )
        return created.campaign.id

    async def _start(self, clients: Clients, campaign_id: str, people: int) -> None:
        began = time.monotonic()
        await clients.campaigns.start_campaign(
            StartCampaignRequest(campaign_id=campaign_id), headers=self._administrator
        )
        with self._screen.bars({"In the inbox": people}) as bars:
            while True:
                campaign = await self._campaign(clients, campaign_id)
                bars.set("In the inbox", campaign.total_recipients)
                progress = campaign.workflow_progress
                if progress is not None and progress.current_step_id == "deadline":
                    break
                await self._look_again(campaign, CampaignStatus.RUNNING, began)

    async def _answer(self, clients: Clients, campaign_id: str, people: list[User]) -> None:
        """Let people come to their inboxes one after the other, until the campaign is over."""
        openers = people[: round(len(people) * _OPEN)]
        readers = {user.id for user in openers[: round(len(openers) * _READ)]}
        confirming = set(sorted(readers)[: round(len(readers) * _CONFIRM)])
        totals = {
            "Opened": len(openers),
            "Read": len(readers),
            "Confirmed": len(confirming),
        }
        began = time.monotonic()
        # Those who confirm have the smallest ids: mixed again, so that all kinds come all the time.
        arriving = sorted(openers, key=lambda user: user.id[::-1])
        places = {user.id: place for place, user in enumerate(arriving)}

        with self._screen.bars(totals) as bars:

            async def visit(user: User) -> None:
                due = began + self._answering_seconds * places[user.id] / len(arriving)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self._over:
                    return
                await self._visit(
                    clients, user, bars, read=user.id in readers, confirm=user.id in confirming
                )

            await asyncio.gather(
                _in_parallel(visit, arriving), self._wait_for_end(clients, campaign_id, bars)
            )
        self._screen.step("The campaign is over: who was reached and has not confirmed, missed it")

    async def _visit(
        self, clients: Clients, user: User, bars: Bars, *, read: bool, confirm: bool
    ) -> None:
        credential = _bearer(self._tokens[user.id])
        inbox = await clients.inbox.sync(SyncRequest(), headers=credential)
        entry = inbox.entries[0] if inbox.entries else None
        if entry is None or entry.message is None:
            raise StoryError(f"the inbox of {user.email} is empty")
        assert user.profile is not None  # noqa: S101 - chosen by it
        if not entry.message.body.startswith(f"Hello {user.profile.first_name},"):
            raise StoryError(f"{user.email} is not greeted by name")
        if entry.status is DeliveryStatus.MISSED:
            # The deadline was first, on a machine that is very busy.
            return
        self._count("Opened", bars)
        if not read:
            return
        await clients.inbox.mark_read(
            MarkReadRequest(delivery_id=entry.delivery_id), headers=credential
        )
        self._count("Read", bars)
        if not confirm:
            return
        try:
            await clients.actions.submit_action(
                SubmitActionRequest(
                    delivery_id=entry.delivery_id, action_id=entry.message.actions[0].id
                ),
                headers=credential,
            )
        except ConnectError as error:
            if error.code is not Code.FAILED_PRECONDITION:
                raise
            return
        self._count("Confirmed", bars)

    def _count(self, name: str, bars: Bars) -> None:
        self._counts[name] += 1
        bars.advance(name)

    async def _wait_for_end(self, clients: Clients, campaign_id: str, bars: Bars) -> None:
        began = time.monotonic()
        while True:
            campaign = await self._campaign(clients, campaign_id)
            if campaign.status is CampaignStatus.COMPLETED:
                self._over = True
                bars.note("")
                break
            progress = campaign.workflow_progress
            if progress is not None and progress.next_wake_at is not None:
                left = progress.next_wake_at.to_datetime().timestamp() - time.time()
                bars.note(f"{max(0, round(left))} s to the deadline")
            await self._look_again(campaign, CampaignStatus.RUNNING, began)

    async def _look_again(self, campaign: Campaign, expected: CampaignStatus, began: float) -> None:
        if campaign.status is not expected:
            raise StoryError(f"the campaign is {campaign.status.name.lower()}")
        if time.monotonic() - began > _LONGEST_SECONDS:
            raise StoryError("the campaign does not move on")
        await asyncio.sleep(_LOOK_SECONDS)

    async def _campaign(self, clients: Clients, campaign_id: str) -> Campaign:
        answer = await clients.campaigns.get_campaign(
            GetCampaignRequest(campaign_id=campaign_id), headers=self._administrator
        )
        assert answer.campaign is not None  # noqa: S101
        return answer.campaign

    async def _outcome(self, clients: Clients, campaign_id: str, without_device: int) -> Outcome:
        statuses: Counter[DeliveryStatus] = Counter()
        delivered_at = read_at = 0
        token = ""
        while True:
            page = await clients.campaigns.list_deliveries(
                ListDeliveriesRequest(
                    campaign_id=campaign_id,
                    pagination=Pagination(page_size=_PAGE, page_token=token),
                ),
                headers=self._administrator,
            )
            statuses.update(DeliveryStatus(delivery.status) for delivery in page.deliveries)
            delivered_at += sum(one.delivered_at is not None for one in page.deliveries)
            read_at += sum(one.read_at is not None for one in page.deliveries)
            assert page.pagination_meta is not None  # noqa: S101
            token = page.pagination_meta.next_page_token
            if not token:
                break
        campaign = await self._campaign(clients, campaign_id)
        return Outcome(
            campaign_id=campaign_id,
            without_device=without_device,
            opened=self._counts["Opened"],
            read=self._counts["Read"],
            confirmed=self._counts["Confirmed"],
            statuses=statuses,
            delivered_at=delivered_at,
            read_at=read_at,
            total_recipients=campaign.total_recipients,
            action_completed_count=campaign.action_completed_count,
            missed_count=campaign.missed_count,
        )


def _bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def _workflow() -> WorkflowDefinition:
    return WorkflowDefinition(
        steps=[
            WorkflowStep(
                id="send",
                type=StepType.SEND_NOTIFICATION,
                config=Oneof[Literal["send_notification"], SendNotificationConfig](
                    "send_notification",
                    SendNotificationConfig(
                        type="push", action_type=ActionType.ACK, action_label="I have read this"
                    ),
                ),
                transitions={"completed": "deadline"},
            ),
            WorkflowStep(
                id="deadline",
                type=StepType.DEADLINE_CHECK,
                config=Oneof[Literal["deadline_check"], DeadlineCheckConfig](
                    "deadline_check", DeadlineCheckConfig(delay=_DEADLINE)
                ),
                transitions={"completed": "missed"},
            ),
            WorkflowStep(id="missed", type=StepType.MARK_MISSED),
        ]
    )


async def _in_parallel(work: Callable[[Item], Awaitable[None]], items: Iterable[Item]) -> None:
    """Do a piece of work for each item, a bounded number of them at a time."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_CALLS_AT_ONCE):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
