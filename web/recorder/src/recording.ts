// One recording: what rrweb sees, masked, in numbered batches.

import { record } from "@rrweb/record";
import { type Batch, Batches } from "./batches";
import { type RecordedEvent, maskEvent } from "./masking";
import { PageTree } from "./pageTree";
import { MASK } from "./texts";
import { type Outcome, type Source, failure } from "./sender";
import type { Server } from "./server";

/** Bytes of JSON that may wait while the server is away; then nothing more is recorded. */
const MOST_WAITING = 8 * 1024 * 1024;

export class Recording implements Source<Batch> {
  readonly #server: Server;
  readonly #token: string;
  readonly #batches = new Batches();
  readonly #page = new PageTree();
  #stop: (() => void) | undefined;
  #taken = 0;

  constructor(server: Server, token: string) {
    this.#server = server;
    this.#token = token;
  }

  /** Whether the server has any of it. */
  get isKept(): boolean {
    return this.#taken > 0;
  }

  /** Bytes of JSON that wait to be packed. */
  get waiting(): number {
    return this.#batches.bytes;
  }

  observe(): void {
    this.#stop = record({
      emit: (event) => this.#add(event as unknown as RecordedEvent),
      maskAllInputs: true,
      maskInputFn: (text) => (text ? MASK : ""),
      slimDOMOptions: { script: true, comment: true },
      sampling: { mousemove: 100, scroll: 150, input: "last" },
    });
  }

  ignore(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  pack(): Batch | null {
    try {
      return this.#batches.pack();
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      // What follows cannot be played without it.
      this.ignore();
      return null;
    }
  }

  async send(batch: Batch, leaving: boolean): Promise<Outcome> {
    const path = `/replay/recordings/${encodeURIComponent(this.#token)}/${batch.number}`;
    const headers: Record<string, string> = batch.gzip ? { "content-encoding": "gzip" } : {};
    const answer = await this.#server.post(path, batch.body, headers, leaving);
    if (answer.status === 200) {
      const next = Number(answer.body["next"]);
      this.#taken = Math.max(this.#taken, next);
      if (next > batch.number) {
        return "taken";
      }
      // The one before it is still on its way, or the server has lost what it had.
      return next >= this.#taken ? { againAfterSeconds: 0 } : "over";
    }
    const isFull = answer.status === 429 && answer.retryAfterSeconds === null;
    return isFull ? "over" : failure(answer);
  }

  #add(event: RecordedEvent): void {
    const kept = maskEvent(event, this.#page);
    if (!kept) {
      return;
    }
    if (this.#batches.bytes > MOST_WAITING) {
      this.ignore();
    } else {
      this.#batches.add(kept);
    }
  }
}
