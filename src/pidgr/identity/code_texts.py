"""What the mail with a code says, in the contract's five languages."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class _Text:
    subject: str
    body: str


_TEXTS: Final = {
    "en": _Text(
        subject="Your sign-in code",
        body="Your code for Pidgr is {code}.\n\n"
        "It is valid for {minutes} minutes and works once, on the page that asked for it.\n"
        "Nobody from your organization will ever ask you for it.\n\n"
        "If you did not ask for a code, you can ignore this message.\n",
    ),
    "es": _Text(
        subject="Tu código de acceso",
        body="Tu código para Pidgr es {code}.\n\n"
        "Es válido durante {minutes} minutos y sirve una sola vez, en la página que lo pidió.\n"
        "Nadie de tu organización te lo pedirá nunca.\n\n"
        "Si no has pedido un código, puedes ignorar este mensaje.\n",
    ),
    "pt-BR": _Text(
        subject="Seu código de acesso",
        body="Seu código para o Pidgr é {code}.\n\n"
        "Ele vale por {minutes} minutos e só funciona uma vez, na página que o pediu.\n"
        "Ninguém da sua organização vai pedir esse código a você.\n\n"
        "Se você não pediu um código, pode ignorar esta mensagem.\n",
    ),
    "zh": _Text(
        subject="您的登录验证码",
        body="您的 Pidgr 验证码是 {code}。\n\n"
        "验证码在 {minutes} 分钟内有效，只能在请求它的页面上使用一次。\n"  # noqa: RUF001
        "您所在组织的任何人都不会向您索取验证码。\n\n"
        "如果您没有请求验证码，请忽略此邮件。\n",  # noqa: RUF001
    ),
    "ja": _Text(
        subject="サインイン用コード",
        body="Pidgr のコードは {code} です。\n\n"
        "このコードは {minutes} 分間有効で、要求したページで一度だけ使えます。\n"
        "組織の誰かがこのコードを尋ねることは決してありません。\n\n"
        "心当たりがない場合は、このメールを無視してください。\n",
    ),
}


def code_text(locale: str, code: str, minutes: int) -> tuple[str, str]:
    """Return subject and text in a locale of the contract, in English for any other."""
    text = _TEXTS.get(locale, _TEXTS["en"])
    return text.subject, text.body.format(code=code, minutes=minutes)
