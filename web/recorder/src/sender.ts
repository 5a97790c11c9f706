// Sends parcels one after another, each unchanged until it is answered.

import type { Answer } from "./server";

/** What became of a parcel: taken, to be sent again, or of no use to anybody any more. */
export type Outcome = "taken" | "over" | { againAfterSeconds: number };

export interface Source<Parcel> {
  /** Pack what waits into a parcel, or return null. */
  pack(): Parcel | null;
  send(parcel: Parcel, leaving: boolean): Promise<Outcome>;
}

const LONGEST_PAUSE_MILLISECONDS = 60_000;

export class Sender<Parcel extends object> {
  readonly #source: Source<Parcel>;
  readonly #pause: Pause;
  readonly #ended: () => void;
  #pending: Parcel[] = [];
  #running = false;
  #loop = Promise.resolve();
  #over = false;

  /** `ended` is called once when the source says that it is over. */
  constructor(source: Source<Parcel>, retryMilliseconds: number, ended: () => void) {
    this.#source = source;
    this.#pause = new Pause(retryMilliseconds);
    this.#ended = ended;
  }

  /** Send what waits, unless that is being done. */
  wake(): void {
    if (!this.#running) {
      this.#running = true;
      this.#loop = this.#run();
    }
  }

  /** Send what waits; resolves when nothing waits any more. */
  drain(): Promise<void> {
    this.wake();
    return this.#loop;
  }

  /** Send nothing more. */
  cancel(): void {
    this.#over = true;
    this.#pending = [];
  }

  /** Send everything now: the page may be gone the next moment. */
  leave(): void {
    const unsent: Parcel[] = [];
    for (let next = this.#take(); next; next = this.#take()) {
      unsent.push(next);
    }
    // One that is on its way arrives by itself; one that waits to be sent again does not.
    if (this.#pause.isOn) {
      unsent.unshift(...this.#pending.filter((parcel) => !unsent.includes(parcel)));
    }
    unsent.forEach((parcel) => void this.#deliver(parcel, true));
  }

  async #run(): Promise<void> {
    try {
      for (let next = this.#next(); next; next = this.#next()) {
        const outcome = await this.#deliver(next, false);
        if (typeof outcome === "object") {
          await this.#pause.wait(outcome.againAfterSeconds * 1000);
        } else {
          this.#pause.reset();
        }
      }
    } finally {
      this.#running = false;
    }
  }

  #next(): Parcel | null {
    return this.#over ? null : (this.#pending[0] ?? this.#take());
  }

  #take(): Parcel | null {
    const parcel = this.#over ? null : this.#source.pack();
    if (parcel) {
      this.#pending.push(parcel);
    }
    return parcel;
  }

  async #deliver(parcel: Parcel, leaving: boolean): Promise<Outcome> {
    // Without an answer nobody knows whether it has arrived.
    const outcome = await this.#source.send(parcel, leaving).catch(() => AGAIN);
    if (outcome === "taken") {
      this.#pending = this.#pending.filter((one) => one !== parcel);
    } else if (outcome === "over" && !this.#over) {
      this.cancel();
      this.#ended();
    }
    return outcome;
  }
}

const AGAIN = { againAfterSeconds: 0 };

/** What to do about an answer that is no success and means nothing in particular. */
export function failure(answer: Answer): Outcome {
  const passes = answer.status === 401 || answer.status === 429 || answer.status >= 500;
  return passes ? { againAfterSeconds: answer.retryAfterSeconds ?? 0 } : "over";
}

/** Longer from time to time, and of a different length in every browser. */
export class Pause {
  readonly #first: number;
  #length: number;
  isOn = false;

  constructor(milliseconds: number) {
    this.#first = milliseconds;
    this.#length = milliseconds;
  }

  reset(): void {
    this.#length = this.#first;
  }

  async wait(atLeast: number): Promise<void> {
    const milliseconds = Math.max(atLeast, this.#length * (0.5 + Math.random() / 2));
    this.#length = Math.min(this.#length * 2, LONGEST_PAUSE_MILLISECONDS);
    this.isOn = true;
    await new Promise((done) => setTimeout(done, milliseconds));
    this.isOn = false;
  }
}
