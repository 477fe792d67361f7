/** The status bar item. */

import * as vscode from "vscode";

import { shown, type Situation } from "./status";

const BACKGROUND = {
  none: undefined,
  warning: new vscode.ThemeColor("statusBarItem.warningBackground"),
  error: new vscode.ThemeColor("statusBarItem.errorBackground"),
};

/** An item that shows what `onDidChange` tells. */
export function createStatusBar(first: Situation, onDidChange: vscode.Event<Situation>): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("devstral.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Devstral";
  item.command = "devstral-ls.menu";
  const show = (situation: Situation): void => {
    const { text, tooltip, severity } = shown(situation);
    item.text = text;
    item.tooltip = tooltip.join("\n");
    item.accessibilityInformation = { label: tooltip.join(". "), role: "button" };
    item.backgroundColor = BACKGROUND[severity];
  };
  show(first);
  item.show();
  return vscode.Disposable.from(item, onDidChange(show));
}
