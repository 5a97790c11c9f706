// The page's frame: a header, a notice, and one screen at a time.

import { Pause } from "../../recorder/src/sender";
import { make } from "./elements";
import { UnreachableError, rest } from "./http";
import { type TextName, text } from "./texts";

const FIRST_PAUSE_MILLISECONDS = 1_000;

export class Page {
  readonly #main = make("main");
  readonly #notice = make("p", { className: "notice", role: "status" });
  #screen: string | null = null;
  #shown = "";

  constructor() {
    document.body.replaceChildren(this.#notice, this.#main);
    // It is a message's title at times: see `personal`.
    document.querySelector("title")?.setAttribute("data-pii", "");
  }

  head(header: HTMLElement): void {
    document.body.prepend(header);
  }

  /** Say something beside the screen, or nothing any more. */
  tell(name: TextName | null): void {
    const said = name ? text(name) : "";
    if (this.#notice.textContent !== said) {
      this.#notice.textContent = said;
    }
  }

  /**
   * Show a screen, whose heading names the page.
   *
   * Readers of screens are taken to the heading of a new one; one that only has changed leaves them
   * where they are. What is shown from the same `content` as before is left alone.
   */
  show(screen: string, content: unknown, elements: () => (HTMLElement | false)[]): void {
    const shown = JSON.stringify([screen, content]);
    if (shown === this.#shown) {
      return;
    }
    const isNew = screen !== this.#screen;
    const focused = this.#main.contains(document.activeElement) ? document.activeElement : null;
    this.#main.replaceChildren(...elements().filter((element) => element !== false));
    const heading = this.#main.querySelector("h1");
    document.title = `${heading?.textContent ?? ""} · Pidgr`;
    if (isNew && this.#screen !== null) {
      heading?.focus();
      scrollTo(0, 0);
    } else if (focused) {
      const same = document.getElementById(focused.id);
      (same ?? this.#main.querySelector<HTMLElement>("[role=status]") ?? heading)?.focus();
    }
    this.#screen = screen;
    this.#shown = shown;
  }

  /** Do work that needs the server, again and again until that has answered. */
  async patiently<Result>(work: () => Promise<Result>): Promise<Result> {
    const pause = new Pause(FIRST_PAUSE_MILLISECONDS);
    for (;;) {
      try {
        const result = await work();
        this.tell(null);
        return result;
      } catch (error) {
        if (!(error instanceof UnreachableError)) {
          throw error;
        }
        this.tell("away");
        await rest(pause);
      }
    }
  }
}
