// Looks at the server's pages with axe, and walks them by keyboard.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { inBrowser } from "./browser.js";

const AXE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** Visit each URL in each language; return what axe finds, and what Tab reaches. */
export async function inspect({ visits, ...browser }) {
  return await inBrowser(browser, async (context) => {
    const page = await axePage(context);
    const found = [];
    for (const { url, language } of visits) {
      await page.setExtraHTTPHeaders({ "accept-language": language });
      await page.goto(url);
      found.push({
        url,
        ...(await axeIn(page)),
        reached: await reachedByTab(page),
      });
    }
    return { found };
  });
}

/** Fill the only form by keyboard alone and send it; return where that leads. */
export async function fillByKeyboard({ url, text, ...browser }) {
  return await inBrowser(browser, async (context) => {
    const page = await context.newPage();
    await page.goto(url);
    await page.keyboard.type(text);
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    return { html: await page.content(), focused: await focused(page) };
  });
}

/** Open a page in which axe can run: the server's pages allow no scripts of others. */
export async function axePage(context) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Page.setBypassCSP", { enabled: true });
  return page;
}

/** Return what axe says about such a page. */
export async function axeIn(page) {
  await page.addScriptTag({ content: AXE });
  const result = await page.evaluate(() => globalThis.axe.run());
  return {
    language: await page.evaluate(() => document.documentElement.lang),
    title: await page.title(),
    violations: result.violations.map((one) => `${one.id}: ${one.nodes[0].html}`),
    passes: result.passes.length,
  };
}

async function reachedByTab(page) {
  const start = await focused(page);
  const reached = start === "" ? [] : [start];
  for (let count = 0; count < 20; count += 1) {
    await page.keyboard.press("Tab");
    const name = await focused(page);
    if (name === "" || reached.includes(name)) break;
    reached.push(name);
  }
  return reached;
}

export function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    return at && at !== document.body ? at.id || at.tagName.toLowerCase() : "";
  });
}
