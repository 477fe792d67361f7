/** The server's life: found, started, watched, started again, stopped; and the situation that the status bar shows. */

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { State, type LanguageClient } from "vscode-languageclient/node";

import { createClient } from "./client";
import { Crashes } from "./crashes";
import { findServer, sameVersion, type Machine } from "./find";
import { needsRestart, serverKeys, userTree, type Inspect, type Key, type Tree } from "./settings";
import { hasModel, type ServerStatus, type Situation } from "./status";

/** Context key: the commands of the server that runs. */
const OFFERED = "devstral.serverCommands";

/** Context key: true when the server has a model. */
const HAS_MODEL = "devstral.hasModel";

/** For the first answer of a server; Python on a busy machine takes seconds. */
const START_TIMEOUT_MS = 60_000;

const HOW_TO_INSTALL = "Click for the ways to install or choose it.";

export class Server implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Situation>();
  readonly onDidChange = this.changed.event;
  situation: Situation = { client: "stopped" };
  /** The command line of the server that was found last. */
  command: readonly string[] = [];

  private client: LanguageClient | undefined;
  private sent: Tree = {};
  private readonly keys: readonly Key[];
  private readonly crashes = new Crashes();
  private timer: NodeJS.Timeout | undefined;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.keys = serverKeys(context.extension.packageJSON);
  }

  get machine(): Machine {
    return {
      platform: process.platform,
      searchPath: process.env["PATH"] ?? "",
      ownEnvironment: path.join(this.context.globalStorageUri.fsPath, "venv"),
      isProgram,
    };
  }

  /** Start it, or start it anew; the user asked, so earlier crashes are forgotten. */
  restart(): Promise<void> {
    this.crashes.forget();
    return this.inTurn(async () => {
      await this.end();
      await this.begin("starting");
    });
  }

  /** Stop it and leave it stopped. */
  stop(): Promise<void> {
    return this.inTurn(async () => {
      await this.end();
      this.set({ client: "stopped" });
    });
  }

  /** The settings have changed: start the server again if they cannot reach a running one. */
  async settingsChanged(change: vscode.ConfigurationChangeEvent): Promise<void> {
    const elsewhere = change.affectsConfiguration("devstral.client");
    if (elsewhere || (this.client !== undefined && needsRestart(this.keys, this.sent, userTree(this.keys, inspect)))) {
      await this.restart();
    }
  }

  /** Ask the server to run one of its commands. Rejects with its error, or if there is no server. */
  async execute(command: string, ...args: unknown[]): Promise<unknown> {
    if (this.client?.state !== State.Running) {
      throw new Error("the server does not run");
    }
    return this.client.sendRequest("workspace/executeCommand", { command, arguments: args });
  }

  /** Converts values of VS Code to the protocol's; `undefined` while no server runs. */
  get converter(): LanguageClient["code2ProtocolConverter"] | undefined {
    return this.client?.state === State.Running ? this.client.code2ProtocolConverter : undefined;
  }

  setPaused(paused: boolean): void {
    this.set({ ...this.situation, paused });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work).catch((error: unknown) => this.log.error(String(error)));
    return this.queue;
  }

  private set(situation: Situation): void {
    this.situation = situation;
    this.changed.fire(situation);
  }

  private async begin(state: "starting" | "restarting"): Promise<void> {
    const found = findServer(configuredCommand(), this.machine);
    if ("missing" in found) {
      this.set({ client: "notFound", message: found.missing, hint: HOW_TO_INSTALL });
      return;
    }
    this.command = found.command;
    this.set({ client: state });
    const folder = this.context.globalStorageUri.fsPath;
    await fs.promises.mkdir(folder, { recursive: true });
    this.sent = userTree(this.keys, inspect);
    const client: LanguageClient = createClient(found.command, folder, this.sent, this.keys, inspect, this.log, {
      onStatus: (server) => client === this.client && this.heard(server),
      onClosed: () => client === this.client && this.crashed(),
    });
    this.client = client;
    try {
      await inTime(client.start());
    } catch (error) {
      this.log.error(`the server did not start: ${error instanceof Error ? error.message : String(error)}`);
      if (client === this.client) {
        this.crashed();
      }
      return;
    }
    const version = client.initializeResult?.serverInfo?.version;
    const expected: string = this.context.extension.packageJSON.version;
    if (!sameVersion(version, expected)) {
      await this.end();
      this.set({
        client: "wrongVersion",
        message: `${found.command[0]} is version ${version ?? "unknown"}, this extension needs ${expected}`,
        hint: HOW_TO_INSTALL,
      });
      return;
    }
    const offered = client.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
    await vscode.commands.executeCommand("setContext", OFFERED, offered);
    this.set({ ...this.situation, client: "running" });
  }

  private heard(server: ServerStatus): void {
    this.set({ ...this.situation, client: "running", server });
    void vscode.commands.executeCommand("setContext", HAS_MODEL, hasModel(server));
  }

  private crashed(): void {
    const client = this.client;
    this.client = undefined;
    void client?.dispose().catch(() => undefined); // it is gone already
    const wait = this.crashes.add();
    if (wait === undefined) {
      this.set({
        client: "crashed",
        message: "The server ended several times within a short while.",
        hint: "Click for its log, or to start it again.",
      });
      return;
    }
    this.set({ client: "restarting" });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.inTurn(() => this.begin("restarting")), wait);
  }

  private async end(): Promise<void> {
    clearTimeout(this.timer);
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose();
    } catch (error) {
      this.log.warn(`stopping the server: ${String(error)}`); // it is ended by its process id, then
    }
  }
}

export const inspect: Inspect = (name) => vscode.workspace.getConfiguration("devstral").inspect(name);

function configuredCommand(): readonly string[] {
  // A value of the wrong type is shown by the settings editor; here it is none.
  const command: unknown = vscode.workspace.getConfiguration("devstral.client").inspect("command")?.globalValue;
  return Array.isArray(command) && command.every((part) => typeof part === "string") ? command : [];
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** `work`, or a rejection when it takes too long. */
async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), START_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
