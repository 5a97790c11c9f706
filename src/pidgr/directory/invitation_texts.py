"""What the mail of an invitation says, in the contract's five languages."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class _Text:
    greeting: str
    stranger: str
    subject: str
    body: str


_TEXTS: Final = {
    "en": _Text(
        greeting="Hello {name},",
        stranger="Hello,",
        subject="{organization} invites you",
        body="{organization} has invited you to Pidgr, where you will find its announcements and "
        "confirm those that matter.\n\n"
        "Sign in with this address, {email}:\n{url}\n\n"
        "You need no password: a code will be sent to you.\n\n"
        "If you do not know {organization}, you can ignore this message.\n",
    ),
    "es": _Text(
        greeting="Hola, {name}:",
        stranger="Hola:",
        subject="{organization} te invita",
        body="{organization} te ha invitado a Pidgr, donde encontrarás sus comunicados y "
        "confirmarás los importantes.\n\n"
        "Accede con esta dirección, {email}:\n{url}\n\n"
        "No necesitas contraseña: te enviaremos un código.\n\n"
        "Si no conoces {organization}, puedes ignorar este mensaje.\n",
    ),
    "pt-BR": _Text(
        greeting="Olá, {name}!",
        stranger="Olá!",
        subject="{organization} convidou você",
        body="{organization} convidou você para o Pidgr, onde você encontra os comunicados e "
        "confirma os importantes.\n\n"
        "Acesse com este endereço, {email}:\n{url}\n\n"
        "Você não precisa de senha: enviaremos um código.\n\n"
        "Se você não conhece {organization}, pode ignorar esta mensagem.\n",
    ),
    "zh": _Text(
        greeting="{name}，您好：",  # noqa: RUF001
        stranger="您好：",  # noqa: RUF001
        subject="{organization} 邀请您加入",
        body="{organization} 邀请您使用 Pidgr，您可以在那里查看通知并确认重要内容。\n\n"  # noqa: RUF001
        "请使用此邮箱 {email} 登录：\n{url}\n\n"  # noqa: RUF001
        "无需密码，我们会向您发送验证码。\n\n"  # noqa: RUF001
        "如果您不认识 {organization}，请忽略此邮件。\n",  # noqa: RUF001
    ),
    "ja": _Text(
        greeting="{name} さん",
        stranger="こんにちは。",
        subject="{organization} からの招待",
        body="{organization} があなたを Pidgr に招待しました。"
        "お知らせを読み、大切なものを確認できます。\n\n"
        "このアドレス {email} でサインインしてください。\n{url}\n\n"
        "パスワードは不要です。コードをお送りします。\n\n"
        "{organization} に心当たりがない場合は、このメールを無視してください。\n",
    ),
}


def invitation_text(
    locale: str, name: str, organization: str, email: str, url: str
) -> tuple[str, str]:
    """Return subject and text in a locale of the contract, in English for any other.

    Names are made one line: they go into a header, and people chose them.
    """
    text = _TEXTS.get(locale, _TEXTS["en"])
    name, organization = " ".join(name.split()), " ".join(organization.split())
    greeting = text.greeting if name else text.stranger
    values = {"name": name, "organization": organization, "email": email, "url": url}
    return (
        text.subject.format_map(values),
        f"{greeting}\n\n{text.body}".format_map(values),
    )
