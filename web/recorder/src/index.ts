// Observes a page for a Pidgr server: a recording for ReplayService, touches for HeatmapService.

import { isRefused } from "./privacy";
import { Recording } from "./recording";
import { Pause, Sender, failure } from "./sender";
import { Server, type ServerOptions } from "./server";
import { Touches } from "./touches";

export interface RecorderOptions extends ServerOptions {
  /** The screen that touches are counted for, at most 200 characters. */
  screenName: string | (() => string);
  /** The campaign whose message is open. */
  campaignId?: string;
  /** How long events may wait before they are sent; 5 seconds by default. */
  flushMilliseconds?: number;
  /** The first pause after a failure, doubled up to a minute; 1 second by default. */
  retryMilliseconds?: number;
}

/** Bytes of JSON that are sent without waiting any longer. */
const PLENTY = 256 * 1024;

/** Begin to observe the page, unless its user or the organization does not want it. */
export function start(options: RecorderOptions): Recorder {
  const recorder = new Recorder(options);
  if (!isRefused()) {
    recorder.begin();
  }
  return recorder;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #server: Server;
  readonly #retry: number;
  readonly #listening = new AbortController();
  #recording: Recording | null = null;
  #batches: Sender<object> | null = null;
  #touches: Touches | null = null;
  #parcels: Sender<object> | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#server = new Server(options);
    this.#retry = options.retryMilliseconds ?? 1_000;
  }

  /** Whether the page is being observed. */
  get isObserving(): boolean {
    return this.#recording !== null;
  }

  begin(): void {
    void this.#begin();
  }

  /** Observe nothing more; resolves when everything that was seen has been sent. */
  async stop(): Promise<void> {
    this.#ignore();
    await Promise.all([this.#batches?.drain(), this.#parcels?.drain()]);
    this.#listening.abort();
  }

  async #begin(): Promise<void> {
    const token = await this.#askForToken();
    if (!token || this.#stopped) {
      this.#abandon();
      return;
    }
    const recording = new Recording(this.#server, token);
    this.#recording = recording;
    this.#batches = new Sender(recording, this.#retry, () => this.#onRecordingOver(recording));
    recording.observe();
    if (!this.#touches) {
      this.#observeTouches();
    }
  }

  #observeTouches(): void {
    const { screenName, campaignId = "", flushMilliseconds = 5_000 } = this.#options;
    const nameOf = typeof screenName === "string" ? () => screenName : screenName;
    const touches = new Touches(this.#server, nameOf, campaignId);
    this.#touches = touches;
    this.#parcels = new Sender(touches, this.#retry, () => touches.ignore());
    touches.observe();
    const { signal } = this.#listening;
    addEventListener("pagehide", () => this.#leave(), { signal });
    document.addEventListener(
      "visibilitychange",
      () => document.visibilityState === "hidden" && this.#leave(),
      { signal },
    );
    let waited = 0;
    const step = Math.min(flushMilliseconds, 1_000);
    this.#timer = setInterval(() => {
      waited += step;
      if (waited >= flushMilliseconds || (this.#recording?.waiting ?? 0) > PLENTY) {
        waited = 0;
        this.#batches?.wake();
        this.#parcels?.wake();
      }
    }, step);
  }

  /** Return a token, the empty one where nothing is to be observed; not before there is an answer. */
  async #askForToken(): Promise<string> {
    const { campaignId } = this.#options;
    const body = JSON.stringify(campaignId ? { campaign_id: campaignId } : {});
    const pause = new Pause(this.#retry);
    while (!this.#stopped) {
      let wait = 0;
      try {
        const answer = await this.#server.post("/replay/recordings", body);
        if (answer.status === 200) {
          return String(answer.body["recording"] ?? "");
        }
        const outcome = failure(answer);
        if (typeof outcome !== "object") {
          return "";
        }
        wait = outcome.againAfterSeconds * 1000;
      } catch {
        // No answer; the pause before the next attempt grows.
      }
      await pause.wait(wait);
    }
    return "";
  }

  /** The server takes no more of it: it is full, deleted, or not wanted any more. */
  #onRecordingOver(recording: Recording): void {
    recording.ignore();
    if (this.#stopped) {
      return;
    }
    if (recording.isKept) {
      void this.#begin();
    } else {
      this.#abandon();
    }
  }

  #leave(): void {
    this.#batches?.leave();
    this.#parcels?.leave();
  }

  /** What waits is not wanted either. */
  #abandon(): void {
    this.#ignore();
    this.#parcels?.cancel();
    this.#listening.abort();
  }

  #ignore(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#recording?.ignore();
    this.#touches?.ignore();
    this.#recording = null;
  }
}
