// Touches of the page, for heatmaps: where it was touched and how, and nothing about what.

import { type Outcome, type Source, failure } from "./sender";
import type { Server } from "./server";

type Kind = "TAP" | "LONG_PRESS" | "SCROLL" | "ACTION_CLICK";

interface Touch {
  screenName: string;
  campaignId: string;
  xPct: number;
  yPct: number;
  eventType: `TOUCH_EVENT_TYPE_${Kind}`;
  screenWidth: number;
  screenHeight: number;
  clientTimestamp: string;
}

/** Touches of one call, and the key by which a repeated one is recognised. */
interface Parcel {
  key: string;
  body: string;
}

// What proto/pidgr/v1/heatmap.proto says.
const MOST_IN_CALL = 100;
const LONG_PRESS_MILLISECONDS = 500;
const SCROLL_MILLISECONDS = 2_000;

const MOST_WAITING = 1_000;
/** Pixels a finger may move while it taps. */
const STILL = 10;
const ACTION = "[data-pidgr-action]";

export class Touches implements Source<Parcel> {
  readonly #server: Server;
  readonly #screenName: () => string;
  readonly #campaignId: string;
  readonly #listening = new AbortController();
  #waiting: Touch[] = [];
  #down: PointerEvent | null = null;
  #scrolling: ReturnType<typeof setTimeout> | undefined;

  constructor(server: Server, screenName: () => string, campaignId: string) {
    this.#server = server;
    this.#screenName = screenName;
    this.#campaignId = campaignId;
  }

  observe(): void {
    const options = { capture: true, passive: true, signal: this.#listening.signal };
    addEventListener("pointerdown", (event) => (this.#down = event), options);
    addEventListener("pointercancel", () => (this.#down = null), options);
    addEventListener("pointerup", (event) => this.#onUp(event), options);
    // Presses of a button by key or by an assistive technology are clicks too.
    addEventListener("click", (event) => this.#onClick(event), options);
    addEventListener("scroll", () => this.#onScroll(), options);
  }

  ignore(): void {
    this.#listening.abort();
    clearTimeout(this.#scrolling);
  }

  pack(): Parcel | null {
    const events = this.#waiting.splice(0, MOST_IN_CALL);
    return events.length ? { key: randomKey(), body: JSON.stringify({ events }) } : null;
  }

  async send(parcel: Parcel, leaving: boolean): Promise<Outcome> {
    const path = "/pidgr.v1.HeatmapService/IngestTouchEvents";
    const headers = { "idempotency-key": parcel.key };
    const answer = await this.#server.post(path, parcel.body, headers, leaving);
    return answer.status === 200 ? "taken" : failure(answer);
  }

  #onUp(up: PointerEvent): void {
    const down = this.#down;
    this.#down = null;
    const moved = down && Math.hypot(up.clientX - down.clientX, up.clientY - down.clientY);
    if (!down || moved === null || moved > STILL || actionOf(up)) {
      return;
    }
    const isLong = up.timeStamp - down.timeStamp >= LONG_PRESS_MILLISECONDS;
    this.#add(isLong ? "LONG_PRESS" : "TAP", up.pageX, up.pageY);
  }

  #onClick(event: MouseEvent): void {
    const action = actionOf(event);
    if (action) {
      const box = action.getBoundingClientRect();
      const x = box.left + box.width / 2 + scrollX;
      this.#add("ACTION_CLICK", x, box.top + box.height / 2 + scrollY);
    }
  }

  #onScroll(): void {
    this.#scrolling ??= setTimeout(() => {
      this.#scrolling = undefined;
      this.#add("SCROLL", scrollX + innerWidth / 2, scrollY + innerHeight / 2);
    }, SCROLL_MILLISECONDS);
  }

  /** Note a touch at a point of the whole page, not of the part that is seen. */
  #add(kind: Kind, x: number, y: number): void {
    const { scrollWidth: width, scrollHeight: height } = document.documentElement;
    if (this.#waiting.length >= MOST_WAITING) {
      return;
    }
    this.#waiting.push({
      screenName: this.#screenName(),
      campaignId: this.#campaignId,
      xPct: share(x, width),
      yPct: share(y, height),
      eventType: `TOUCH_EVENT_TYPE_${kind}`,
      screenWidth: width,
      screenHeight: height,
      clientTimestamp: new Date().toISOString(),
    });
  }
}

function actionOf(event: Event): Element | null {
  return event.target instanceof Element ? event.target.closest(ACTION) : null;
}

function share(position: number, whole: number): number {
  return Math.min(1, Math.max(0, position / Math.max(whole, 1)));
}

/** `crypto.randomUUID` is there in secure contexts only. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
