/** One undo for one action, however many edits the server streams for it. */

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult } from "vscode-languageclient/node";

type Edits = () => Promise<vscode.WorkspaceEdit | undefined>;
type Next = () => Promise<ApplyWorkspaceEditResult>;

/** A document that an action writes in. */
interface Begun {
  readonly original: string;
  /** Saving ends a step of the undo history, be it in the middle of the action. */
  wasSaved: boolean;
}

/** Puts the edits that arrive while an action runs into one step of the undo history of the document they change. */
export class OneUndo {
  private running = 0;
  private readonly begun = new Map<vscode.TextEditor, Begun>();
  private last: Promise<unknown> = Promise.resolve();

  /** Run an action. */
  async during<T>(action: () => Promise<T>): Promise<T> {
    this.running += 1;
    try {
      return await action();
    } finally {
      this.running -= 1;
      if (this.running === 0) {
        await this.end();
      }
    }
  }

  /** Apply an edit of the server. */
  apply(params: ApplyWorkspaceEditParams, edits: Edits, next: Next): Promise<ApplyWorkspaceEditResult> {
    if (this.running === 0 || params.edit.changeAnnotations !== undefined) {
      return next(); // VS Code shows a preview of it, and applies it itself
    }
    const applied = this.last.then(() => this.applyToEditor(params, edits, next));
    this.last = applied.catch(() => undefined); // in order, one at a time
    return applied;
  }

  private async applyToEditor(
    params: ApplyWorkspaceEditParams,
    edits: Edits,
    next: Next,
  ): Promise<ApplyWorkspaceEditResult> {
    const edit = await edits();
    const [change, ...others] = edit?.entries() ?? [];
    const editor = change && vscode.window.visibleTextEditors.find((e) => e.document.uri.toString() === change[0].toString());
    if (change === undefined || others.length > 0 || editor === undefined) {
      return next(); // without a visible editor there are no undo steps to join
    }
    if (versions(params).some((version) => version !== editor.document.version)) {
      return { applied: false, failureReason: "the document has changed" };
    }
    const begun = this.begun.get(editor) ?? { original: editor.document.getText(), wasSaved: false };
    const isFirst = !this.begun.has(editor);
    this.begun.set(editor, begun);
    begun.wasSaved ||= !isFirst && !editor.document.isDirty;
    // The server goes back to the original before it writes what is final: one step from there, at least.
    const isAgain = begun.wasSaved && editor.document.getText() === begun.original;
    const applied = await editor.edit(
      (builder) => {
        for (const { range, newText } of change[1]) {
          builder.replace(range, newText);
        }
      },
      { undoStopBefore: isFirst || isAgain, undoStopAfter: false },
    );
    return { applied };
  }

  /** What the user types next is a step of its own. */
  private async end(): Promise<void> {
    await this.last;
    const editors = [...this.begun.keys()].filter(
      // Saving has ended the step already, and what changes nothing would be one of its own.
      (editor) => vscode.window.visibleTextEditors.includes(editor) && editor.document.isDirty,
    );
    this.begun.clear();
    for (const editor of editors) {
      // An edit that changes nothing carries the stop; one without any change at all is not sent.
      await editor.edit((builder) => builder.insert(new vscode.Position(0, 0), ""), {
        undoStopBefore: false,
        undoStopAfter: true,
      });
    }
  }
}

function versions(params: ApplyWorkspaceEditParams): number[] {
  return (params.edit.documentChanges ?? []).flatMap((change) =>
    "textDocument" in change && change.textDocument.version !== null ? [change.textDocument.version] : [],
  );
}
