"""Settings from the environment: ``PIDGR_NAME``, or ``PIDGR_NAME_FILE`` to read a secret's file."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pidgr.channel_settings import ChannelSettings

PREFIX = "PIDGR_"
INBOX = "/inbox"
"""The path of our own inbox under the issuer."""


class SecretFileSource(PydanticBaseSettingsSource):
    """Reads ``PIDGR_X`` from the file that ``PIDGR_X_FILE`` names, as container secrets do."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the stripped content of the named file, or nothing."""
        del field
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        value = Path(path).read_text(encoding="utf-8").strip() if path else None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every setting that is given through a file."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class TrustedIssuer(BaseModel, frozen=True):
    """Somebody else whose access tokens count here, as long as we know the person."""

    issuer: str = Field(min_length=1, description="`iss` of their tokens, compared as it is.")
    audience: str = Field(min_length=1, description="`aud` that names this installation.")
    jwks_url: str = Field(
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])",
        description="Where their public keys are; plain HTTP only on this machine.",
    )


class Settings(ChannelSettings):
    """Everything an operator can set; every value has a working default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    data_dir: Path = Field(
        Path("pidgr-data"), description="Where the embedded database and the master key live."
    )
    database_url: str = Field(
        "", description="sqlite:///FILE or postgresql://...; empty means SQLite in data_dir."
    )
    master_key: SecretStr | None = Field(
        None,
        description="At least 32 random characters; seals private keys, page tokens and delivery "
        "ids. Without it data_dir/master.key is made and used. Processes that share a database "
        "must share it.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    internal_host: str = Field(
        "127.0.0.1", description="Address for calls of services of this installation."
    )
    internal_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of RPCs that only such services may call, such as RenderBatch; without "
        "it there is none. It must not be reachable from outside.",
    )
    internal_token: SecretStr = Field(
        SecretStr(""),
        description="At least 32 random characters those services authenticate with, as a bearer "
        "token; needed with internal_port.",
    )
    tls_cert: Path | None = Field(None, description="PEM certificate chain; switches TLS on.")
    tls_key: Path | None = Field(None, description="PEM private key of tls_cert.")
    workers: int = Field(1, ge=1, le=64, description="Server processes (PostgreSQL only above 1).")
    drain_seconds: int = Field(30, ge=0, description="How long open calls may finish at stop.")
    issuer: str = Field(
        "http://localhost:8080",
        description="`iss` of our tokens: the public base URL, where /.well-known/jwks.json is.",
    )
    audience: str = Field("pidgr", description="`aud` of our tokens.")
    rate_limit_per_second: float = Field(
        100.0, gt=0, description="Sustained requests per second of one organization."
    )
    rate_limit_burst: int = Field(
        200, ge=1, description="Requests an organization may make at once after a pause."
    )
    sign_in_limit_per_second: float = Field(
        1.0,
        gt=0,
        description="Sustained requests to /auth/... per second of one client address. Raise "
        "it where many people share an address, behind a proxy for example.",
    )
    sign_in_limit_burst: int = Field(
        60, ge=1, description="Sign-in requests a client address may make at once after a pause."
    )
    invite_limit_per_minute: float = Field(
        10.0,
        gt=0,
        description="Sustained calls per minute of one client address to ValidateInviteLink. Raise "
        "it where many people who join share an address.",
    )
    invite_limit_burst: int = Field(
        10, ge=1, description="Such calls a client address may make at once after a pause."
    )
    public_limit_per_second: float = Field(
        10.0,
        gt=0,
        description="Sustained calls per second of one client address to RPCs that need no "
        "credential: links in messages, the way to single sign-on.",
    )
    public_limit_burst: int = Field(
        100, ge=1, description="Such calls a client address may make at once after a pause."
    )
    bad_credential_limit_per_second: float = Field(
        1.0,
        gt=0,
        description="Made-up credentials per second of one client address that are answered as "
        "such; good ones of the same address pass whatever else comes from it.",
    )
    bad_credential_limit_burst: int = Field(
        30, ge=1, description="Made-up credentials a client address may send at once."
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Comma-separated networks (10.0.0.0/8) and addresses of reverse proxies of "
        "your own: from them, and no others, X-Forwarded-For says who the client is.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Comma-separated origins whose pages may call the API."
    )
    reflection: bool = Field(default=True, description="Answer gRPC server reflection.")
    embedded_engine: bool = Field(
        default=True,
        description="Whether `pidgr serve` also runs campaigns. Switch it off only where at least "
        "one `pidgr worker` runs beside it, on PostgreSQL.",
    )
    trusted_issuers: Annotated[tuple[TrustedIssuer, ...], NoDecode] = Field(
        (),
        description="JSON array of other issuers whose RS256 tokens members may call with: "
        '[{"issuer": "...", "audience": "...", "jwks_url": "..."}].',
    )
    step_up: bool = Field(
        default=False,
        description="Creating API keys, editing roles, removing members and changing single "
        "sign-on need a sign-in of the last five minutes.",
    )
    oauth_resources: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated URLs of other servers, such as a pidgr-mcp, whose clients may "
        "ask here for tokens by `resource`; those servers call on with them.",
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://USER:PASSWORD@HOST:587 (STARTTLS, off only by ?starttls=off) or "
        "smtps://USER:PASSWORD@HOST:465. Empty: no mail leaves.",
    )
    mail_from: str = Field(
        "", description="Sender of mail, for example Pidgr <no-reply@example.com>."
    )
    sign_in_url: str = Field(
        "",
        description="Where invitations, links of nudges and the sign-in page send people: the "
        "address of your client. Empty means our own inbox, PIDGR_ISSUER/inbox.",
    )
    development: bool = Field(
        default=False,
        description="Without a mail server, show mail on the console: anyone who reads it can "
        "sign in as anyone.",
    )
    push_url: str = Field(
        "", description="POST each batch of pushes to this URL; empty writes them to the log."
    )
    push_rate_per_second: float = Field(
        1000.0, gt=0, description="Pushes that APNs and FCM are each asked to take per second."
    )
    apns_key: SecretStr = Field(
        SecretStr(""),
        description="PEM text of Apple's .p8 key; pushes to iOS then go to APNs.",
    )
    apns_key_id: str = Field("", description="Id of that key.")
    apns_team_id: str = Field("", description="Id of the Apple developer team.")
    apns_topic: str = Field("", description="Bundle id of the iOS app.")
    apns_url: str = Field(
        "https://api.push.apple.com",
        pattern=r"^https://",
        description="Where APNs is; https://api.sandbox.push.apple.com for development builds.",
    )
    fcm_credentials: SecretStr = Field(
        SecretStr(""),
        description="JSON key file of a Google service account; pushes to Android, and to iOS "
        "without an APNs key, then go to FCM.",
    )
    fcm_url: str = Field(
        "https://fcm.googleapis.com", pattern=r"^https://", description="Where FCM is."
    )
    web_push_services: Annotated[tuple[str, ...], NoDecode] = Field(
        (
            "fcm.googleapis.com",
            "push.services.mozilla.com",
            "push.apple.com",
            "notify.windows.com",
        ),
        description="Comma-separated push services of browsers that are spoken to: host names, "
        "which stand for their subdomains too, or origins such as http://push.internal:8080. "
        "Other browsers cannot subscribe.",
    )
    web_push_contact: str = Field(
        "",
        pattern=r"^((mailto|https):.+)?$",
        description="mailto: or https: URL by which push services reach the operator. Empty means "
        "PIDGR_ISSUER when that is an https URL.",
    )
    webhook_allowed_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated networks (10.0.0.0/8), addresses and host names of your own "
        "that webhooks may call, over plain http too. Others must be public and https.",
    )
    blob_url: str = Field(
        "",
        description="Where files such as screenshots are kept: file:///DIRECTORY or "
        "s3://BUCKET/FOLDER; empty means data_dir/blobs. Processes that share a database must "
        "share it.",
    )
    s3_endpoint: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="URL of an S3-compatible service; empty means Amazon's, in s3_region.",
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: str = Field(
        "",
        description="Access key for the bucket; empty means what AWS_... variables or the machine "
        "itself provide.",
    )
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="Its secret.")
    heatmap_retention_days: int = Field(
        365, ge=1, le=36_500, description="How long touches are kept for heatmaps."
    )
    replay_retention_days: int = Field(
        30, ge=1, le=3_650, description="How long recordings of sessions are kept."
    )
    posthog_url: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Where PostHog is, such as https://eu.posthog.com, for an organization that "
        "keeps its recordings there; empty means that all are kept here.",
    )
    posthog_project_id: str = Field("", description="Id of the project at PostHog.")
    posthog_api_key: SecretStr = Field(
        SecretStr(""),
        description="Personal API key with the scope session_recording:read in that project.",
    )
    posthog_organization_id: str = Field(
        "",
        description="Id of the organization here whose recordings those are; no other sees them.",
    )
    sso_allowed_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated networks, addresses and host names of your own that identity "
        "providers may be at, over plain http too. Others must be public and https.",
    )
    dns_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated addresses (192.0.2.1 or 192.0.2.1:53) of the name servers "
        "that are asked whose a domain is; empty asks those the machine uses.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least important events that are logged."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def ignore_case(cls, value: object) -> object:
        """Accept ``info`` for ``INFO``."""
        return value.upper() if isinstance(value, str) else value

    @field_validator(
        "cors_origins",
        "dns_servers",
        "oauth_resources",
        "sso_allowed_networks",
        "trusted_proxies",
        "web_push_services",
        "webhook_allowed_networks",
        "whatsapp_languages",
        mode="before",
    )
    @classmethod
    def split_commas(cls, value: object) -> object:
        """Accept the comma-separated form of the environment."""
        if isinstance(value, str):
            return tuple(entry.strip() for entry in value.split(",") if entry.strip())
        return value

    @field_validator("trusted_issuers", mode="before")
    @classmethod
    def parse_issuers(cls, value: object) -> object:
        """Accept the JSON of the environment."""
        return json.loads(value) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look at arguments, then the environment, then ``_FILE`` variables."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretFileSource(settings_cls)

    @property
    def inbox_url(self) -> str:
        """The address of our own inbox."""
        return self.issuer.rstrip("/") + INBOX

    @property
    def home_url(self) -> str:
        """Where people read their messages."""
        return self.sign_in_url or self.inbox_url

    def resolved_database_url(self) -> str:
        """Return the database URL, the embedded default included."""
        if self.database_url:
            return self.database_url
        return f"sqlite:///{self.data_dir.resolve() / 'pidgr.sqlite3'}"
