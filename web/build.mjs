// Bundles what runs in browsers: `node build.mjs recorder` or `node build.mjs inbox`.

import { rm } from "node:fs/promises";
import { build } from "esbuild";

const common = { bundle: true, minify: true, target: "es2022" };
const recorder = { ...common, entryPoints: ["recorder/src/index.ts"] };
const INBOX = "../src/pidgr/rpc/assets/inbox";

const targets = {
  /** For a script element, and for import. */
  recorder: () => [
    build({
      ...recorder,
      format: "iife",
      globalName: "PidgrRecorder",
      outfile: "recorder/dist/recorder.js",
    }),
    build({ ...recorder, format: "esm", outfile: "recorder/dist/recorder.mjs" }),
  ],
  /** What the server serves at /inbox. The recorder is a part of its own, fetched when wanted. */
  inbox: async () => {
    await rm(INBOX, { recursive: true, force: true });
    await build({
      ...common,
      entryPoints: {
        inbox: "inbox/src/inbox.ts",
        worker: "inbox/worker/worker.ts",
        style: "inbox/src/inbox.css",
        icon: "inbox/src/icon.svg",
        app: "inbox/src/app.webmanifest",
      },
      loader: { ".svg": "copy", ".webmanifest": "copy" },
      format: "esm",
      splitting: true,
      chunkNames: "part-[hash]",
      outdir: INBOX,
    });
  },
};

await Promise.all([targets[process.argv[2]]()].flat());
