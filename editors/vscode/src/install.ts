/** A Python environment with the server in it, made in this extension's own folder from the wheel that it brings. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

import { onPath, programOf, type Machine } from "./find";
import { Failed, run } from "./run";

/** What to look for; the version is asked for, whatever the name says. */
const NAMES = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"];

const IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))";

const ASK = "Install the server?";

/** Said before anything is fetched. */
const WHAT_IT_DOES =
  "The server comes with this extension. A Python environment of its own is made for it, in this extension's folder. " +
  "The packages that it needs, such as llama.cpp and aiohttp, are fetched by pip, from PyPI or from the index that your pip is set to.";

const NO_PYTHON =
  "no Python 3.11 or newer was found. Install one (from python.org, by your package manager, or `uv python install 3.12`), then try again";

const NO_ENVIRONMENT =
  "Python could not make an environment. On Debian and Ubuntu, `apt install python3-venv` adds what is missing; the log has the details";

/** Say what will be done, and ask. */
export async function mayInstall(): Promise<boolean> {
  return (await vscode.window.showInformationMessage(ASK, { modal: true, detail: WHAT_IT_DOES }, "Install")) !== undefined;
}

/** Make the environment, or bring it up to date. Shows progress; rejects with the reason it could not be made. */
export async function install(machine: Machine, context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<void> {
  const source = vscode.workspace.getConfiguration("devstral.client").get<string>("package") || (await packedWheel(context.extensionPath));
  const folder = context.globalStorageUri.fsPath;
  await fs.promises.mkdir(folder, { recursive: true });
  const options = { location: vscode.ProgressLocation.Notification, title: "Devstral: installing the server", cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    const step = async (message: string, ...command: string[]): Promise<void> => {
      progress.report({ message });
      log.info(command.join(" "));
      log.info(await run(command, folder, (line) => log.info(line), token));
    };
    progress.report({ message: "looking for Python" });
    const python = await findPython(machine, folder);
    const own = programOf(machine.ownEnvironment, "python", machine.platform);
    if (!machine.isProgram(own)) {
      await step("making a Python environment", python, "-m", "venv", machine.ownEnvironment).catch(async (error: unknown) => {
        await fs.promises.rm(machine.ownEnvironment, { recursive: true, force: true });
        throw token.isCancellationRequested ? error : new Failed(NO_ENVIRONMENT);
      });
    }
    const pip = async (message: string, ...options: string[]): Promise<void> => {
      await step(message, own, "-m", "pip", "install", "--disable-pip-version-check", ...options, source).catch((error: Error) => {
        throw new Failed(`the server was not installed: ${error.message.replace(/^ERROR: /, "")} (the log has the details)`);
      });
    };
    await pip("fetching what the server needs", "--upgrade");
    await pip("installing the server", "--force-reinstall", "--no-deps"); // the same version may be another build
    if (!machine.isProgram(programOf(machine.ownEnvironment, "devstral-ls", machine.platform))) {
      throw new Failed(`${source} has no program devstral-ls`);
    }
  });
}

/** The server's wheel in this extension. */
async function packedWheel(extensionPath: string): Promise<string> {
  const folder = path.join(extensionPath, "wheels");
  const names = await fs.promises.readdir(folder).catch(() => [] as string[]);
  const name = names.find((each) => each.endsWith(".whl"));
  if (name === undefined) {
    throw new Failed("this extension was packed without the server; set devstral.client.package to a checkout or a wheel");
  }
  return path.join(folder, name);
}

async function findPython(machine: Machine, folder: string): Promise<string> {
  const searchPath = [machine.searchPath, ...(await usualFolders())].join(machine.platform === "win32" ? ";" : ":");
  for (const name of NAMES) {
    const file = onPath(name, { ...machine, searchPath });
    if (file !== undefined && (await run([file, "-c", IS_NEW_ENOUGH], folder).then(() => true, () => false))) {
      return file;
    }
  }
  throw new Failed(NO_PYTHON);
}

/** Where a Python may be although the PATH of a graphical VS Code does not say so: Homebrew, uv. */
async function usualFolders(): Promise<string[]> {
  const uv = path.join(os.homedir(), ".local", "share", "uv", "python");
  const versions = await fs.promises.readdir(uv).catch(() => [] as string[]);
  return ["/opt/homebrew/bin", "/usr/local/bin", path.join(os.homedir(), ".local", "bin"), ...versions.map((name) => path.join(uv, name, "bin"))];
}

/** Save the server's command line for `uninstall.ts`, which runs without VS Code's API and stops the engine. */
export async function leaveWordForUninstall(extensionPath: string, command: readonly string[]): Promise<void> {
  await fs.promises.writeFile(path.join(extensionPath, "dist", "server.json"), JSON.stringify(command)).catch(() => undefined);
}
