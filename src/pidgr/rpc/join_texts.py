"""What the page of an invite link says, in every language of the product."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc import sign_in_texts
from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "Join an organization",
        "Unirse a una organización",
        "Entrar em uma organização",
        "加入组织",
        "組織に参加",
    ),
    "intro": (
        "You are invited to join {organization}. We send a code to your e-mail address.",
        "Te han invitado a unirte a {organization}. Enviaremos un código a tu correo.",
        "Você foi convidado a entrar em {organization}. Enviaremos um código ao seu e-mail.",
        "您受邀加入 {organization}。我们会向您的邮箱发送验证码。",
        "{organization} に招待されています。メールアドレスにコードを送ります。",
    ),
    "later": sign_in_texts.ROWS["later"],
    "joined": (
        "Welcome! You are a member of {organization} now.",
        "¡Te damos la bienvenida! Ya formas parte de {organization}.",
        "Boas-vindas! Agora você faz parte de {organization}.",
        "欢迎！您现在是 {organization} 的成员。",
        "ようこそ！{organization} のメンバーになりました。",
    ),
    "already": (
        "You are a member of {organization} already.",
        "Ya formas parte de {organization}.",
        "Você já faz parte de {organization}.",
        "您已经是 {organization} 的成员。",
        "すでに {organization} のメンバーです。",
    ),
    "ended": (
        "Your membership was ended. Ask an administrator of the organization.",
        "Tu pertenencia ha terminado. Pregunta a quien administra la organización.",
        "Sua participação foi encerrada. Pergunte a quem administra a organização.",
        "您的成员资格已终止。请联系组织的管理员。",
        "メンバーシップは終了しています。組織の管理者にお問い合わせください。",
    ),
    "open": ("Open Pidgr", "Abrir Pidgr", "Abrir o Pidgr", "打开 Pidgr", "Pidgr を開く"),
    "broken": (
        "This link is not good, or not any more. Ask whoever sent it for another one.",
        "Este enlace no es válido o ya no lo es. Pide otro a quien te lo envió.",
        "Este link não é válido ou deixou de ser. Peça outro a quem o enviou.",
        "此链接无效或已失效。请向发送者索取新的链接。",
        "このリンクは無効か、期限が切れています。送り主に新しいリンクを依頼してください。",
    ),
}
