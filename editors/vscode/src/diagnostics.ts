/** Sends the server the diagnostics of other extensions for the active document, which it cannot see otherwise. */

import * as vscode from "vscode";
import type { FeatureState, LanguageClient, StaticFeature } from "vscode-languageclient/node";

/** Several extensions report one change. */
const DELAY_MS = 150;

/** The nearest to the cursor. */
const MOST = 100;

export class TellsDiagnostics implements StaticFeature {
  private readonly listeners: vscode.Disposable[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: LanguageClient,
    private readonly schemes: readonly string[],
  ) {}

  getState(): FeatureState {
    return { kind: "static" };
  }

  fillClientCapabilities(): void {}

  initialize(): void {
    this.listeners.push(
      vscode.languages.onDidChangeDiagnostics(({ uris }) => {
        const front = vscode.window.activeTextEditor?.document.uri.toString();
        if (uris.some((uri) => uri.toString() === front)) {
          this.soon();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.soon()),
    );
    this.soon();
  }

  clear(): void {
    clearTimeout(this.timer);
    for (const listener of this.listeners.splice(0)) {
      listener.dispose();
    }
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.tell(), DELAY_MS);
  }

  private async tell(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !this.schemes.includes(editor.document.uri.scheme) || !this.client.isRunning()) {
      return;
    }
    const { document, selection } = editor;
    const distance = (one: vscode.Diagnostic): number => Math.abs(one.range.start.line - selection.active.line);
    const found = vscode.languages
      .getDiagnostics(document.uri)
      .filter((one) => one.severity <= vscode.DiagnosticSeverity.Warning)
      .sort((one, other) => distance(one) - distance(other))
      .slice(0, MOST);
    const body = {
      uri: this.client.code2ProtocolConverter.asUri(document.uri),
      version: document.version,
      diagnostics: found.map(({ range, severity, source, message }) => ({
        range: this.client.code2ProtocolConverter.asRange(range),
        severity: severity + 1,
        source,
        message,
      })),
    };
    // The connection may end meanwhile.
    await this.client.sendNotification("devstral/diagnostics", body).catch(() => undefined);
  }
}
