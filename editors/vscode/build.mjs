// Bundles the extension into dist/; with the argument `test`, its unit tests as well.
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, platform: "node", target: "node20", format: "cjs", external: ["vscode"], logLevel: "warning" };

rmSync("dist", { recursive: true, force: true });
copyFileSync("../../LICENSE", "LICENSE"); // the package carries it; the repository has it once
await build({ ...common, entryPoints: ["src/extension.ts", "src/uninstall.ts"], outdir: "dist", minify: true });
if (process.argv[2] === "test") {
  const tests = readdirSync("test").map((name) => `test/${name}`);
  await build({ ...common, entryPoints: tests, outdir: "dist/test" });
}
