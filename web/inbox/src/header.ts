// What stands above every screen: the organization, notifications, the way out.

import { make } from "./elements";
import { UnreachableError } from "./http";
import type { Outbox } from "./outbox";
import type { Page } from "./page";
import { canNotify, isNotified, notify, stopNotifying } from "./push";
import { type Session, choose, signOut } from "./session";
import { type TextName, text } from "./texts";

export function header(session: Session, page: Page, outbox: Outbox): HTMLElement {
  const out = make("button", { type: "button", id: "sign-out" }, text("signOut"));
  out.addEventListener("click", () => void leave(outbox));
  return make(
    "header",
    {},
    organization(session, page),
    make("span", { className: "actions" }, notifications(page), out),
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
    void page.patiently(() => choose(select.value)).then(() => begin());
  });
  return select;
}

function notifications(page: Page): HTMLElement | null {
  if (!canNotify()) {
    return null;
  }
  const button = make("button", { type: "button", id: "notify", hidden: true }, text("notify"));
  const sayHow = (name: TextName) => page.tell(name);
  button.addEventListener("click", () => {
    void page.patiently(notify).then((isOn) => {
      button.hidden = isOn;
      sayHow(isOn ? "notifying" : "notNotified");
    });
  });
  void isNotified().then((isOn) => {
    button.hidden = isOn;
    // The browser may have been somebody else's since.
    return isOn && page.patiently(notify);
  });
  return button;
}

/** End the session; what waits to be sent is lost with it. */
async function leave(outbox: Outbox): Promise<void> {
  outbox.clear();
  try {
    await stopNotifying();
    await signOut();
  } catch (error) {
    if (!(error instanceof UnreachableError)) {
      throw error;
    }
  } finally {
    begin();
  }
}

/** Begin anew with whoever is signed in now. */
function begin(): void {
  location.assign(location.pathname);
}
