// A headless Chromium with a page of another origin than the API's.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function visit({ calls, ...browser }) {
  const site = await serveSite("page.js");
  return await inBrowser(browser, (context) => callFrom(context, site.url, calls)).finally(() =>
    site.server.close(),
  );
}

/** Launch a Chromium with a profile of its own, do some work in it, and leave nothing behind. */
export async function inBrowser({ executablePath, libraries }, work) {
  const scratch = await mkdtemp(join(tmpdir(), "pidgr-browser-"));
  try {
    const context = await chromium.launchPersistentContext(scratch, {
      executablePath,
      args: FLAGS,
      env: { ...process.env, LD_LIBRARY_PATH: libraries },
    });
    return await work(context).finally(() => context.close());
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function callFrom(context, url, calls) {
  const page = await context.newPage();
  await page.goto(url);
  const outcomes = [];
  for (const [name, options] of calls) {
    outcomes.push(await page.evaluate(([f, o]) => globalThis[f](o), [name, options]));
  }
  return { origin: await page.evaluate(() => location.origin), outcomes };
}

/** Unpack the package's Chromium and the libraries it needs into TMPDIR. */
export async function unpackBrowser() {
  const packed = fileURLToPath(new URL("../bin/", import.meta.resolve("@sparticuz/chromium")));
  await Promise.all(["chromium.br", "al2023.tar.br"].map((name) => inflate(join(packed, name))));
  return {};
}

/** Serve a page with one bundled script, and with some HTML if it is given. */
export async function serveSite(file, html = "") {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
  });
  const script = bundle.outputFiles[0].text;
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : `<!doctype html>${html}<script src="/page.js"></script>`);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}
