/** The commands of this extension, and the menu that lists them. */

import * as vscode from "vscode";

import { ACTIONS, runAction } from "./actions";
import { install, leaveWordForUninstall, mayInstall } from "./install";
import { chooseModel } from "./models";
import { snooze, toggleLanguage, togglePause, languageHere } from "./pause";
import type { Server } from "./server";
import { explained, type Trace } from "./why";

/** Everything a command may need. */
export interface Parts {
  readonly context: vscode.ExtensionContext;
  readonly server: Server;
  readonly log: vscode.LogOutputChannel;
}

type Command = (parts: Parts) => unknown;

const COMMANDS: Record<string, Command> = {
  ...Object.fromEntries(ACTIONS.map((action) => [`devstral-ls.action.${action}`, ({ server }: Parts) => runAction(server, action)])),
  "devstral-ls.menu": menu,
  "devstral-ls.suggest": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
  "devstral-ls.togglePause": ({ server }) => togglePause(server),
  "devstral-ls.snooze": ({ server }) => snooze(server),
  "devstral-ls.toggleLanguage": toggleLanguage,
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

/** Register them all. A command that fails says so: the user asked for it. */
export function registerCommands(parts: Parts): vscode.Disposable {
  const registered = Object.entries(COMMANDS).map(([name, command]) =>
    vscode.commands.registerCommand(name, async () => {
      try {
        return await command(parts);
      } catch (error) {
        if (error instanceof vscode.CancellationError) {
          return undefined; // the user, or the end of the server
        }
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
      ? { label: "$(play) Resume", description: "automatic suggestions again", command: "devstral-ls.togglePause" }
      : { label: "$(debug-pause) Pause", description: "no suggestions in this window", command: "devstral-ls.togglePause" },
    ...(paused ? [] : [{ label: "$(bell-slash) Snooze…", description: "no suggestions for some minutes", command: "devstral-ls.snooze" }]),
    ...languageEntries(),
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
  // After a click on the status bar the next space is for the text, not for its item.
  await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  if (picked !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

function languageEntries(): Entry[] {
  const here = languageHere();
  if (here === undefined) {
    return [];
  }
  const label = here.isOff ? `$(circle-large) Suggest in ${here.id} again` : `$(circle-slash) No suggestions in ${here.id}`;
  return [{ label, description: "inline.disabledLanguages", command: "devstral-ls.toggleLanguage" }];
}

async function why({ server }: Parts): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (uri === undefined) {
    throw new Error("no editor is open");
  }
  const trace = (await server.execute("devstral.why", uri.toString())) as Trace | null;
  const { label, hint, details } = explained(trace);
  const reason = { label: `$(info) ${label}`, ...(hint && { detail: hint }) };
  const heading = { label: "Details", kind: vscode.QuickPickItemKind.Separator };
  await vscode.window.showQuickPick([reason, ...(details.length > 0 ? [heading, ...details] : [])], {
    title: "Devstral: how the last request went",
    placeHolder: "The reason, and the milliseconds of each stage",
  });
}

async function installServer({ context, server, log }: Parts): Promise<void> {
  if (!(await mayInstall())) {
    return;
  }
  await server.stop();
  try {
    await install(server.machine, context, log);
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
