/** Devstral in VS Code: draws what the server decides. */

import * as vscode from "vscode";

import { registerCommands } from "./commands";
import { leaveWordForUninstall } from "./install";
import { Server } from "./server";
import { createStatusBar } from "./statusBar";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Devstral", { log: true });
  const started = (server = new Server(context, log));
  context.subscriptions.push(
    log,
    started,
    createStatusBar(started.situation, started.onDidChange),
    registerCommands({ context, server: started, log }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("devstral")) {
        void started.settingsChanged(change);
      }
    }),
  );
  await started.restart();
  await welcome(context, started);
  await leaveWordForUninstall(context.extensionPath, started.command);
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** The first time that no server is found: show how to get one. Later only by command. */
async function welcome(context: vscode.ExtensionContext, { situation }: Server): Promise<void> {
  if (situation.client === "notFound" && !context.globalState.get("welcomed")) {
    await context.globalState.update("welcomed", true);
    void vscode.commands.executeCommand("devstral-ls.walkthrough");
  }
}
