// Bundles what pages need into one file each, with the licences of all that is in it: the editor
// of the playground, and React for the example's page.
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

await bundle("editor", "../../guardstream/play/static", "CodeMirror 6 and what it needs");
await bundle("react", "../../examples/page", "React and ReactDOM");

async function bundle(name, target, what) {
  const { metafile } = await build({
    entryPoints: [`${name}.mjs`],
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    legalComments: "none",
    metafile: true,
    define: { "process.env.NODE_ENV": '"production"' },
    banner: { js: `/* ${what}; licences: ${name}.licences.txt */` },
    outfile: `${target}/${name}.js`,
  });
  const packages = new Set(
    Object.keys(metafile.inputs)
      .map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
      .filter(Boolean),
  );
  const notices = [...packages].sort().map(notice);
  writeFileSync(`${target}/${name}.licences.txt`, notices.join(`\n${"-".repeat(72)}\n\n`));
}

function notice(name) {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[sc]e/i.test(each));
  if (!file) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}
