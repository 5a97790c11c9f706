"""What the fixtures' templates say, in the contract's five languages."""

from typing import Final

from pidgr.contract.v1.template_pb import TemplateVariable, TemplateVariableSource
from pidgr.sandboxes.fixture_templates import SampleTemplate, SampleText

_FIRST_NAME: Final = TemplateVariable(
    name="first_name",
    description="What to call the reader.",
    source=TemplateVariableSource.PROFILE,
    default_value="there",
    pii=True,
)

CODE_OF_CONDUCT: Final = SampleTemplate(
    name="Code of conduct",
    source=SampleText(
        "Our code of conduct has changed",
        "# What is new\n\nWe have made the rules on **gifts** and on **speaking up** clearer:\n\n"
        "- Gifts above 50 euros are declared.\n- Concerns can be raised without a name.\n\n"
        "Please read it and confirm within three days.",
    ),
    translations={
        "es": SampleText(
            "Nuestro código de conducta ha cambiado",
            "# Novedades\n\nHemos aclarado las reglas sobre **regalos** y **denuncias**:\n\n"
            "- Los regalos de más de 50 euros se declaran.\n"
            "- Se puede avisar de un problema sin dar el nombre.\n\n"
            "Léelo, por favor, y confírmalo en tres días.",
        ),
        "pt-BR": SampleText(
            "Nosso código de conduta mudou",
            "# O que há de novo\n\nAs regras sobre **presentes** e **denúncias** ficaram mais "
            "claras:\n\n- Presentes acima de 50 euros devem ser declarados.\n"
            "- Preocupações podem ser relatadas sem identificação.\n\n"
            "Leia e confirme em até três dias.",
        ),
        "zh": SampleText(
            "行为准则已更新",
            "# 更新内容\n\n我们明确了关于**礼品**和**举报**的规定。\n\n"
            "- 超过 50 欧元的礼品需要申报。\n- 可以匿名提出问题。\n\n请在三天内阅读并确认。",
        ),
        "ja": SampleText(
            "行動規範が変わりました",
            "# 変更点\n\n**贈り物**と**通報**についての決まりを分かりやすくしました。\n\n"
            "- 50 ユーロを超える贈り物は申告します。\n- 名前を出さずに相談できます。\n\n"
            "三日以内に読んで確認してください。",
        ),
    },
)

WELCOME: Final = SampleTemplate(
    name="Welcome",
    source=SampleText(
        "Welcome aboard",
        "Hello {{first_name}},\n\nyour first week is planned: a tour on Monday, your equipment on "
        "Tuesday, lunch with your team on Friday. Ask anything, at any time.",
    ),
    translations={
        "es": SampleText(
            "Te damos la bienvenida",
            "Hola {{first_name}}:\n\nTu primera semana está preparada: una visita el lunes, tu "
            "equipo el martes y un almuerzo con tus colegas el viernes. Pregunta lo que quieras.",
        ),
        "pt-BR": SampleText(
            "Boas-vindas",
            "Olá {{first_name}},\n\nsua primeira semana está planejada: uma visita na segunda, seu "
            "equipamento na terça e um almoço com a equipe na sexta. Pergunte o que quiser.",
        ),
    },
    drafts=frozenset({"pt-BR"}),
    variables=(_FIRST_NAME,),
)

MONEY_LAUNDERING: Final = SampleTemplate(
    name="Anti-money-laundering training",
    source=SampleText(
        "Your yearly anti-money-laundering training",
        "The training takes **25 minutes** and covers:\n\n- customers we must know better,\n"
        "- payments that are split to stay small,\n- whom to tell, and what not to tell the "
        "customer.\n\nThe supervisor asks us for proof: confirm when you have done it.",
    ),
    translations={
        "es": SampleText(
            "Tu formación anual contra el blanqueo de capitales",
            "La formación dura **25 minutos** y trata de:\n\n- clientes que debemos conocer "
            "mejor,\n"
            "- pagos divididos para que parezcan pequeños,\n- a quién avisar y qué no decir al "
            "cliente.\n\nEl supervisor nos pide pruebas: confirma cuando la hayas hecho.",
        ),
        "pt-BR": SampleText(
            "Seu treinamento anual contra lavagem de dinheiro",
            "O treinamento leva **25 minutos** e aborda:\n\n- clientes que precisamos conhecer "
            "melhor,\n- pagamentos divididos para parecerem pequenos,\n- a quem avisar e o que não "
            "dizer ao cliente.\n\nO supervisor pede provas: confirme quando terminar.",
        ),
        "zh": SampleText(
            "年度反洗钱培训",
            "培训需要 **25 分钟**,内容如下:\n\n- 需要进一步了解的客户\n- 为显得金额小而拆分的付款\n"
            "- 应该告诉谁,以及不能对客户说什么\n\n监管机构要求我们提供证明,完成后请确认。",
        ),
        "ja": SampleText(
            "年に一度のマネーロンダリング対策研修",
            "研修は **25 分**で、次のことを学びます。\n\n- よく知る必要のある顧客\n"
            "- 小さく見せるために分けられた支払い\n- 誰に知らせ、顧客に何を言わないか\n\n"
            "監督当局に示すため、終えたら確認してください。",
        ),
    },
)

ACCESS_REVIEW: Final = SampleTemplate(
    name="Access review",
    source=SampleText(
        "Do you still need this access?",
        "Hello {{first_name}},\n\nonce a quarter everybody looks through what they can open. "
        "Please give back what you have not used for 90 days.",
    ),
    translations={
        "es": SampleText(
            "¿Todavía necesitas estos accesos?",
            "Hola {{first_name}}:\n\nCada trimestre todos revisamos a qué tenemos acceso. "
            "Devuelve, "
            "por favor, lo que no hayas usado en 90 días.",
        ),
        "ja": SampleText(
            "このアクセス権はまだ必要ですか",
            "{{first_name}} さん\n\n四半期に一度、全員が自分のアクセス権を見直します。"
            "90 日使っていないものは返してください。",
        ),
    },
    drafts=frozenset({"ja"}),
    variables=(_FIRST_NAME,),
)

PRICE_LIST: Final = SampleTemplate(
    name="Price list",
    source=SampleText(
        "New price list from 1 July",
        "Quote **only** from the new list from 1 July on.\n\n- Offers that are out stay valid for "
        "30 days.\n- Discounts above 12 % need your head of region.\n\nConfirm that you have it.",
    ),
    translations={
        "es": SampleText(
            "Nueva lista de precios desde el 1 de julio",
            "Desde el 1 de julio cotiza **solo** con la nueva lista.\n\n- Las ofertas enviadas "
            "valen 30 días más.\n- Los descuentos de más del 12 % los aprueba tu jefe de "
            "región.\n\n"
            "Confirma que la tienes.",
        ),
        "pt-BR": SampleText(
            "Nova tabela de preços a partir de 1º de julho",
            "A partir de 1º de julho, use **somente** a nova tabela.\n\n- Propostas já enviadas "
            "valem por mais 30 dias.\n- Descontos acima de 12 % dependem da chefia regional.\n\n"
            "Confirme que você a recebeu.",
        ),
        "zh": SampleText(
            "7 月 1 日起执行新价目表",
            "自 7 月 1 日起**只**按新价目表报价。\n\n- 已发出的报价 30 天内有效。\n"
            "- 超过 12 % 的折扣需要大区负责人批准。\n\n请确认已收到。",
        ),
        "ja": SampleText(
            "7 月 1 日からの新しい価格表",
            "7 月 1 日からは新しい価格表**だけ**で見積もってください。\n\n"
            "- 提出済みの見積もりは 30 日間有効です。\n"
            "- 12 % を超える値引きには地域責任者の承認が必要です。\n\n"
            "受け取ったら確認してください。",
        ),
    },
)

QUARTER_KICKOFF: Final = SampleTemplate(
    name="Quarter kick-off",
    source=SampleText(
        "The quarter begins",
        "Hello {{first_name}},\n\nthe kick-off is on Monday at nine. Bring your three largest open "
        "opportunities and one thing that would help you to win them.",
    ),
    translations={
        "pt-BR": SampleText(
            "O trimestre começa",
            "Olá {{first_name}},\n\no encontro é na segunda às nove. Traga suas três maiores "
            "oportunidades e algo que ajudaria você a conquistá-las.",
        ),
        "es": SampleText(
            "Empieza el trimestre",
            "Hola {{first_name}}:\n\nNos reunimos el lunes a las nueve. Trae tus tres mayores "
            "oportunidades y algo que te ayudaría a ganarlas.",
        ),
    },
    drafts=frozenset({"es"}),
    variables=(_FIRST_NAME,),
)
