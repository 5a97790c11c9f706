"""What the consent pages say, in every language of the product."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc import sign_in_texts
from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "Allow an application",
        "Permitir una aplicación",
        "Permitir um aplicativo",
        "允许应用",
        "アプリの許可",
    ),
    "intro": (
        "{client} wants to act for you. Sign in to see what it asks for.",
        "{client} quiere actuar en tu nombre. Entra para ver lo que pide.",
        "{client} quer agir em seu nome. Entre para ver o que ele pede.",
        "{client} 希望代表您操作。请登录以查看其请求。",
        (
            "{client} があなたの代わりに操作しようとしています。"
            "サインインして内容を確認してください。"
        ),
    ),
    "asks": (
        "{client} asks to do this for you, as far as your own rights go:",
        "{client} pide hacer esto en tu nombre, hasta donde llegan tus derechos:",
        "{client} pede para fazer isto por você, até onde vão os seus direitos:",
        "{client} 请求在您自身权限范围内代您执行：",
        "{client} は、あなたの権限の範囲内で次の操作を求めています：",
    ),
    "organization": ("Organization", "Organización", "Organização", "组织", "組織"),
    "answer_to": (
        "The answer goes to {target}",
        "La respuesta va a {target}",
        "A resposta vai para {target}",
        "结果将发送到 {target}",
        "結果の送信先：{target}",
    ),
    "allow": ("Allow", "Permitir", "Permitir", "允许", "許可する"),
    "deny": ("Deny", "Denegar", "Negar", "拒绝", "拒否する"),
    "none": (
        "You may not act in any organization this way.",
        "No puedes actuar así en ninguna organización.",
        "Você não pode agir assim em nenhuma organização.",
        "您不能以此方式在任何组织中操作。",
        "この方法で操作できる組織がありません。",
    ),
    "broken": (
        "This link is not complete or no longer valid. Start again from the application.",
        "Este enlace no está completo o ya no es válido. Empieza de nuevo desde la aplicación.",
        "Este link está incompleto ou não vale mais. Recomece no aplicativo.",
        "此链接不完整或已失效。请从应用重新开始。",
        "このリンクは不完全か、期限切れです。アプリからやり直してください。",
    ),
    "later": sign_in_texts.ROWS["later"],
    "campaigns:read": (
        "Read campaigns and templates",
        "Leer campañas y plantillas",
        "Ler campanhas e modelos",
        "查看活动和模板",
        "キャンペーンとテンプレートの閲覧",
    ),
    "campaigns:write": (
        "Create, change, start and cancel campaigns",
        "Crear, cambiar, iniciar y cancelar campañas",
        "Criar, alterar, iniciar e cancelar campanhas",
        "创建、修改、启动和取消活动",
        "キャンペーンの作成・変更・開始・中止",
    ),
    "templates:write": (
        "Read, create and change templates",
        "Leer, crear y cambiar plantillas",
        "Ler, criar e alterar modelos",
        "查看、创建和修改模板",
        "テンプレートの閲覧・作成・変更",
    ),
    "members:read": (
        "Read members, groups and teams",
        "Leer miembros, grupos y equipos",
        "Ler membros, grupos e equipes",
        "查看成员、群组和团队",
        "メンバー・グループ・チームの閲覧",
    ),
    "channels:dispatch": (
        "Send through other channels",
        "Enviar por otros canales",
        "Enviar por outros canais",
        "通过其他渠道发送",
        "他のチャネルでの送信",
    ),
    "reachability:write": (
        "Change how members are reached",
        "Cambiar cómo se contacta a los miembros",
        "Alterar como os membros são contatados",
        "修改成员的联系方式",
        "メンバーへの連絡方法の変更",
    ),
}
