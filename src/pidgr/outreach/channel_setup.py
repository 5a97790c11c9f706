"""Chooses the channels beside push that the settings ask for."""

from collections.abc import Callable

from pydantic import SecretStr

from pidgr.channel_settings import ChannelSettings
from pidgr.clock import Clock
from pidgr.contract.v1.channel_events_pb import ChannelName
from pidgr.errors import SetupError
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channels import Channel
from pidgr.outreach.email_channel import EmailChannel
from pidgr.outreach.google_account import ServiceAccount
from pidgr.outreach.google_chat_channel import ChatApp, GoogleChatChannel
from pidgr.outreach.line_channel import LineChannel
from pidgr.outreach.mail import BulkMailer
from pidgr.outreach.slack_channel import SlackChannel
from pidgr.outreach.sms_channel import SmsChannel
from pidgr.outreach.teams_channel import TeamsBot, TeamsChannel
from pidgr.outreach.webhook_channel import WebhookChannel
from pidgr.outreach.whatsapp_channel import WhatsAppChannel, WhatsAppSender


def build_channels(
    settings: ChannelSettings,
    mailer: BulkMailer | None,
    guard: AddressGuard,
    secret_of: Callable[[int], str],
    clock: Clock,
    telegram: Channel | None = None,
) -> dict[int, Channel]:
    """Return what is set up, by the contract's number of the channel.

    Args:
        settings: of the installation.
        mailer: sends mail, if anything does.
        guard: judges where services may be.
        secret_of: returns an organization's webhook secret.
        clock: tells when access tokens end.
        telegram: writes to those who have opened a chat, if there is a bot.

    Raises:
        SetupError: settings that lack others, or cannot be read.
    """
    found: dict[int, Channel | None] = {
        ChannelName.EMAIL: EmailChannel(mailer) if mailer is not None else None,
        ChannelName.WEBHOOK: _webhook(settings, guard, secret_of),
        ChannelName.TELEGRAM: telegram,
        ChannelName.SLACK: _slack(settings, guard),
        ChannelName.SMS: _sms(settings, guard),
        ChannelName.WHATSAPP: _whatsapp(settings, guard),
        ChannelName.MICROSOFT_TEAMS: _teams(settings, guard, clock),
        ChannelName.LINE: _line(settings, guard),
        ChannelName.GOOGLE_CHAT: _google_chat(settings, guard, clock),
    }
    return {name: channel for name, channel in found.items() if channel is not None}


def _webhook(
    settings: ChannelSettings, guard: AddressGuard, secret_of: Callable[[int], str]
) -> Channel | None:
    url = settings.nudge_webhook_url
    return WebhookChannel(url, guard, secret_of) if url else None


def _slack(settings: ChannelSettings, guard: AddressGuard) -> Channel | None:
    if not _has(settings, "slack_bot_token"):
        return None
    return SlackChannel(settings.slack_bot_token.get_secret_value(), settings.slack_url, guard)


def _sms(settings: ChannelSettings, guard: AddressGuard) -> Channel | None:
    if not _has(settings, "sms_token", "sms_account", "sms_sender"):
        return None
    return SmsChannel(
        account=settings.sms_account,
        token=settings.sms_token.get_secret_value(),
        sender=settings.sms_sender,
        url=settings.sms_url,
        guard=guard,
    )


def _whatsapp(settings: ChannelSettings, guard: AddressGuard) -> Channel | None:
    if not _has(settings, "whatsapp_token", "whatsapp_phone_number_id", "whatsapp_template"):
        return None
    sender = WhatsAppSender(
        phone_number_id=settings.whatsapp_phone_number_id,
        token=settings.whatsapp_token.get_secret_value(),
        template=settings.whatsapp_template,
        languages=settings.whatsapp_languages,
        url=settings.whatsapp_url,
    )
    return WhatsAppChannel(sender, guard)


def _line(settings: ChannelSettings, guard: AddressGuard) -> Channel | None:
    if not _has(settings, "line_token"):
        return None
    return LineChannel(settings.line_token.get_secret_value(), settings.line_url, guard)


def _teams(settings: ChannelSettings, guard: AddressGuard, clock: Clock) -> Channel | None:
    if not _has(settings, "teams_secret", "teams_tenant", "teams_app_id"):
        return None
    bot = TeamsBot(
        tenant=settings.teams_tenant,
        app_id=settings.teams_app_id,
        secret=settings.teams_secret.get_secret_value(),
        login_url=settings.teams_login_url,
        graph_url=settings.teams_graph_url,
        connector_url=settings.teams_bot_url,
    )
    return TeamsChannel(bot, guard, clock)


def _google_chat(settings: ChannelSettings, guard: AddressGuard, clock: Clock) -> Channel | None:
    if not _has(settings, "google_chat_credentials", "google_chat_administrator"):
        return None
    credentials = settings.google_chat_credentials.get_secret_value()
    app = ChatApp(
        account=ServiceAccount.from_json(credentials, "PIDGR_GOOGLE_CHAT_CREDENTIALS"),
        administrator=settings.google_chat_administrator,
        chat_url=settings.google_chat_url,
        directory_url=settings.google_directory_url,
    )
    return GoogleChatChannel(app, guard, clock)


def _has(settings: ChannelSettings, secret: str, *others: str) -> bool:
    """Tell whether a channel's secret is set.

    Raises:
        SetupError: without the settings it needs.
    """
    value: SecretStr = getattr(settings, secret)
    if not value.get_secret_value():
        return False
    if not all(getattr(settings, name) for name in others):
        needed = " and ".join(f"PIDGR_{name.upper()}" for name in others)
        raise SetupError(f"PIDGR_{secret.upper()} needs {needed}")
    return True
