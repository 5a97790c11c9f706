// Chromium with a virtual authenticator, led through the server's pages by keyboard alone.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { inBrowser } from "./browser.js";
import { axeIn, axePage, focused } from "./pages.js";

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
    await this.told("removeVirtualAuthenticator");
    await this.device(options);
  }

  told(command, parameters = {}) {
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

  async type(text) {
    await this.page.keyboard.type(text);
    await Promise.all([this.page.waitForNavigation(), this.page.keyboard.press("Enter")]);
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
    await this.page.locator("[role=alert]:visible").waitFor();
    return await this.seen();
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

async function asPerson({ executablePath, libraries, ...person }, work, open = newPage) {
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

/** Enrol, sign in, and meet every refusal. */
export async function live(argument) {
  return await asPerson(argument, async (person) => {
    const passkeys = `${person.url}/passkeys`;
    const outcome = { first: await person.signInByCode(passkeys) };
    outcome.form = await person.send("add");
    outcome.added = await person.type("Laptop <1>");
    outcome.used = await person.signInByPasskey(passkeys);
    await person.send("add");
    await person.page.keyboard.type("Again");
    await person.page.keyboard.press("Enter");
    await person.page.locator("[role=alert]:visible").waitFor();
    outcome.twice = await person.seen();

    await person.told("setUserVerified", { isUserVerified: false });
    await person.page.goto(passkeys);
    outcome.unverified = await person.pressInVain("passkey");
    await person.told("setUserVerified", { isUserVerified: true });

    const { credentials } = await person.told("getCredentials");
    await person.told("clearCredentials");
    await person.told("addCredential", { credential: stranger(credentials[0]) });
    outcome.foreign = await person.signInByPasskey(passkeys);

    await person.exchangeDevice({ hasUserVerification: false });
    await person.signInByCode(passkeys);
    await person.send("add");
    await person.page.keyboard.press("Enter");
    await person.page.locator("[role=alert]:visible").waitFor();
    outcome.careless = await person.seen();

    await person.exchangeDevice();
    await person.told("addCredential", { credential: credentials[0] });
    await person.signInByPasskey(passkeys);
    await person.press("summary");
    outcome.removed = await person.send("button");
    outcome.afterwards = await person.signInByPasskey(passkeys);
    return outcome;
  });
}

/** Allow an application after a sign-in by passkey, in each language; look at all pages. */
export async function consent({ languages, authorize, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const pages = [];
    const look = async (name) => pages.push({ name, ...(await axeIn(page)) });
    await person.signInByCode(`${person.url}/passkeys`);
    await person.send("add");
    await person.type("Phone");
    const application = await listen();
    const asks = `${authorize}&redirect_uri=${encodeURIComponent(application.redirectUri)}`;
    for (const language of languages) {
      await page.setExtraHTTPHeaders({ "accept-language": language });
      await page.goto(asks);
      await look("address");
      await person.type(`nobody.${language}@example.com`);
      await look("code");
      await person.type("000000");
      await look("wrong code");
      await person.signInByPasskey(`${person.url}/passkeys`);
      await look("passkeys");
      await person.send("add");
      await look("add");
      await person.signInByPasskey(asks);
      await look("consent");
      await person.send("allow");
    }
    application.server.close();
    return { pages, answers: application.answers };
  }, axePage);
}

/** Be the application on the person's machine (RFC 8252 7.3): note the queries it is sent. */
async function listen() {
  const answers = [];
  const server = createServer((request, response) => {
    answers.push(request.url);
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>back</title><main>back</main>");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, answers, redirectUri: `http://127.0.0.1:${server.address().port}/callback` };
}

/** A key for the same site that the server has never seen. */
function stranger({ rpId }) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    credentialId: randomBytes(32).toString("base64"),
    isResidentCredential: true,
    rpId,
    privateKey: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
    userHandle: randomBytes(16).toString("base64"),
    signCount: 1,
  };
}
