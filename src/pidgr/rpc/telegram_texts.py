"""What the bot in Telegram answers to who writes to it."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

from typing import Final

from pidgr.inbox.telegram import Heard
from pidgr.rpc.languages import Rows

TEXTS: Final[Rows] = {
    Heard.OPENED.name: (
        "From now on you get your reminders here. /stop ends that.",
        "A partir de ahora recibirás aquí tus recordatorios. /stop lo termina.",
        "A partir de agora você recebe aqui os seus lembretes. /stop encerra isso.",
        "从现在起，您将在这里收到提醒。发送 /stop 即可停止。",
        "今後、リマインダーはここに届きます。やめるには /stop と送ってください。",
    ),
    Heard.BAD_LINK.name: (
        "This link is no longer valid. Ask for a new one where you found it.",
        "Este enlace ya no es válido. Pide uno nuevo donde lo encontraste.",
        "Este link não é mais válido. Peça um novo onde o encontrou.",
        "此链接已失效。请在原处重新获取。",
        "このリンクは無効です。もう一度発行してください。",
    ),
    Heard.STOPPED.name: (
        "You get no more reminders here.",
        "Ya no recibirás recordatorios aquí.",
        "Você não recebe mais lembretes aqui.",
        "您将不再在这里收到提醒。",
        "今後、ここにはリマインダーは届きません。",
    ),
}
