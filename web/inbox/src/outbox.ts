// What the person has done and the server may not know yet: kept until it is answered.
//
// Each call has an Idempotency-Key of its own, so however often it is sent, from whichever tab, it
// counts once (docs/reference/contract.md).

import { Pause } from "../../recorder/src/sender";
import { RefusedError, call } from "./calls";
import { UnreachableError, rest } from "./http";
import { current } from "./session";

type Rpc = "InboxService/MarkRead" | "ActionService/SubmitAction";

interface Item {
  rpc: Rpc;
  request: { deliveryId: string; actionId?: string };
  key: string;
  /** Whose it is: somebody else may sign in on this browser before it is sent. */
  userId: string;
}

/** What became of a call; `refusal` is null when the server took it. */
export type Settled = (deliveryId: string, rpc: Rpc, refusal: RefusedError | null) => void;

const STORED = "pidgr.outbox";
const FIRST_PAUSE_MILLISECONDS = 1_000;

export class Outbox {
  readonly #settled: Settled;
  readonly #pause = new Pause(FIRST_PAUSE_MILLISECONDS);
  #isRunning = false;

  /** `settled` is told of each answer. */
  constructor(settled: Settled) {
    this.#settled = settled;
  }

  /** Keep a call and send it; one of the same kind for the same delivery is there already. */
  add(rpc: Rpc, request: Item["request"]): void {
    if (!this.waitsFor(request.deliveryId, rpc)) {
      const userId = current()?.userId ?? "";
      write([...read(), { rpc, request, key: crypto.randomUUID(), userId }]);
    }
    this.wake();
  }

  waitsFor(deliveryId: string, rpc: Rpc): boolean {
    return read().some((item) => item.rpc === rpc && item.request.deliveryId === deliveryId);
  }

  /** Send what waits, unless that is being done. */
  wake(): void {
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
  }

  /** Forget what waits: the person has signed out. */
  clear(): void {
    write([]);
  }

  async #run(): Promise<void> {
    for (let item = next(); item; item = next()) {
      try {
        await this.#send(item);
        this.#pause.reset();
      } catch (error) {
        if (!(error instanceof UnreachableError)) {
          throw error;
        }
        await rest(this.#pause);
      }
    }
    this.#isRunning = false;
  }

  async #send(item: Item): Promise<void> {
    const { rpc, request, key } = item;
    let refusal: RefusedError | null = null;
    try {
      await call(rpc, request, { "idempotency-key": key });
    } catch (error) {
      if (!(error instanceof RefusedError)) {
        throw error;
      }
      refusal = error;
    }
    write(read().filter((one) => one.key !== key));
    this.#settled(request.deliveryId, rpc, refusal);
  }
}

function next(): Item | undefined {
  const userId = current()?.userId;
  return read().find((item) => item.userId === userId);
}

function read(): Item[] {
  return JSON.parse(localStorage.getItem(STORED) ?? "[]") as Item[];
}

function write(items: Item[]): void {
  localStorage.setItem(STORED, JSON.stringify(items));
}
