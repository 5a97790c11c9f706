// What the recorder's masking makes of events, outside any browser.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Mask the recordings in a file: arguments are no place for so many. */
export async function mask({ file }) {
  const recordings = JSON.parse(await readFile(file, "utf-8"));
  const sources = new URL("../../../web/recorder/src/", import.meta.url);
  const names = "export * from './masking'; export * from './pageTree';";
  const bundle = await build({
    stdin: { contents: names, resolveDir: fileURLToPath(sources) },
    bundle: true,
    write: false,
    format: "esm",
  });
  const code = Buffer.from(bundle.outputFiles[0].text).toString("base64");
  const { maskEvent, PageTree } = await import(`data:text/javascript;base64,${code}`);
  return recordings.map((events) => {
    const page = new PageTree();
    const kept = events.map((event) => maskEvent(event, page)).filter(Boolean);
    return { kept, masked: [...page.masked].sort((one, other) => one - other) };
  });
}
