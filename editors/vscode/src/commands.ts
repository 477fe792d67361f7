/** The commands of this extension, and the menu that lists them. */

import * as vscode from "vscode";

import { install, leaveWordForUninstall } from "./install";
import { chooseModel } from "./models";
import type { Server } from "./server";

/** The body of `devstral.why`, as far as it is shown. */
interface Trace {
  readonly reason: string;
  readonly layout?: string | null;
  readonly model?: string | null;
  readonly stages?: Record<string, number>;
}

/** Everything a command may need. */
export interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly server: Server;
  readonly log: vscode.LogOutputChannel;
}

type Command = (parts: Parts) => unknown;

const COMMANDS: Record<string, Command> = {
  "devstral-ls.menu": menu,
  "devstral-ls.suggest": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
  "devstral-ls.togglePause": async ({ server }) => server.setPaused((await server.execute("devstral.toggleInline")) === false),
  "devstral-ls.restartServer": ({ server }) => server.restart(),
  "devstral-ls.restartEngine": ({ server }) => server.execute("devstral.restartEngine"),
  "devstral-ls.stopServer": ({ server }) => server.stop(),
  "devstral-ls.why": why,
  "devstral-ls.clearReview": ({ server }) => server.execute("devstral.clearReview"),
  "devstral-ls.showLog": ({ log }) => log.show(),
  "devstral-ls.chooseModel": ({ server, context }) => chooseModel(server, context.globalStorageUri.fsPath),
  "devstral-ls.installServer": installServer,
  "devstral-ls.chooseServer": chooseServer,
  "devstral-ls.walkthrough": ({ context }) =>
    vscode.commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`, false),
  "devstral-ls.settings": ({ context }) =>
    vscode.commands.executeCommand("workbench.action.openSettings", `@ext:${context.extension.id}`),
};

/** Register them all. A command that fails says so: somebody asked for it. */
export function registerCommands(parts: Parts): vscode.Disposable {
  const registered = Object.entries(COMMANDS).map(([name, command]) =>
    vscode.commands.registerCommand(name, async () => {
      try {
        return await command(parts);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        parts.log.error(`${name}: ${message}`);
        void vscode.window.showErrorMessage(`Devstral: ${message}`);
        return undefined;
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}

type Entry = vscode.QuickPickItem & { readonly command: string };

async function menu({ server }: Parts): Promise<void> {
  const { client, paused, server: status } = server.situation;
  const running: Entry[] = [
    paused
      ? { label: "$(play) Resume", description: "suggest by itself again", command: "devstral-ls.togglePause" }
      : { label: "$(debug-pause) Pause", description: "no suggestions in this window", command: "devstral-ls.togglePause" },
    { label: "$(question) Why is nothing shown here?", command: "devstral-ls.why" },
    { label: "$(package) Choose a model…", description: status?.model ?? "", command: "devstral-ls.chooseModel" },
    { label: "$(refresh) Restart the engine", description: status?.engine ?? "", command: "devstral-ls.restartEngine" },
  ];
  const missing: Entry[] = [
    { label: "$(cloud-download) Install the server", description: "into an environment of its own", command: "devstral-ls.installServer" },
    { label: "$(folder-opened) Choose the program…", command: "devstral-ls.chooseServer" },
  ];
  const always: Entry[] = [
    { label: "$(sync) Restart the server", command: "devstral-ls.restartServer" },
    { label: "$(output) Show the log", command: "devstral-ls.showLog" },
    { label: "$(gear) Settings", command: "devstral-ls.settings" },
    { label: "$(book) First steps", command: "devstral-ls.walkthrough" },
  ];
  const isMissing = client === "notFound" || client === "wrongVersion";
  const picked = await vscode.window.showQuickPick(
    [...(client === "running" ? running : []), ...(isMissing ? missing : []), ...always],
    { title: "Devstral", placeHolder: status?.message ?? server.situation.message ?? "" },
  );
  // Whoever clicked the status bar goes on writing, not pressing its item with the next space.
  await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  if (picked !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

async function why({ server }: Parts): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (uri === undefined) {
    throw new Error("no editor is open");
  }
  const trace = (await server.execute("devstral.why", uri.toString())) as Trace | null;
  const stages = Object.entries(trace?.stages ?? {}).map(([label, ms]) => ({ label, description: `${ms} ms` }));
  const facts = [trace?.model, trace?.layout].filter((fact) => fact).join(", ");
  await vscode.window.showQuickPick(
    [{ label: `$(info) ${trace?.reason ?? "nothing was asked here yet"}`, description: facts }, ...stages],
    { title: "Devstral: how the last request went", placeHolder: "The one reason, and what each stage took" },
  );
}

async function installServer({ context, server, log }: Parts): Promise<void> {
  await server.stop();
  try {
    await install(server.machine, context.globalStorageUri.fsPath, log);
  } finally {
    await server.restart();
  }
  await leaveWordForUninstall(context.extensionPath, server.command);
}

async function chooseServer(): Promise<void> {
  const [file] = (await vscode.window.showOpenDialog({ title: "The program devstral-ls" })) ?? [];
  if (file !== undefined) {
    const settings = vscode.workspace.getConfiguration("devstral.client");
    await settings.update("command", [file.fsPath], vscode.ConfigurationTarget.Global);
  }
}
