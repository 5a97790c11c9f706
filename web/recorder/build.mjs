// Writes dist/recorder.js for a script element and dist/recorder.mjs for import.

import { build } from "esbuild";

const common = { entryPoints: ["src/index.ts"], bundle: true, minify: true, target: "es2022" };

await Promise.all([
  build({ ...common, format: "iife", globalName: "PidgrRecorder", outfile: "dist/recorder.js" }),
  build({ ...common, format: "esm", outfile: "dist/recorder.mjs" }),
]);
