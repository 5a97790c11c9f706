// Pages that the recorder of web/recorder observes, and a way to the server that can be cut.

import { readFile } from "node:fs/promises";
import { createServer, request as forward } from "node:http";
import { gunzipSync } from "node:zlib";
import { inBrowser } from "./browser.js";

/**
 * Do `steps` on a page while the recorder observes it, and return what left the browser.
 *
 * `signals` are properties of `navigator`. A step is [name, ...arguments] of STEPS.
 */
export async function observe({ script, html, options, signals = {}, steps, ...browser }) {
  const site = await serve(script, html);
  const way = await serveWay(options.server);
  try {
    return await inBrowser(browser, async (context) => {
      await context.addInitScript((values) => {
        for (const [name, value] of Object.entries(values)) {
          Object.defineProperty(navigator, name, { value });
        }
      }, signals);
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(`${site.url}?token=${options.credential}`);
      await page.evaluate(({ credential, ...others }) => {
        globalThis.recorder = PidgrRecorder.start({ ...others, credential: () => credential });
      }, { ...options, server: way.url });
      for (const [name, ...argument] of steps) {
        await STEPS[name](page, way, ...argument);
      }
      return { sent: way.sent, errors };
    });
  } finally {
    way.server.closeAllConnections();
    way.server.close();
    site.server.close();
  }
}

const STEPS = {
  observed: (page) => page.waitForFunction(() => globalThis.recorder.isObserving),
  ignored: (page) => page.waitForFunction(() => !globalThis.recorder.isObserving),
  /** Call the server as somebody else. */
  call: async (_page, _way, url, headers, body) => {
    const answer = await fetch(url, { method: "POST", headers, body });
    if (!answer.ok) {
      throw new Error(await answer.text());
    }
  },
  click: (page, _way, selector) => page.click(selector),
  press: (page, _way, selector, delay) => page.click(selector, { delay }),
  fill: (page, _way, selector, text) => page.fill(selector, text),
  text: (page, _way, selector, text) =>
    page.evaluate(([where, what]) => {
      document.querySelector(where).firstChild.nodeValue = what;
    }, [selector, text]),
  html: (page, _way, selector, html) =>
    page.evaluate(([where, what]) => {
      document.querySelector(where).innerHTML = what;
    }, [selector, html]),
  // Nothing can compress it.
  noise: (page, _way, selector, characters) =>
    page.evaluate(async ([where, count]) => {
      const bytes = new Uint8Array(count);
      for (let start = 0; start < count; start += 65_536) {
        crypto.getRandomValues(bytes.subarray(start, start + 65_536));
      }
      const text = Array.from(bytes, (byte) => String.fromCharCode(0x4e00 + byte)).join("");
      document.querySelector(where).append(text);
      await new Promise((done) => setTimeout(done));
    }, [selector, characters]),
  scroll: async (page) => {
    await page.mouse.wheel(0, 300);
    await page.waitForFunction(() => scrollY > 0);
  },
  /** From now on the way to the server is like this: see serveWay. */
  way: (_page, way, mode) => {
    way.mode = mode;
  },
  /** Wait until so many requests in all have come, whatever became of them. */
  requests: (_page, way, count) => until(() => way.sent.length >= count),
  /** Wait until so many recordings have their first batch. */
  begun: (_page, way, count) =>
    until(() => way.sent.filter(({ path }) => path.endsWith("/0")).length >= count),
  /** Wait until the server has answered so many in all, whether or not anybody hears it. */
  answered: (_page, way, count) => until(() => way.answered >= count),
  stop: (page) => page.evaluate(() => globalThis.recorder.stop()),
  /** Look at another tab for a moment. */
  hide: (page) =>
    page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      delete document.visibilityState;
    }),
  leave: (page) => page.goto("about:blank"),
};

async function until(condition) {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`this did not come true: ${condition}`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Stand between the page and the server: "open", "cut" before it, or "deaf" to its answers. */
async function serveWay(target) {
  const way = { mode: "open", sent: [], answered: 0 };
  way.server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) {
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks);
    const { method, url, headers } = incoming;
    const mode = method === "POST" ? way.mode : "open";
    if (method === "POST") {
      const isPacked = headers["content-encoding"] === "gzip";
      const text = (isPacked ? gunzipSync(body) : body).toString();
      way.sent.push({ path: url, mode, size: body.length, packed: body.toString("base64"), text });
    }
    if (mode === "cut") {
      outgoing.destroy();
      return;
    }
    const onward = forward(new URL(url, target), { method, headers }, (answer) => {
      way.answered += Number(method === "POST");
      if (mode === "deaf") {
        answer.resume().on("end", () => outgoing.destroy());
      } else {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      }
    });
    onward.end(body);
  });
  await new Promise((listening) => way.server.listen(0, "127.0.0.1", listening));
  way.url = `http://127.0.0.1:${way.server.address().port}`;
  return way;
}

async function serve(script, html) {
  const content = await readFile(script);
  const server = createServer((request, response) => {
    const isScript = request.url === "/recorder.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? content : `<!doctype html>${html}<script src="/recorder.js"></script>`);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}
