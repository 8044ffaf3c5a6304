// Bundles src/ into a page of three files: node build.mjs FOLDER. The script and the style are named by their content,
// so that browsers may keep them for ever.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const result = await build({
  entryPoints: { console: "src/main.tsx" },
  bundle: true,
  minify: true,
  write: false,
  outdir: folder,
  format: "esm",
  target: "es2021",
  charset: "utf8",
  legalComments: "inline",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});

mkdirSync(join(folder, "assets"), { recursive: true });
let page = readFileSync("src/index.html", "utf8");
for (const file of result.outputFiles) {
  const ending = file.path.endsWith(".css") ? "css" : "js";
  const hash = createHash("sha256").update(file.contents).digest("hex").slice(0, 12);
  const name = `console.${hash}.${ending}`;
  writeFileSync(join(folder, "assets", name), file.contents);
  page = page.replace(`{{${ending}}}`, `/assets/${name}`);
}
if (page.includes("{{")) throw new Error("src/index.html names a file that was not made");
writeFileSync(join(folder, "index.html"), page);
