/** A Python environment with the server in it, made in this extension's own folder. */

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";

import { onPath, programOf, type Machine } from "./find";
import { Failed, run } from "./run";

/** What to look for on the PATH; the version is asked for, whatever the name says. */
const NAMES = ["python3.13", "python3.12", "python3.11", "python3", "python"];

const IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))";

/** Make the environment, or bring it up to date. Shows progress; rejects with the reason it could not be made. */
export async function install(machine: Machine, folder: string, log: vscode.LogOutputChannel): Promise<void> {
  await fs.promises.mkdir(folder, { recursive: true });
  const options = { location: vscode.ProgressLocation.Notification, title: "Devstral: installing the server", cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    const step = async (message: string, ...command: string[]): Promise<void> => {
      progress.report({ message });
      log.info(command.join(" "));
      log.info(await run(command, folder, (line) => log.info(line), token));
    };
    const python = await findPython(machine, folder);
    const own = programOf(machine.ownEnvironment, "python", machine.platform);
    if (!machine.isProgram(own)) {
      await step("making a Python environment", python, "-m", "venv", machine.ownEnvironment);
    }
    const source = vscode.workspace.getConfiguration("devstral.client").get<string>("package") || "devstral-ls";
    await step("fetching the server and what it needs", own, "-m", "pip", "install", "--upgrade", "--disable-pip-version-check", source);
    if (!machine.isProgram(programOf(machine.ownEnvironment, "devstral-ls", machine.platform))) {
      throw new Failed(`${source} has no program devstral-ls`);
    }
  });
}

async function findPython(machine: Machine, folder: string): Promise<string> {
  for (const name of NAMES) {
    const file = onPath(name, machine);
    if (file !== undefined && (await run([file, "-c", IS_NEW_ENOUGH], folder).then(() => true, () => false))) {
      return file;
    }
  }
  throw new Failed("no Python 3.11 or newer is on the PATH; install one, then try again");
}

/** Remember how the engine can be ended when this extension is uninstalled: nothing of VS Code's is there to ask then. */
export async function leaveWordForUninstall(extensionPath: string, command: readonly string[]): Promise<void> {
  await fs.promises.writeFile(path.join(extensionPath, "dist", "server.json"), JSON.stringify(command)).catch(() => undefined);
}
