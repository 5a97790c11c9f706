// An employee in front of the inbox.

import { gunzipSync } from "node:zlib";
import { axeIn, axePage } from "./pages.js";
import { asPerson } from "./person.js";

const SUBMIT = "**/pidgr.v1.ActionService/SubmitAction";

/**
 * Sign in, read and confirm by keyboard alone; look at every screen with axe.
 *
 * Afterwards again on a narrow phone in the dark, in each language.
 */
export async function read({ address, languages, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const screens = [];
    const look = async (name) => screens.push({ name, ...(await axeIn(page)), ...(await seen(page)) });
    const errors = trouble(page);
    await page.goto(address);
    await ready(page, "#sign-in");
    await look("welcome");
    await signIn(person);
    await look("list");
    await person.press(await page.locator(".entry").first().getAttribute("id"));
    await ready(page, "article");
    const focused = await page.evaluate(() => document.activeElement.tagName);
    await look("message");
    await person.press("action-ack");
    await ready(page, ".youConfirmed");
    await look("confirmed");
    await person.press("back");
    await ready(page, ".entry");
    await look("list afterwards");
    await page.setViewportSize({ width: 320, height: 640 });
    await page.emulateMedia({ colorScheme: "dark" });
    for (const language of languages) {
      await page.setExtraHTTPHeaders({ "accept-language": language });
      await page.reload();
      await ready(page, ".entry");
      await look("narrow list");
    }
    await page.click(".entry");
    await ready(page, "article");
    await look("narrow message");
    return { screens, focused, errors };
  }, axePage);
}

/** Go through the sign-in page, and come back. */
async function signIn(person, arrived = ".entry") {
  await Promise.all([person.page.waitForNavigation(), person.press("sign-in")]);
  await person.type(person.email);
  const answer = await fetch(`${person.mailbox}?email=${encodeURIComponent(person.email)}`);
  await person.enter(await answer.text());
  await ready(person.page, arrived);
}

function ready(page, selector) {
  return page.locator(selector).first().waitFor();
}

async function seen(page) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  return { url: page.url(), text: await page.locator("body").innerText(), hidden: width };
}

/** What the browser finds wrong with the page, among it what its policy forbids. */
function trouble(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (said) => said.type() === "error" && errors.push(said.text()));
  return errors;
}

/**
 * Confirm while the server's answers get lost, leave the page, and come back.
 *
 * Returns the keys the confirmation was sent under, and how the server answered each.
 */
export async function confirmInVain({ address, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    const sent = [];
    let isCut = true;
    await page.route(SUBMIT, async (route) => {
      const key = route.request().headers()["idempotency-key"];
      const answer = await route.fetch();
      sent.push({ key, status: answer.status() });
      await (isCut ? route.abort() : route.fulfill({ response: answer }));
    });
    await page.click(".entry");
    await page.click("#action-ack");
    await ready(page, ".sending");
    const buttons = await page.locator("#action-ack").count();
    await until(() => sent.length >= 2);
    await page.reload();
    await ready(page, ".youConfirmed, .sending");
    await until(() => sent.length >= 3);
    isCut = false;
    await until(() => page.evaluate(() => localStorage.getItem("pidgr.outbox") === "[]"));
    await ready(page, ".youConfirmed");
    return { sent, buttons, errors };
  });
}

/** Confirm what `meanwhile` has settled since the page was loaded: two messages, newest first. */
export async function confirmTooLate({ address, meanwhile, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    await fetch(meanwhile);
    await page.locator(".entry").nth(1).click();
    await page.click("#action-ack");
    await ready(page, ".youConfirmed");
    const elsewhere = await seen(page);
    await page.click("#back");
    await page.locator(".entry").nth(0).click();
    await page.click("#action-ack");
    await ready(page, ".refused");
    const cancelled = await seen(page);
    return { cancelled, elsewhere, errors };
  });
}

/** Open every message of the list, newest first; return what became of each. */
export async function openAll({ address, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    const count = await page.locator(".entry").count();
    const opened = [];
    for (let place = 0; place < count; place += 1) {
      await page.locator(".entry").nth(place).click();
      await ready(page, "#action-ack");
      opened.push({
        html: await page.locator("article").innerHTML(),
        direction: await page.locator("article").evaluate((body) => getComputedStyle(body).direction),
        from: await page.locator(".from").innerHTML(),
      });
      await page.click("#back");
      await ready(page, ".entry");
    }
    return { opened, errors };
  });
}

/**
 * Follow a link of a nudge before and after the sign-in, one that is somebody else's, and one of a
 * message that the server lists only after others.
 */
export async function follow({ link, foreign, old, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.goto(link);
    await ready(page, "#sign-in");
    const welcome = await seen(page);
    const { url: manifest, errors: wrong } = await person.session.send("Page.getAppManifest");
    await signIn(person, "article");
    const opened = { ...(await seen(page)), html: await page.locator("article").innerHTML() };
    await page.goto(foreign);
    await ready(page, "[role=alert]");
    const refused = await seen(page);
    await page.goto(link);
    await ready(page, "article");
    const again = await seen(page);
    await page.route("**/pidgr.v1.InboxService/Sync", async (route) => {
      const request = JSON.parse(route.request().postData());
      await route.continue({ postData: JSON.stringify({ ...request, limit: 1 }) });
    });
    await page.goto(old);
    await ready(page, "article, [role=alert]");
    const older = await seen(page);
    return { welcome, opened, refused, again, older, manifest, errors: [...errors, ...wrong] };
  });
}

/** Sign in to where one is not let in. */
export async function knockInVain({ address, ...argument }) {
  return await asPerson(argument, async (person) => {
    // By another address of the same server.
    await person.page.goto(address.replace("localhost", "127.0.0.1"));
    await person.page.waitForURL(address);
    await ready(person.page, "#sign-in");
    await signIn(person, "[role=alert]");
    return { ...(await seen(person.page)), errors: [] };
  });
}

/** Belong to two organizations, have two tabs, and lose the session. */
export async function stay({ address, first: firstId, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    const first = await seen(page);
    await Promise.all([page.waitForNavigation(), page.selectOption("#organization", { index: 1 })]);
    await ready(page, ".entry");
    const second = await seen(page);
    // As a push of the first organization does.
    await page.evaluate((id) => (location.hash = id), firstId);
    await ready(page, "article");
    const back = await seen(page);
    const tabs = [page, await page.context().newPage()];
    let refreshed = 0;
    // Nobody's token is renewed before both tabs want one.
    const loaded = Promise.all(tabs.map((tab) => tab.waitForEvent("load")));
    await page.context().route("**/auth/refresh", async (route) => {
      refreshed += 1;
      await loaded;
      await Promise.all(tabs.map((tab) => tab.evaluate(() => new Promise(setTimeout))));
      await route.continue();
    });
    await page.evaluate(change, { expiresAt: 0 });
    await Promise.all(tabs.map((tab) => tab.goto(address)));
    await Promise.all(tabs.map((tab) => ready(tab, ".entry")));
    // Neither tab hears the answer; the one that asks again gets it.
    let isLost = true;
    await page.route("**/auth/refresh", async (route) => {
      await (isLost ? route.fetch() : null);
      await (isLost ? route.abort() : route.continue());
      isLost = false;
    });
    await page.evaluate(change, { expiresAt: 0 });
    await page.reload();
    await ready(page, ".entry");
    await page.unroute("**/auth/refresh");
    // By a clock that was wrong, this one is good.
    await page.evaluate(change, { accessToken: "none", expiresAt: Date.now() + 600_000 });
    await page.reload();
    await ready(page, ".entry");
    const unexpected = errors.filter((error) => !/40[14]|ERR_FAILED/.test(error));
    await page.evaluate(change, { expiresAt: 0, refreshToken: "none" });
    await page.reload();
    await ready(page, "#sign-in");
    const ended = await seen(page);
    // A push is pressed before the sign-in.
    await page.evaluate((id) => (location.hash = id), firstId);
    await signIn(person, "article");
    const afterwards = await seen(page);
    return { first, second, back, afterwards, refreshed, ended, errors: unexpected };
  });
}

/**
 * Sign out in one of three tabs while the push service and the server fail.
 *
 * The second tab hears of it; the third does not, and has asked for a new token before. Returns what
 * they show afterwards, and what the browser has kept.
 */
export async function leave({ address, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.addInitScript(() => {
      ServiceWorkerContainer.prototype.getRegistration = async () => ({
        getNotifications: async () => [{ close: () => localStorage.setItem("closed", "yes") }],
        pushManager: {
          getSubscription: async () => ({ unsubscribe: () => Promise.reject(new Error("away")) }),
        },
      });
    });
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    const tabs = [page, await page.context().newPage(), await page.context().newPage()];
    const [, other, deaf] = tabs;
    await deaf.addInitScript(() => {
      addEventListener("storage", (event) => event.stopImmediatePropagation());
    });
    for (const tab of [other, deaf]) {
      await tab.goto(address);
      await ready(tab, ".entry");
    }
    await page.route("**/auth/sign-out", (route) => route.abort());
    const renewal = Promise.withResolvers();
    await deaf.route("**/auth/refresh", async (route) => {
      renewal.resolve({ route, response: await route.fetch() });
    });
    await page.evaluate(change, { expiresAt: 0 });
    await deaf.evaluate(() => dispatchEvent(new Event("online")));
    const { route, response } = await renewal.promise;
    await page.click("#sign-out");
    await ready(page, "#sign-in");
    await ready(other, "#sign-in");
    await route.fulfill({ response });
    await ready(deaf, "#sign-in");
    const kept = await page.evaluate(() => Object.keys(localStorage).sort());
    return { shown: await Promise.all(tabs.map(seen)), kept, errors };
  });
}

/** Change what the page has kept of its session. */
function change(values) {
  const kept = JSON.parse(localStorage.getItem("pidgr.session"));
  localStorage.setItem("pidgr.session", JSON.stringify({ ...kept, ...values }));
}

/** Sign in, ask for a chat in Telegram, and come back once it is open. */
export async function remind({ address, opening, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.route("https://t.me/**", (route) => route.fulfill({ body: "Telegram" }));
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person, "#telegram");
    await Promise.all([page.waitForURL("https://t.me/**"), person.press("telegram")]);
    const url = page.url();
    await fetch(`${opening}?${new URL(url).searchParams}`);
    const asked = page.waitForResponse("**/telegram/chat");
    await page.goto(address);
    await (await asked).finished();
    await ready(page, "#sign-out");
    await until(() => page.locator("#telegram").isHidden());
    return { url, errors };
  });
}

async function until(condition) {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`this did not come true: ${condition}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Read and confirm while the recorder observes; return what it has sent, and what the body became. */
export async function recorded({ address, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    const sent = [];
    page.on("request", (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith("/replay/") || pathname.includes("Heatmap")) {
        const isPacked = request.headers()["content-encoding"] === "gzip";
        const body = request.postDataBuffer();
        sent.push({ pathname, text: (isPacked ? gunzipSync(body) : body).toString() });
      }
    });
    const answered = (part) => page.waitForResponse((response) => response.url().includes(part));
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person);
    await Promise.all([answered("/replay/recordings"), page.click(".entry")]);
    const article = await page.locator("article").innerHTML();
    // The answer to this comes after the recorder has read that it is wanted.
    await page.click("#action-ack");
    await ready(page, ".youConfirmed");
    await Promise.all([answered("/replay/recordings/"), answered("Heatmap"), page.click("#back")]);
    return { article, sent, errors };
  });
}

/**
 * Sign up for pushes, get one, and open its message.
 *
 * `subscription` is what the browser's own push service would give, which is out of reach; `next`
 * answers the push that another one got for it. Chromium delivers that to the worker.
 */
export async function notified({ address, subscription, next, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.context().grantPermissions(["notifications"], { origin: new URL(address).origin });
    await page.addInitScript((given) => {
      let current = null;
      PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
        current = {
          toJSON: () => given,
          unsubscribe: async () => {
            current = null;
          },
        };
        globalThis.subscribedWith = applicationServerKey;
        return current;
      };
      PushManager.prototype.getSubscription = async () => current;
    }, subscription);
    await page.goto(address);
    await ready(page, "#sign-in");
    await signIn(person, "#notify");
    await page.click("#notify");
    await page.locator("#notify").waitFor({ state: "hidden" });
    const key = await page.evaluate(() => globalThis.subscribedWith);
    const [worker] = page.context().serviceWorkers();
    // Headless Chromium has nothing to show notifications on.
    await worker.evaluate(() => {
      registration.showNotification = async (title, options) => {
        globalThis.shown = { title, ...options };
      };
    });
    const push = await (await fetch(next)).text();
    await deliver(page, new URL(address).origin, push);
    // The worker has told the page, too.
    await ready(page, ".entry");
    const shown = await worker.evaluate(() => globalThis.shown);
    await worker.evaluate(() => {
      const notification = { data: globalThis.shown.data, close() {} };
      dispatchEvent(Object.assign(new Event("notificationclick"), { notification, waitUntil() {} }));
    });
    await ready(page, "article");
    const opened = await seen(page);
    await page.click("#sign-out");
    await ready(page, "#sign-in");
    const kept = await page.evaluate(async () => {
      const { pushManager } = await navigator.serviceWorker.ready;
      return { ...localStorage, subscription: await pushManager.getSubscription() };
    });
    return { key, shown, opened, kept, errors };
  });
}

/** Let Chromium hand a push to the worker of an origin. */
async function deliver(page, origin, data) {
  const session = await page.context().newCDPSession(page);
  const registered = new Promise((found) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const [first] = registrations;
      if (first) found(first.registrationId);
    });
  });
  await session.send("ServiceWorker.enable");
  const registrationId = await registered;
  await session.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
}
