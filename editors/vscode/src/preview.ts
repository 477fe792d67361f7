/** A sign that a preview of an edit waits for the user: the server, whose progress is shown meanwhile, cannot know. */

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams } from "vscode-languageclient/node";

/** True when VS Code shows a preview of the edit, and applies what the user leaves in it. */
function isPreviewed({ edit }: ApplyWorkspaceEditParams): boolean {
  return Object.values(edit.changeAnnotations ?? {}).some(({ needsConfirmation }) => needsConfirmation);
}

/** Say that the user is waited for while an edit is `applied`, if it is previewed. The newest progress is the one shown. */
export function whilePreviewed<T>(params: ApplyWorkspaceEditParams, applied: () => PromiseLike<T>): PromiseLike<T> {
  if (!isPreviewed(params)) {
    return applied();
  }
  const options = { location: vscode.ProgressLocation.Window, title: "Devstral: waiting for you in Refactor Preview" };
  return vscode.window.withProgress(options, applied);
}
