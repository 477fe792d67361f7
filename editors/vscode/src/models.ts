/** Choosing a model: an installed one, one to fetch, or a file. */

import * as vscode from "vscode";

import { Failed, percentage, run } from "./run";
import type { Server } from "./server";
import { described, gigabytes, rank, type Fetchable } from "./modelFacts";

interface Installed {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly source?: string | null;
}

interface Listed {
  readonly installed: readonly Installed[];
  readonly catalog: readonly (string | Fetchable)[];
}

type Choice = vscode.QuickPickItem & { readonly choose?: () => Promise<string | undefined> };

/** Let the user choose; the choice becomes `devstral.model.name`. */
export async function chooseModel(server: Server, folder: string): Promise<void> {
  const listed: Listed = JSON.parse(await run([...server.command, "model", "list", "--json"], folder));
  const picked = await vscode.window.showQuickPick(choices(listed, server, folder), {
    title: "Devstral: choose a model",
    placeHolder: "A model of this machine, or one to fetch",
    matchOnDescription: true,
  });
  const name = await picked?.choose?.();
  if (name !== undefined) {
    const settings = vscode.workspace.getConfiguration("devstral");
    const before = settings.inspect("model.name")?.globalValue;
    await settings.update("model.name", name === "auto" ? undefined : name, vscode.ConfigurationTarget.Global);
    if (before === (name === "auto" ? undefined : name)) {
      await server.restart(); // the same name, but it is here only now
    }
  }
}

function choices(listed: Listed, server: Server, folder: string): Choice[] {
  const here = new Set(listed.installed.map((model) => model.name));
  const catalog = listed.catalog.map((model) => (typeof model === "string" ? { name: model } : model));
  const fetchable = catalog.filter((model) => !here.has(model.name) && !model.hidden).sort((a, b) => rank(a) - rank(b));
  return [
    { label: "$(wand) auto", description: "the best installed one that fits", choose: () => Promise.resolve("auto") },
    { label: "Installed", kind: vscode.QuickPickItemKind.Separator },
    ...listed.installed.map(({ name, size, source }) => ({
      label: `$(check) ${name}`,
      description: gigabytes(size),
      ...(source ? { detail: source } : {}),
      choose: () => Promise.resolve(name),
    })),
    { label: "To fetch", kind: vscode.QuickPickItemKind.Separator },
    ...fetchable.map((model) => ({
      label: `$(${model.fits === false ? "circle-slash" : "cloud-download"}) ${model.name}`,
      ...described(model),
      choose: () => pull(server, folder, model.name),
    })),
    { label: "Another", kind: vscode.QuickPickItemKind.Separator },
    { label: "$(file) A GGUF file…", choose: chooseFile },
  ];
}

async function pull(server: Server, folder: string, name: string): Promise<string | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title: `Fetching ${name}`, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    let done = 0;
    const onLine = (line: string): void => {
      const now = percentage(line);
      progress.report({ message: now === undefined ? line.slice(0, 120) : `${now} %`, increment: (now ?? done) - done });
      done = now ?? done;
    };
    try {
      await run([...server.command, "model", "pull", name], folder, onLine, token);
      return name;
    } catch (error) {
      if (!(error instanceof Failed) || !token.isCancellationRequested) {
        throw error;
      }
      return undefined;
    }
  });
}

async function chooseFile(): Promise<string | undefined> {
  const [file] = (await vscode.window.showOpenDialog({ filters: { "GGUF models": ["gguf"] }, title: "A model" })) ?? [];
  return file?.fsPath;
}
