// A person in front of Chromium, who uses the server's pages by keyboard alone.

import { createServer } from "node:http";
import { inBrowser } from "./browser.js";
import { focused } from "./pages.js";

const DEVICE = {
  protocol: "ctap2",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

/** A person with a browser, a device and a mailbox. */
class Person {
  constructor(page, session, { url, mailbox, email }) {
    Object.assign(this, { page, session, url, mailbox, email });
  }

  async device(options = {}) {
    const added = await this.session.send("WebAuthn.addVirtualAuthenticator", {
      options: { ...DEVICE, ...options },
    });
    this.authenticatorId = added.authenticatorId;
  }

  async exchangeDevice(options) {
    await this.tell("removeVirtualAuthenticator");
    await this.device(options);
  }

  tell(command, parameters = {}) {
    const { authenticatorId } = this;
    return this.session.send(`WebAuthn.${command}`, { authenticatorId, ...parameters });
  }

  /** Go by Tab to what has an id, and press Enter there. */
  async press(id) {
    for (let count = 0; (await focused(this.page)) !== id; count += 1) {
      if (count > 30) throw new Error(`Tab does not reach ${id}: ${await this.page.content()}`);
      await this.page.keyboard.press("Tab");
    }
    await this.page.keyboard.press("Enter");
  }

  async send(id) {
    await Promise.all([this.page.waitForNavigation(), this.press(id)]);
    return await this.seen();
  }

  /** Type into the field that the page has put the cursor in, and press Enter. */
  async enter(text) {
    await this.page.waitForFunction(() => document.activeElement.matches("input"));
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Enter");
  }

  async type(text) {
    await Promise.all([this.page.waitForNavigation(), this.enter(text)]);
    return await this.seen();
  }

  /** What the page shows, without what is hidden. */
  async seen() {
    const alert = this.page.locator("[role=alert]:visible");
    return {
      title: await this.page.title(),
      text: await this.page.locator("main").innerText(),
      alert: (await alert.count()) ? await alert.innerText() : "",
    };
  }

  /** Press a button after which the browser stays where it is and says what is wrong. */
  async pressInVain(id) {
    await this.press(id);
    return await this.told();
  }

  async enterInVain(text) {
    await this.enter(text);
    return await this.told();
  }

  async told() {
    await this.page.locator("[role=alert]:visible").waitFor();
    return await this.seen();
  }

  /** Wait for the client's page; return its address. */
  async arrived(until) {
    await this.page.waitForURL((reached) => reached.href.startsWith(until));
    return this.page.url();
  }

  async signInByCode(start) {
    await this.page.goto(start);
    const asked = await this.type(this.email);
    const answer = await fetch(`${this.mailbox}?email=${encodeURIComponent(this.email)}`);
    return { asked, entered: await this.type(await answer.text()) };
  }

  async signInByPasskey(start) {
    await this.page.goto(start);
    return await this.send("passkey");
  }
}

/** Let a person with a browser and a device do something. */
export async function asPerson({ executablePath, libraries, ...person }, work, open = newPage) {
  return await inBrowser({ executablePath, libraries }, async (context) => {
    const page = await open(context);
    const session = await context.newCDPSession(page);
    await session.send("WebAuthn.enable");
    const visitor = new Person(page, session, person);
    await visitor.device();
    return await work(visitor);
  });
}

const newPage = (context) => context.newPage();

/** Be the application on the person's machine (RFC 8252 7.3): note the queries it is sent. */
export async function listen() {
  const answers = [];
  const server = createServer((request, response) => {
    answers.push(request.url);
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>back</title><main>back</main>");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, answers, redirectUri: `http://127.0.0.1:${server.address().port}/callback` };
}
