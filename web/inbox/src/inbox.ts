// The employee's inbox: what stands behind its address, for whoever is there.

import { header } from "./header";
import { type Signpost, noticeLink, readLink } from "./link";
import { Mailbox } from "./mailbox";
import { Page } from "./page";
import { problemScreen, welcomeScreen } from "./screens";
import { SignedOutError, arrive, choose, current, onChange, signIn } from "./session";
import type { TextName } from "./texts";

const PROBLEM = "pidgr.problem";

const page = new Page();

// Whoever notices first that the session is over: begin anew, and say so.
addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof SignedOutError) {
    event.preventDefault();
    sessionStorage.setItem(PROBLEM, "ended");
    location.reload();
  }
});

void begin();

async function begin(): Promise<void> {
  if (moveHome()) {
    return;
  }
  if (!isSecureContext) {
    page.show("problem", "insecure", () => problemScreen("insecure"));
    return;
  }
  const parameters = new URLSearchParams(location.search);
  noticeLink(parameters);
  // Neither codes nor tokens stay in the history.
  history.replaceState(null, "", location.pathname + location.hash);
  const code = parameters.get("pidgr_code");
  const isWelcome = code === null || (await page.patiently(() => arrive(code)));
  const signpost = await page.patiently(readLink);
  if (current()) {
    await enter(signpost);
  } else {
    const problem = isWelcome ? takeProblem() : "signInAgain";
    page.show("welcome", problem, () => welcomeScreen(signpost, problem, () => void signIn()));
  }
}

/** The sign-in page leads to one address of the server only; leave for that from any other. */
function moveHome(): boolean {
  const home = document.querySelector<HTMLLinkElement>("link[rel=canonical]");
  if (!home || new URL(home.href).origin === location.origin) {
    return false;
  }
  location.replace(home.href + location.search + location.hash);
  return true;
}

async function enter(signpost: Signpost | null): Promise<void> {
  await page.patiently(() => goTo(signpost));
  const session = current();
  if (!session) {
    throw new SignedOutError();
  }
  // What is on the page is theirs alone.
  onChange(session, () => location.replace(location.pathname));
  const mailbox = new Mailbox(page, session);
  page.head(header(session, page, mailbox.outbox));
  if (session.organizationId) {
    await mailbox.run(signpost);
  } else {
    page.show("problem", "nowhere", () => problemScreen("nowhere"));
  }
}

/** Act in the organization that a link is of, if the person belongs to it. */
async function goTo(signpost: Signpost | null): Promise<void> {
  const session = current();
  const wanted = session?.organizations.find(({ id }) => id === signpost?.orgId);
  if (wanted && wanted.id !== session?.organizationId) {
    await choose(wanted.id);
  }
}

function takeProblem(): TextName | null {
  const problem = sessionStorage.getItem(PROBLEM) as TextName | null;
  sessionStorage.removeItem(PROBLEM);
  return problem;
}
