// Events that wait, and how they are packed.

import { gzipSync } from "fflate";
import type { RecordedEvent } from "./masking";

export interface Batch {
  number: number;
  body: Uint8Array<ArrayBuffer>;
  gzip: boolean;
}

// What the door takes; see docs/reference/replay.md.
const LARGEST_BODY = 1024 * 1024;
const LARGEST_INFLATED = 8 * 1024 * 1024;
const MOST_EVENTS = 5_000;
const SMALL_ENOUGH = 1024;

const encoder = new TextEncoder();

export class Batches {
  #events: Uint8Array[] = [];
  #number = 0;
  #bytes = 0;

  /** Bytes of JSON that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(event: RecordedEvent): void {
    const encoded = encoder.encode(JSON.stringify(event));
    this.#events.push(encoded);
    this.#bytes += encoded.length;
  }

  /**
   * Take as many events as fit into the next batch; null when none waits.
   *
   * Throws a RangeError when one alone is too large for any.
   */
  pack(): Batch | null {
    let count = this.#fitting();
    while (count > 0) {
      const events = this.#events.slice(0, count);
      const { body, gzip } = encode(events);
      if (body.length <= LARGEST_BODY) {
        this.#events = this.#events.slice(count);
        this.#bytes -= events.reduce((sum, event) => sum + event.length, 0);
        return { number: this.#number++, body, gzip };
      }
      count = count === 1 ? 0 : Math.ceil(count / 2);
    }
    if (this.#events.length) {
      throw new RangeError("an event is larger than the server takes");
    }
    return null;
  }

  #fitting(): number {
    let bytes = 2;
    let count = 0;
    for (const event of this.#events) {
      bytes += event.length + 1;
      if (bytes > LARGEST_INFLATED || count === MOST_EVENTS) {
        break;
      }
      count++;
    }
    return count;
  }
}

function encode(events: Uint8Array[]): Pick<Batch, "body" | "gzip"> {
  const size = events.reduce((sum, event) => sum + event.length + 1, 1);
  const json = new Uint8Array(size);
  let position = 0;
  for (const event of events) {
    json[position] = (position ? "," : "[").charCodeAt(0);
    json.set(event, position + 1);
    position += event.length + 1;
  }
  json[position] = "]".charCodeAt(0);
  return size > SMALL_ENOUGH ? { body: gzipSync(json), gzip: true } : { body: json, gzip: false };
}
