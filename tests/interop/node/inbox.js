// An employee in front of the inbox.

import { axeIn, axePage } from "./pages.js";
import { asPerson } from "./person.js";

const SUBMIT = "**/pidgr.v1.ActionService/SubmitAction";

/** Sign in, read and confirm by keyboard alone; look at every screen with axe. */
export async function read({ address, ...argument }) {
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
  return { url: page.url(), text: await page.locator("body").innerText() };
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

/** Follow a link of a nudge before and after the sign-in, and one that is somebody else's. */
export async function follow({ link, foreign, ...argument }) {
  return await asPerson(argument, async (person) => {
    const { page } = person;
    const errors = trouble(page);
    await page.goto(link);
    await ready(page, "#sign-in");
    const welcome = await seen(page);
    await signIn(person, "article");
    const opened = await seen(page);
    await page.goto(foreign);
    await ready(page, "[role=alert]");
    const refused = await seen(page);
    await page.goto(link);
    await ready(page, "article");
    const again = await seen(page);
    return { welcome, opened, refused, again, errors };
  });
}

async function until(condition) {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`this did not come true: ${condition}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
