"""Settings of the services that nudge people outside the product."""

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

TELEGRAM: Final = "https://api.telegram.org"


class ChannelSettings(BaseSettings):
    """What each channel needs; one without its secret or URL is not set up."""

    nudge_webhook_url: str = Field(
        "",
        description="POST nudges of the channel WEBHOOK to this URL; public and https, or in "
        "webhook_allowed_networks.",
    )
    slack_bot_token: SecretStr = Field(
        SecretStr(""),
        description="Token (xoxb-...) of a bot with the scopes users:read.email and chat:write; "
        "nudges of the channel SLACK are its direct messages.",
    )
    slack_url: str = Field("https://slack.com/api", description="Where Slack's API is.")
    telegram_bot_token: SecretStr = Field(
        SecretStr(""),
        description="Token of a bot, from BotFather; nudges of the channel TELEGRAM are its "
        "messages to those who have opened a chat with it. PIDGR_ISSUER must be public and https.",
    )
    telegram_url: str = Field(TELEGRAM, description="Where Telegram's Bot API is.")
    whatsapp_token: SecretStr = Field(
        SecretStr(""),
        description="Permanent token of a system user at Meta; nudges of the channel WHATSAPP then "
        "go there.",
    )
    whatsapp_phone_number_id: str = Field(
        "", description="Id, at Meta, of the number that messages come from."
    )
    whatsapp_template: str = Field("", description="Name of the approved template.")
    whatsapp_languages: Annotated[
        tuple[Literal["en", "es", "pt-BR", "zh", "ja"], ...], NoDecode
    ] = Field(
        ("en",),
        min_length=1,
        description="Comma-separated languages the template exists in: en, es, pt-BR, zh, ja. "
        "Whoever reads another one gets the first.",
    )
    whatsapp_url: str = Field(
        "https://graph.facebook.com/v23.0", description="Where the Cloud API of WhatsApp is."
    )
    google_chat_credentials: SecretStr = Field(
        SecretStr(""),
        description="JSON key file of a Google service account; nudges of the channel GOOGLE_CHAT "
        "are messages of its Chat app.",
    )
    google_chat_administrator: str = Field(
        "",
        description="Address of an administrator of your Workspace, for whom it looks up people.",
    )
    google_chat_url: str = Field(
        "https://chat.googleapis.com", description="Where Google Chat's API is."
    )
    google_directory_url: str = Field(
        "https://admin.googleapis.com", description="Where Google's Directory API is."
    )
    line_token: SecretStr = Field(
        SecretStr(""),
        description="Channel access token of a LINE Official Account; nudges of the channel LINE "
        "are its messages to those whose profile has the custom attribute line_user_id.",
    )
    line_url: str = Field("https://api.line.me", description="Where LINE's Messaging API is.")
    sms_account: str = Field("", description="Account SID at Twilio, or at who speaks its API.")
    sms_token: SecretStr = Field(
        SecretStr(""), description="Its token; nudges of the channel SMS then go there."
    )
    sms_sender: str = Field("", description="Number or name that text messages come from.")
    sms_url: str = Field("https://api.twilio.com", description="Where that API is.")
    teams_tenant: str = Field("", description="Id of your Microsoft Entra tenant.")
    teams_app_id: str = Field(
        "", description="Application id of a bot of that tenant, whose Teams app people have."
    )
    teams_secret: SecretStr = Field(
        SecretStr(""),
        description="Its client secret; nudges of the channel MICROSOFT_TEAMS are its messages.",
    )
    teams_login_url: str = Field(
        "https://login.microsoftonline.com", description="Where Microsoft Entra gives tokens."
    )
    teams_graph_url: str = Field(
        "https://graph.microsoft.com", description="Where Microsoft Graph is."
    )
    teams_bot_url: str = Field(
        "https://smba.trafficmanager.net/teams",
        description="Where the Bot Connector of Teams is.",
    )
