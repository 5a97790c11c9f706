// What the recorder's masking makes of events, outside any browser.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Mask the recordings in a file: arguments are no place for so many. */
export async function mask({ file }) {
  const recordings = JSON.parse(await readFile(file, "utf-8"));
  const source = new URL("../../../web/recorder/src/masking.ts", import.meta.url);
  const bundle = await build({
    entryPoints: [fileURLToPath(source)],
    bundle: true,
    write: false,
    format: "esm",
  });
  const code = Buffer.from(bundle.outputFiles[0].text).toString("base64");
  const { maskEvent } = await import(`data:text/javascript;base64,${code}`);
  return recordings.map((events) => {
    const masked = new Set();
    const kept = events.map((event) => maskEvent(event, masked)).filter(Boolean);
    return { kept, masked: [...masked].sort((one, other) => one - other) };
  });
}
