import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** Writes THIRD-PARTY-NOTICES.txt: name, version and licence text of every package whose code is in the bundle. */
export function notices(): Plugin {
  return {
    name: "modelkeel-notices",
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const id of chunk.moduleIds) {
          const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replace(/^\0/, "").replace(/\\/g, "/"));
          if (match?.[1]) folders.add(match[1]);
        }
      }
      const parts = [...folders].sort().map(describe);
      this.emitFile({ type: "asset", fileName: "THIRD-PARTY-NOTICES.txt", source: parts.join("\n\n" + "-".repeat(80) + "\n\n") });
    },
  };
}

function describe(folder: string): string {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const head = `${about.name} ${about.version} (${about.license})\n`;
  if (file && existsSync(join(folder, file))) return `${head}\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  // A dedication to the public domain asks for no notice; anything else must bring its text.
  if (about.license === "Unlicense") return `${head}\nReleased into the public domain: https://unlicense.org\n`;
  throw new Error(`${about.name} ships no licence text`);
}
