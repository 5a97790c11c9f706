"""What the page of a short link says, in every language of the product."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "A message for you",
        "Un mensaje para ti",
        "Uma mensagem para você",
        "您有一条消息",
        "メッセージがあります",
    ),
    "where": (
        "It is in your inbox. Open your organization’s Pidgr app and sign in to read it.",
        "Está en tu bandeja. Abre la aplicación de Pidgr de tu organización y accede para leerlo.",
        "Ela está na sua caixa de entrada. Abra o aplicativo Pidgr e acesse para ler.",
        "消息在您的收件箱中。请打开您组织的 Pidgr 应用并登录后阅读。",
        "受信箱に届いています。組織の Pidgr アプリを開き、サインインしてお読みください。",
    ),
    "broken": (
        "This link leads nowhere, or not any more.",
        "Este enlace no lleva a ninguna parte, o ya no.",
        "Este link não leva a lugar nenhum, ou deixou de levar.",
        "此链接无效或已失效。",
        "このリンクは無効か、期限が切れています。",
    ),
    "later": (
        "That was too often. Wait a little and try again.",
        "Demasiados intentos. Espera un poco y vuelve a intentarlo.",
        "Foram tentativas demais. Espere um pouco e tente de novo.",
        "操作过于频繁。请稍候再试。",
        "回数が多すぎます。しばらく待ってからもう一度お試しください。",
    ),
}
