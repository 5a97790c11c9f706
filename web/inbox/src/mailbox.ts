// Somebody's inbox on the page: kept up to date, one screen at a time.

import { RefusedError, call } from "./calls";
import { Entries, type Entry } from "./entries";
import { type Signpost, forgetLink } from "./link";
import { Outbox, type Settled } from "./outbox";
import type { Page } from "./page";
import { observe } from "./recording";
import { type Confirmation, listScreen, lostScreen, messageScreen, problemScreen } from "./screens";
import { type Session, choose } from "./session";
import type { TextName } from "./texts";

/** How often a page that is seen asks for news; pushes and coming back to it are quicker. */
const POLL_MILLISECONDS = 120_000;

export class Mailbox {
  readonly outbox: Outbox;
  readonly #page: Page;
  readonly #session: Session;
  readonly #entries = new Entries();
  readonly #refused = new Set<string>();
  #problem: TextName | null = null;
  #stopObserving = () => {};
  #wake = () => {};
  #isHurried = false;

  constructor(page: Page, session: Session) {
    this.#page = page;
    this.#session = session;
    this.outbox = new Outbox(this.#onSettled);
  }

  /** Show the inbox for as long as the page is open, first the message that a link leads to. */
  async run(signpost: Signpost | null): Promise<void> {
    this.outbox.wake();
    if (!(await this.#sync())) {
      return;
    }
    await this.#follow(signpost);
    await this.#open();
    addEventListener("hashchange", () => void this.#open());
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    navigator.serviceWorker?.addEventListener("message", ({ data }) => this.#onPush(data));
    for (await this.#pause(); await this.#sync(); await this.#pause()) {
      this.#draw();
    }
  }

  /** Fetch what is new; false when the person may not. */
  async #sync(): Promise<boolean> {
    try {
      await this.#page.patiently(() => this.#entries.sync());
      return true;
    } catch (error) {
      if (!(error instanceof RefusedError)) {
        throw error;
      }
      this.#page.show("problem", "forbidden", () => problemScreen("forbidden"));
      return false;
    }
  }

  async #pause(): Promise<void> {
    const milliseconds = POLL_MILLISECONDS * (0.5 + Math.random() / 2);
    await new Promise<void>((done) => {
      this.#wake = done;
      setTimeout(() => document.hidden || done(), milliseconds);
      // There was something new while the last answer was on its way.
      if (this.#isHurried) {
        done();
      }
    });
    this.#isHurried = false;
  }

  readonly #hurry = () => {
    this.outbox.wake();
    this.#isHurried = true;
    this.#wake();
  };

  #onPush({ open }: { open?: string }): void {
    if (open !== undefined) {
      location.hash = open;
    }
    this.#hurry();
  }

  async #follow(signpost: Signpost | null): Promise<void> {
    forgetLink();
    if (!signpost) {
      return;
    }
    const { campaignId, recipientUserId } = signpost;
    const isForeign = recipientUserId !== "" && recipientUserId !== this.#session.userId;
    if (!isForeign && !this.#entries.ofCampaign(campaignId)) {
      // It may be older than the newest.
      await this.#page.patiently(() => this.#entries.syncAll());
    }
    const entry = this.#entries.ofCampaign(campaignId);
    if (entry) {
      history.replaceState(null, "", `#${entry.deliveryId}`);
      return;
    }
    this.#problem = isForeign ? "notYours" : "gone";
  }

  /** Show what the address names: a message, or the list. */
  async #open(): Promise<void> {
    this.#stopObserving();
    this.#stopObserving = () => {};
    const deliveryId = location.hash.slice(1);
    const entry = deliveryId ? await this.#find(deliveryId) : undefined;
    if (location.hash.slice(1) !== deliveryId) {
      // The person has gone on meanwhile.
      return;
    }
    if (entry) {
      this.#stopObserving = observe(entry.message.campaignId);
      if (!entry.read) {
        this.#entries.markRead(deliveryId);
        this.outbox.add("InboxService/MarkRead", { deliveryId });
      }
    }
    this.#problem ??= deliveryId && !entry ? "gone" : null;
    this.#draw();
    this.#problem = null;
  }

  async #find(deliveryId: string): Promise<Entry | undefined> {
    const known = this.#entries.get(deliveryId);
    if (known) {
      return known;
    }
    try {
      return await this.#page.patiently(() => this.#entries.fetch(deliveryId));
    } catch (error) {
      if (!(error instanceof RefusedError)) {
        throw error;
      }
    }
    await this.#page.patiently(() => this.#followElsewhere(deliveryId));
    return undefined;
  }

  /** Leave for the message in another organization of the person's, if it is of one: pushes are. */
  async #followElsewhere(deliveryId: string): Promise<void> {
    for (const { id } of this.#session.organizations) {
      if (id !== this.#session.organizationId && (await isIn(id, deliveryId)) && (await choose(id))) {
        location.reload();
        // There is nothing to show here meanwhile.
        await new Promise<never>(() => {});
      }
    }
  }

  #draw(): void {
    const deliveryId = location.hash.slice(1);
    const problem = this.#problem;
    const entry = this.#entries.get(deliveryId);
    if (problem) {
      this.#page.show("problem", problem, () => lostScreen(problem));
    } else if (entry) {
      const confirmation = this.#confirmationOf(entry);
      this.#page.show(deliveryId, [entry, confirmation], () =>
        messageScreen(entry, confirmation, (actionId) => this.#confirm(deliveryId, actionId)),
      );
    } else if (!deliveryId) {
      const listed = this.#entries
        .list()
        .map((one) => ({ entry: one, confirmation: this.#confirmationOf(one) }));
      this.#page.show("list", listed, () => listScreen(listed));
    }
  }

  #confirm(deliveryId: string, actionId: string): void {
    this.outbox.add("ActionService/SubmitAction", { deliveryId, actionId });
    this.#draw();
  }

  #confirmationOf({ deliveryId }: Entry): Confirmation {
    if (this.#refused.has(deliveryId)) {
      return "refused";
    }
    return this.outbox.waitsFor(deliveryId, "ActionService/SubmitAction") ? "sending" : "none";
  }

  readonly #onSettled: Settled = (deliveryId, rpc, refusal) => {
    if (rpc === "InboxService/MarkRead") {
      return;
    }
    if (refusal) {
      // Confirmed before, perhaps from another device, or too late: the server knows.
      this.#refused.add(deliveryId);
    } else {
      this.#entries.markConfirmed(deliveryId);
    }
    this.#draw();
    this.#hurry();
  };
}

async function isIn(organizationId: string, deliveryId: string): Promise<boolean> {
  try {
    await call("InboxService/GetMessage", { deliveryId }, { "x-org-id": organizationId });
    return true;
  } catch (error) {
    if (!(error instanceof RefusedError)) {
      throw error;
    }
    return false;
  }
}
