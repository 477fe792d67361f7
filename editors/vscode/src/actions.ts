/** Code actions as commands, for the command palette and the context menu. What they do, and whether, is the server's. */

import * as vscode from "vscode";

import type { Server } from "./server";

/** Ids of the server's actions; each has a command `devstral-ls.action.ID` in the manifest. */
export const ACTIONS = ["fix", "rewrite", "simplify", "extract", "document", "types", "tests", "review", "explain"] as const;

/** Have the server do `action` at the selection of the active editor. */
export async function runAction(server: Server, action: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const convert = server.converter;
  if (editor === undefined || convert === undefined) {
    throw new Error(editor === undefined ? "no editor is open" : "the server does not run");
  }
  const { document, selection } = editor;
  const found = vscode.languages.getDiagnostics(document.uri).filter(({ range }) => range.intersection(selection) !== undefined);
  // Through the client's own command: it asks for an instruction and makes one step to undo of the edits.
  await vscode.commands.executeCommand("devstral.runAction", {
    action,
    uri: convert.asUri(document.uri),
    version: document.version,
    range: convert.asRange(selection),
    diagnostics: await convert.asDiagnostics(found),
  });
}
