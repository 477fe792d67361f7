/** Switching automatic suggestions off: until they are wanted again, for some minutes, or for one language. */

import * as vscode from "vscode";

import type { Server } from "./server";

const MINUTES = [5, 10, 30, 60];

let waking: NodeJS.Timeout | undefined;

/** Pause, or go on. */
export async function togglePause(server: Server): Promise<void> {
  clearTimeout(waking);
  server.setPaused((await server.execute("devstral.toggleInline")) === false);
}

/** Pause for as long as the user says. */
export async function snooze(server: Server): Promise<void> {
  const choices = MINUTES.map((minutes) => ({ label: `${minutes} minutes`, minutes }));
  const picked = await vscode.window.showQuickPick(choices, { title: "Devstral: no suggestions for" });
  if (picked !== undefined) {
    await setPaused(server, true);
    clearTimeout(waking);
    waking = setTimeout(() => void setPaused(server, false).catch(() => undefined), picked.minutes * 60_000); // it may have been stopped
  }
}

async function setPaused(server: Server, paused: boolean): Promise<void> {
  await server.execute("devstral.setInline", { enable: !paused });
  server.setPaused(paused);
}

/** The language of the active editor, and whether suggestions are switched off for it. */
export function languageHere(): { readonly id: string; readonly isOff: boolean } | undefined {
  const id = vscode.window.activeTextEditor?.document.languageId;
  return id === undefined ? undefined : { id, isOff: disabledLanguages().includes(id) };
}

/** Switch suggestions for the language of the active editor off, or on again, in the user's settings. */
export async function toggleLanguage(): Promise<void> {
  const here = languageHere();
  if (here === undefined) {
    throw new Error("no editor is open");
  }
  const rest = disabledLanguages().filter((id) => id !== here.id);
  const settings = vscode.workspace.getConfiguration("devstral.inline");
  await settings.update("disabledLanguages", here.isOff ? rest : [...rest, here.id], vscode.ConfigurationTarget.Global);
}

function disabledLanguages(): readonly string[] {
  return vscode.workspace.getConfiguration("devstral.inline").get<string[]>("disabledLanguages") ?? [];
}
