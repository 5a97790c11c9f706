"""An organization, its administrator, and one of everything that can be acted on."""

import io
import json
import secrets
from functools import cached_property
from typing import Any

import httpx
from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from pidgr.audit import incident_store
from pidgr.audit.incident_store import IncidentKind
from pidgr.clock import DAY
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction
from support.grpc_client import Client
from support.running import Installation
from support.story import Story

_KEY = Statement("select key from organization where id = :id")


class Stage(Story):
    """What an administrator can make. Each call makes another one, unless it says otherwise."""

    def __init__(self, installation: Installation, client: Client) -> None:
        super().__init__(installation, client, installation.found(), people=1)
        self.admin = installation.token(self.organization.admin_id)
        self.tokens[self.organization.admin_id] = self.admin

    def make(self, rpc: str, **fields: Any) -> Any:
        return self.client(rpc, self.admin, **fields)

    def request(self, **fields: Any) -> dict[str, Any]:
        """Return the fields of a CreateCampaign that succeeds, by default to one person."""
        return super().request(**{"user_ids": self.user_ids[:1], **fields})

    def member(self) -> str:
        return self.invite(f"{secrets.token_hex(5)}@example.com")

    def guest(self) -> str:
        email = f"{secrets.token_hex(5)}@example.com"
        return str(self.make("MemberService/InviteUser", email=email).user.id)

    def deactivated(self) -> str:
        user_id = self.member()
        self.make("MemberService/DeactivateUser", user_id=user_id)
        return user_id

    def role(self) -> str:
        name = f"Role {secrets.token_hex(4)}"
        permissions = [self.stubs.PERMISSION_INBOX_READ]
        return str(self.make("RoleService/CreateRole", name=name, permissions=permissions).role.id)

    def collective(self, noun: str) -> str:
        made = self.make(f"{noun}Service/Create{noun}", name=f"{noun} {secrets.token_hex(4)}")
        return str(getattr(made, noun.lower()).id)

    def with_member(self, noun: str) -> dict[str, Any]:
        fields = {f"{noun.lower()}_id": self.collective(noun), "user_ids": [self.member()]}
        self.make(f"{noun}Service/Add{noun}Members", **fields)
        return fields

    def translation(self) -> str:
        made = self.make(
            "TemplateService/CreateTemplateTranslation",
            template_id=self.template(source_locale="en"),
            locale="es",
            body="Hola",
        )
        return str(made.translation.id)

    def api_key(self) -> str:
        permissions = [self.stubs.PERMISSION_ORG_READ]
        made = self.make("ApiKeyService/CreateApiKey", name="robot", permissions=permissions)
        return str(made.api_key.id)

    def invite_link(self) -> str:
        return str(self.make("InviteLinkService/CreateInviteLink").invite_link.id)

    def mappings(self, profile_field: str) -> dict[str, Any]:
        mapping = self.stubs.SsoAttributeMapping(idp_claim="unit", profile_field=profile_field)
        return {"sso_attribute_mappings": [mapping]}

    def sandbox(self) -> dict[str, Any]:
        """Return the fields of a CreateSandboxOrganization that succeeds."""
        expires_at = self.installation.system.clock.now() + DAY
        return {
            "name": f"Sandbox {secrets.token_hex(4)}",
            "expires_at": Timestamp(seconds=expires_at // 1_000_000),
            "fixture_id": "empty",
        }

    def sandbox_id(self) -> str:
        made = self.make("OrganizationService/CreateSandboxOrganization", **self.sandbox())
        return str(made.organization.id)

    def deletion(self) -> dict[str, str]:
        """Return what names a deletion that waits, and confirms it."""
        email = f"{secrets.token_hex(5)}@example.com"
        made = self.make("PrivacyService/DeleteUserData", user_id=self.invite(email))
        return {"request_id": made.request_id, "confirmation_email": email}

    def incident(self) -> None:
        """Let a sign be noted that somebody's secret is in other hands."""
        system = self.installation.system

        def work(transaction: Transaction) -> None:
            key = transaction.value(_KEY, {"id": self.organization.id})
            incident_store.record(
                transaction, IncidentKind.PASSKEY_CLONED, "", key, system.clock.now()
            )

        system.database.write_now(work)

    def delivery(self) -> str:
        """Start a campaign to the administrator and return their delivery."""
        admin_id = self.organization.admin_id
        campaign = self.start(user_ids=[admin_id], wait_for_enrollment=True)
        return self.delivery_id(campaign.id, admin_id)

    @cached_property
    def delivery_to_read(self) -> str:
        """A delivery to the administrator, always the same one."""
        return self.delivery()

    def phone(self) -> str:
        """Return a device of the administrator."""
        return self.register(self.organization.admin_id)

    @cached_property
    def recorded(self) -> tuple[str, str]:
        """A campaign with two recordings of the administrator, and the token of the last."""
        campaign_id, token = str(self.create().id), ""
        with httpx.Client(
            base_url=self.installation.url, headers={"authorization": f"Bearer {self.admin}"}
        ) as browser:
            for _ in range(2):
                begun = browser.post("/replay/recordings", json={"campaign_id": campaign_id})
                token = begun.json()["recording"]
                event = {"type": 3, "timestamp": 1, "data": {"source": 2, "type": 2, "id": 4}}
                sent = browser.post(
                    f"/replay/recordings/{token}/0",
                    content=json.dumps([event]),
                    headers={"content-type": "application/json"},
                )
                assert sent.json() == {"next": 1}
        return campaign_id, token

    def recording(self) -> str:
        """Return the newest recording."""
        _ = self.recorded
        return str(self.make("ReplayService/ListSessionRecordings").recordings[0].id)

    @cached_property
    def picture(self) -> str:
        """The link to a picture of a screen."""
        file = io.BytesIO()
        Image.new("RGB", (8, 16)).save(file, "PNG")
        uploaded = self.make(
            "HeatmapService/UploadScreenshot",
            screen_name="Home",
            app_version="1",
            image_data=file.getvalue(),
        )
        return str(uploaded.url)

    def touch(self) -> dict[str, Any]:
        """Return the fields of an IngestTouchEvents about a screen of a campaign."""
        campaign_id = str(self.create().id)
        now = self.installation.system.clock.now()
        event = self.stubs.TouchEvent(
            screen_name=f"MessageDetail::{campaign_id}",
            x_pct=0.5,
            y_pct=0.5,
            event_type=self.stubs.TOUCH_EVENT_TYPE_TAP,
            campaign_id=campaign_id,
            client_timestamp=Timestamp(seconds=now // 1_000_000),
        )
        return {"events": [event]}

    @cached_property
    def touched(self) -> dict[str, str]:
        """A campaign's screen that somebody has touched."""
        fields = self.touch()
        self.make("HeatmapService/IngestTouchEvents", **fields)
        (event,) = fields["events"]
        return {"screen_name": event.screen_name, "campaign_id": event.campaign_id}

    def workflow(self) -> Any:
        """Return a workflow whose steps name everything that a step can name."""
        steps, stubs = self.steps, self.stubs
        kinds = {
            stubs.ESCALATION_TARGET_TYPE_USER: self.member(),
            stubs.ESCALATION_TARGET_TYPE_GROUP: self.collective("Group"),
            stubs.ESCALATION_TARGET_TYPE_ROLE: self.role(),
        }
        targets = [stubs.EscalationTarget(type=kind, target_id=id_) for kind, id_ in kinds.items()]
        reminder = steps.remind()
        reminder.send_reminder.CopyFrom(stubs.SendReminderConfig(notify_targets=targets))
        escalation = stubs.WorkflowStep(
            id="escalate",
            type=stubs.STEP_TYPE_ESCALATE,
            escalate_config=stubs.EscalateConfig(
                condition=stubs.ESCALATION_CONDITION_IF_NOT_ACKED, targets=targets
            ),
        )
        return steps(
            steps.send(template_id=self.template()),
            steps.wait(),
            reminder,
            escalation,
            steps.missed(),
        )

    def second_page(self, rpc: str, **fields: Any) -> dict[str, Any]:
        """Return the fields that ask for the second page of one row."""
        first = self.make(rpc, pagination=self.stubs.Pagination(page_size=1), **fields)
        token = first.pagination_meta.next_page_token
        assert token, rpc
        return {"pagination": self.stubs.Pagination(page_size=1, page_token=token), **fields}

    def plain_second_page(self, rpc: str) -> dict[str, Any]:
        """Do the same where size and token are fields of the request itself."""
        token = self.make(rpc, page_size=1).next_page_token
        assert token, rpc
        return {"page_size": 1, "page_token": token}
