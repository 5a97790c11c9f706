// What is shown: the list, one message, or why there is neither.

import { make, personal } from "./elements";
import { ACKNOWLEDGED, type Entry, MISSED } from "./entries";
import type { Signpost } from "./link";
import { render } from "./message";
import { type TextName, moment, text } from "./texts";

/** How a confirmation stands that the server may not know of yet. */
export type Confirmation = "none" | "sending" | "refused";

interface Listed {
  entry: Entry;
  confirmation: Confirmation;
}

/** Titles and previews do not tell which part of them is personal, so all of it is masked. */
export function listScreen(listed: Listed[]): HTMLElement[] {
  const heading = make("h1", { tabIndex: -1 }, text("inbox"));
  if (listed.length === 0) {
    return [heading, make("p", {}, text("empty"))];
  }
  const items = listed.map((one) => make("li", {}, listLink(one)));
  return [heading, make("ul", { className: "entries" }, ...items)];
}

function listLink({ entry, confirmation }: Listed): HTMLElement {
  const { message, deliveryId } = entry;
  const state = confirmation === "sending" ? "onTheWay" : stateOf(entry);
  return make(
    "a",
    { href: `#${deliveryId}`, id: `entry-${deliveryId}`, className: "entry" },
    make(
      "span",
      { className: "states" },
      !entry.read && make("span", { className: "state unread" }, text("unread")),
      message.critical === true && make("span", { className: "state critical" }, text("critical")),
      state !== null && make("span", { className: `state ${state}` }, text(state)),
    ),
    personal("strong", message.title ?? ""),
    make("span", { className: "from" }, ...origin(entry)),
    personal("span", message.preview ?? "", "preview"),
  );
}

function origin({ message, receivedAt }: Entry): (Node | string)[] {
  const time = make("time", { dateTime: receivedAt }, moment(receivedAt));
  return [personal("span", message.senderName ?? ""), " · ", time];
}

/** Return what is to be said of where an entry stands, if anything. */
function stateOf(entry: Entry): TextName | null {
  if (!entry.message.actions?.length) {
    return null;
  }
  if (entry.status === ACKNOWLEDGED) {
    return "confirmed";
  }
  return entry.status === MISSED ? "missed" : "open";
}

export function messageScreen(
  entry: Entry,
  confirmation: Confirmation,
  confirm: (actionId: string) => void,
): HTMLElement[] {
  const { message } = entry;
  const title = personal("h1", message.title ?? "");
  title.tabIndex = -1;
  const attributes = { lang: entry.renderedLocale ?? "", dir: "auto" };
  const body = make("article", attributes, render(message.body ?? ""));
  const name = entry.metadata?.originalRecipientName;
  return [
    backLink(),
    title,
    make("p", { className: "from" }, ...origin(entry)),
    ...(entry.metadata ? [personal("p", text("copy", { name: name ?? "" }), "note")] : []),
    body,
    ...answer(entry, confirmation, confirm),
  ];
}

function answer(
  entry: Entry,
  confirmation: Confirmation,
  confirm: (actionId: string) => void,
): HTMLElement[] {
  const state = stateOf(entry);
  if (!state) {
    return [];
  }
  const said = saidOf(state, confirmation);
  if (said) {
    const line = make("p", { role: "status", className: `answer ${said}`, tabIndex: -1 }, text(said));
    return [line];
  }
  const buttons = (entry.message.actions ?? []).map(({ id, label }) => {
    const button = make("button", { type: "button", id: `action-${id}` }, label);
    button.dataset["pidgrAction"] = id;
    button.addEventListener("click", () => confirm(id));
    return button;
  });
  return [make("p", { className: "answer" }, ...buttons)];
}

function saidOf(state: TextName, confirmation: Confirmation): TextName | null {
  if (state === "confirmed") {
    return "youConfirmed";
  }
  if (confirmation !== "none") {
    return confirmation;
  }
  return state === "missed" ? "missed" : null;
}

/** The way to the sign-in page, with what waits behind it if a link tells. */
export function welcomeScreen(
  signpost: Signpost | null,
  problem: TextName | null,
  signIn: () => void,
): (HTMLElement | false)[] {
  const button = make("button", { type: "button", id: "sign-in" }, text("signIn"));
  button.addEventListener("click", signIn);
  const greeting = signpost
    ? [
        make("p", {}, text("waiting", { organization: signpost.organizationName })),
        make("p", {}, make("strong", {}, signpost.subject)),
      ]
    : [];
  return [
    make("h1", { tabIndex: -1 }, text("inbox")),
    problem !== null && alert(problem),
    ...greeting,
    make("p", {}, text("welcome")),
    make("p", {}, button),
  ];
}

/** Instead of an inbox: why there is none. */
export function problemScreen(name: TextName): HTMLElement[] {
  return [make("h1", { tabIndex: -1 }, text("inbox")), alert(name)];
}

/** Instead of a message: why it is not shown. */
export function lostScreen(name: TextName): HTMLElement[] {
  return [backLink(), ...problemScreen(name)];
}

function alert(name: TextName): HTMLElement {
  return make("p", { role: "alert", className: "error" }, text(name));
}

function backLink(): HTMLElement {
  return make("nav", {}, make("a", { href: "#", id: "back" }, `← ${text("back")}`));
}
