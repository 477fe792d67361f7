// Builds the server's wheel into wheels/, from where the extension installs it: the package is on no index.
// PYTHON names the interpreter; without it, the repository's environment or the system's Python does.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";

const own = ["../../.venv/bin/python", "../../.venv/Scripts/python.exe"].find((file) => existsSync(file));
const python = process.env.PYTHON || own || (process.platform === "win32" ? "python" : "python3");

rmSync("wheels", { recursive: true, force: true });
const arguments_ = ["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", "wheels", "../.."];
const done = spawnSync(python, arguments_, { stdio: "inherit" });
if (done.error || done.status !== 0 || !readdirSync("wheels").some((name) => name.endsWith(".whl"))) {
  console.error(`${python} did not build the server's wheel${done.error ? `: ${done.error.message}` : ""}; PYTHON names another one`);
  process.exit(1);
}
