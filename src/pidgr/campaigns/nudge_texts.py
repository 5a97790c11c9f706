"""What a nudge says, in the contract's five languages: a first name, a title and a link."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class _Text:
    greeting: str
    stranger: str
    subject: str
    own: str
    others: str


_TEXTS: Final = {
    "en": _Text(
        greeting="Hello {name},",
        stranger="Hello,",
        subject="Reminder: {title}",
        own="A message is waiting for you in Pidgr: “{title}”.\n\nOpen it here:\n{url}",
        others="Somebody has not confirmed a message yet, and you are asked to look after it: "
        "“{title}”.\n\nOpen it here:\n{url}",
    ),
    "es": _Text(
        greeting="Hola, {name}:",
        stranger="Hola:",
        subject="Recordatorio: {title}",
        own="Tienes un mensaje pendiente en Pidgr: «{title}».\n\nÁbrelo aquí:\n{url}",
        others="Alguien aún no ha confirmado un mensaje y se te pide que te ocupes: «{title}».\n\n"
        "Ábrelo aquí:\n{url}",
    ),
    "pt-BR": _Text(
        greeting="Olá, {name}!",
        stranger="Olá!",
        subject="Lembrete: {title}",
        own="Há uma mensagem à sua espera no Pidgr: “{title}”.\n\nAbra aqui:\n{url}",
        others="Alguém ainda não confirmou uma mensagem e pedimos que você cuide disso: "
        "“{title}”.\n\nAbra aqui:\n{url}",
    ),
    "zh": _Text(
        greeting="{name}，您好：",
        stranger="您好：",
        subject="提醒：{title}",
        own="Pidgr 中有一条消息等待您查看：《{title}》。\n\n请在此打开：\n{url}",
        others="有人尚未确认一条消息，请您跟进：《{title}》。\n\n请在此打开：\n{url}",
    ),
    "ja": _Text(
        greeting="{name} さん",
        stranger="こんにちは。",
        subject="リマインダー：{title}",
        own="Pidgr に未確認のメッセージがあります：「{title}」\n\nこちらから開けます。\n{url}",
        others="まだ確認していない人がいるメッセージがあります。ご対応をお願いします："
        "「{title}」\n\nこちらから開けます。\n{url}",
    ),
}


def nudge_text(
    locale: str, first_name: str, title: str, url: str, *, is_own: bool
) -> tuple[str, str]:
    """Return subject and text in a locale of the contract, in English for any other.

    Name and title are made one line: they go into a header, and people chose them.

    Args:
        locale: the person's.
        first_name: of who is nudged; may be empty.
        title: of the campaign, as strangers may read it.
        url: of the link.
        is_own: whether the message is theirs; otherwise somebody else has not confirmed it.
    """
    text = _TEXTS.get(locale, _TEXTS["en"])
    name, title = " ".join(first_name.split()), " ".join(title.split())
    greeting = text.greeting if name else text.stranger
    body = text.own if is_own else text.others
    values = {"name": name, "title": title, "url": url}
    return text.subject.format_map(values), f"{greeting}\n\n{body}".format_map(values)
