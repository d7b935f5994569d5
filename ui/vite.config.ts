import { readdirSync } from "node:fs";

import { defineConfig } from "vite";

const here = import.meta.dirname;
const pages = readdirSync(`${here}/pages`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((page) => [page.name, `${here}/pages/${page.name}/main.ts`] as const);

export default defineConfig({
  root: here,
  base: "./",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: `${here}/../src/menagerie/web/built`,
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0, // the policy of the pages forbids data: addresses of fonts and scripts
    license: { fileName: "licences.md" },
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // `light-dark()` as it stands
    rolldownOptions: {
      input: { base: `${here}/style/base.css`, frame: `${here}/frame/main.ts`, ...Object.fromEntries(pages) },
    },
  },
});
