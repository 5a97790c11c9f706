// Records a page with rrweb in a real browser, and plays a recording.

import { inBrowser, serveSite } from "./browser.js";

/** Type into fields, change texts, and return the events as JSON text. */
export async function record({ html, typed, changed, ...browser }) {
  const site = await serveSite("replay_page.js", html);
  return await inBrowser(browser, async (context) => {
    const page = await context.newPage();
    await page.goto(`${site.url}?token=${typed.url}#${typed.url}`);
    await page.evaluate(() => globalThis.startRecording());
    for (const [selector, text] of Object.entries(typed.fields)) {
      await page.fill(selector, text);
    }
    for (const [selector, text] of Object.entries(changed)) {
      await page.evaluate(([where, what]) => {
        document.querySelector(where).textContent = what;
      }, [selector, text]);
    }
    await page.click("#public");
    // Mutations are handed over in a task of their own.
    await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
    return { events: await page.evaluate(() => globalThis.recorded()) };
  }).finally(() => site.server.close());
}

export async function play({ events, ...browser }) {
  const site = await serveSite("replay_page.js");
  return await inBrowser(browser, async (context) => {
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(site.url);
    const seen = await page.evaluate((text) => globalThis.playBack(text), events);
    return { ...seen, errors };
  }).finally(() => site.server.close());
}
