// What stands above every screen: the organization, notifications, the way out.

import { make } from "./elements";
import type { Outbox } from "./outbox";
import type { Page } from "./page";
import { canNotify, isNotified, notify, stopNotifying } from "./push";
import { type Session, choose, forget, signOut } from "./session";
import { hasBot, isReminded, openChat } from "./telegram";
import { text } from "./texts";

/** How long somebody who leaves waits for the server. */
const LEAVING_MILLISECONDS = 5_000;

export function header(session: Session, page: Page, outbox: Outbox): HTMLElement {
  const out = make("button", { type: "button", id: "sign-out" }, text("signOut"));
  out.addEventListener("click", () => void leave(outbox));
  return make(
    "header",
    {},
    organization(session, page),
    make("span", { className: "actions" }, notifications(page), telegram(page), out),
  );
}

function organization({ organizations, organizationId }: Session, page: Page): HTMLElement {
  const [only] = organizations;
  if (organizations.length < 2) {
    return make("strong", {}, only?.name ?? "Pidgr");
  }
  const options = organizations.map(({ id, name }) =>
    make("option", { value: id, selected: id === organizationId }, name),
  );
  const select = make("select", { id: "organization" }, ...options);
  select.setAttribute("aria-label", text("organization"));
  select.addEventListener("change", () => {
    void page.patiently(() => choose(select.value)).then((isChosen) => {
      if (isChosen) {
        begin();
      } else {
        select.value = organizationId;
        page.tell("otherSignIn");
      }
    });
  });
  return select;
}

function notifications(page: Page): HTMLElement | null {
  if (!canNotify()) {
    return null;
  }
  const button = make("button", { type: "button", id: "notify", hidden: true }, text("notify"));
  button.addEventListener("click", () => {
    void page.patiently(notify).then((isOn) => {
      button.hidden = isOn;
      page.tell(isOn ? "notifying" : "notNotified");
    });
  });
  void isNotified().then((isOn) => {
    button.hidden = isOn;
    // The server keeps the twenty browsers that it has heard of last.
    return isOn && page.patiently(notify);
  });
  return button;
}

function telegram(page: Page): HTMLElement | null {
  if (!hasBot()) {
    return null;
  }
  const button = make("button", { type: "button", id: "telegram", hidden: true }, text("telegram"));
  button.addEventListener("click", () => void page.patiently(openChat));
  const look = () => void page.patiently(isReminded).then((isOn) => (button.hidden = isOn));
  look();
  // They may have been in Telegram meanwhile.
  addEventListener("pageshow", ({ persisted }) => persisted && look());
  return button;
}

/** End the session; what waits to be sent is lost with it. */
async function leave(outbox: Outbox): Promise<void> {
  outbox.clear();
  for (const step of [stopNotifying, signOut]) {
    // It ends here in any case, whether or not the server, or a push service, hears of it in time.
    const done = step().catch((error: unknown) => console.warn(error));
    await Promise.race([done, new Promise((late) => setTimeout(late, LEAVING_MILLISECONDS))]);
  }
  forget();
  begin();
}

/** Begin anew with whoever is signed in now. */
function begin(): void {
  location.assign(location.pathname);
}
