/** Run by VS Code after this extension was uninstalled: the engine does not wait for its idle time to pass. */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const TIMEOUT_MS = 10_000;

try {
  const [program, ...args]: string[] = JSON.parse(fs.readFileSync(path.join(__dirname, "server.json"), "utf8"));
  if (program !== undefined) {
    // An engine that another editor still uses is started again by that editor at its next request.
    spawnSync(program, [...args, "engine", "stop"], { stdio: "ignore", timeout: TIMEOUT_MS, cwd: __dirname });
  }
} catch {
  // It never ran.
}
