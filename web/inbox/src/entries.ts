// The person's inbox as the server tells it: entries by delivery, brought up to date by a cursor.

import { call } from "./calls";

/** The contract's Message and InboxEntry; its JSON leaves out what is false or empty. */
export interface Message {
  campaignId: string;
  senderName?: string;
  title?: string;
  preview?: string;
  body?: string;
  critical?: boolean;
  actions?: { id: string; type: string; label: string }[];
}

export interface Entry {
  deliveryId: string;
  message: Message;
  status: string;
  read?: boolean;
  receivedAt: string;
  renderedLocale?: string;
  metadata?: { originalRecipientName?: string };
}

export const ACKNOWLEDGED = "DELIVERY_STATUS_ACKNOWLEDGED";
export const MISSED = "DELIVERY_STATUS_MISSED";

interface SyncAnswer {
  entries?: Entry[];
  nextSince?: string;
}

/** The most that one call returns. */
const LIMIT = 200;
const BEGINNING = "1970-01-01T00:00:00Z";

export class Entries {
  readonly #byDelivery = new Map<string, Entry>();
  readonly #opened = new Set<string>();
  #since: string | undefined;

  /** Newest first. */
  list(): Entry[] {
    const received = (entry: Entry) => Date.parse(entry.receivedAt);
    return [...this.#byDelivery.values()].sort((a, b) => received(b) - received(a));
  }

  get(deliveryId: string): Entry | undefined {
    return this.#byDelivery.get(deliveryId);
  }

  /** Return the message of a campaign, before copies of reminders to others. */
  ofCampaign(campaignId: string): Entry | undefined {
    const found = this.list().filter(({ message }) => message.campaignId === campaignId);
    return found.find(({ metadata }) => !metadata) ?? found[0];
  }

  /** The server is told by the outbox; until then it says otherwise. */
  markRead(deliveryId: string): void {
    this.#opened.add(deliveryId);
    this.#put(this.#byDelivery.get(deliveryId));
  }

  markConfirmed(deliveryId: string): void {
    const entry = this.#byDelivery.get(deliveryId);
    this.#put(entry && { ...entry, status: ACKNOWLEDGED });
  }

  /** Fetch everything: the contract lists the newest, or what comes after a moment. */
  async syncAll(): Promise<void> {
    this.#since = BEGINNING;
    await this.sync();
  }

  /** Fetch what is new; throws as `call`. */
  async sync(): Promise<void> {
    let answer: SyncAnswer;
    do {
      const request = { limit: LIMIT, ...(this.#since ? { since: this.#since } : {}) };
      answer = await call<SyncAnswer>("InboxService/Sync", request);
      answer.entries?.forEach((entry) => this.#put(entry));
      this.#since = answer.nextSince ?? this.#since;
    } while (answer.entries?.length);
  }

  /** Fetch one entry, of any age; throws as `call`. */
  async fetch(deliveryId: string): Promise<Entry> {
    const { entry } = await call<{ entry: Entry }>("InboxService/GetMessage", { deliveryId });
    this.#put(entry);
    return entry;
  }

  #put(entry: Entry | undefined): void {
    if (entry) {
      const read = entry.read || this.#opened.has(entry.deliveryId);
      this.#byDelivery.set(entry.deliveryId, { ...entry, read });
    }
  }
}
