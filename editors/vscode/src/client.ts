/** The conversation with one server process: what vscode-languageclient does, made quiet and given to our handlers. */

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  ResponseError,
  RevealOutputChannelOn,
  TransportKind,
  type LanguageClientOptions,
  type Middleware,
  type StaticFeature,
} from "vscode-languageclient/node";

import { TellsDiagnostics } from "./diagnostics";
import { OneUndo } from "./oneUndo";
import { whilePreviewed } from "./preview";
import { workspaceTree, type Inspect, type Key, type Tree } from "./settings";
import type { ServerStatus } from "./status";

const RUN_ACTION = "devstral.runAction";

/** The action that comes without an instruction, for us to ask. */
const NEEDS_INSTRUCTION = "rewrite";

/** URI schemes of what people write; output panels, diffs and the like are not among them. */
const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];

export interface Callbacks {
  onStatus(status: ServerStatus): void;
  /** The connection has ended by accident. */
  onClosed(): void;
}

/** Failures are for the log and the status bar: the library would show a message for each. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
  }
}

/** A client for the server that `command` starts; it does not run yet. */
export function createClient(
  command: readonly string[],
  cwd: string,
  options: Tree,
  keys: readonly Key[],
  inspect: Inspect,
  log: vscode.LogOutputChannel,
  callbacks: Callbacks,
): LanguageClient {
  const undo = new OneUndo();
  const middleware: Middleware = {
    executeCommand: async (name, args, next) => {
      if (name !== RUN_ACTION) {
        return next(name, args);
      }
      const asked = await withInstruction(args);
      return asked && undo.during(() => Promise.resolve(next(name, asked)));
    },
    workspace: {
      configuration: (params) =>
        params.items.map((item) => (item.section === "devstral" ? workspaceTree(keys, inspect) : null)),
      handleApplyEdit: (params, next) =>
        undo.apply(
          params,
          () => client.protocol2CodeConverter.asWorkspaceEdit(params.edit),
          async () => {
            const answer = await whilePreviewed(params, async () => next(params, new vscode.CancellationTokenSource().token));
            return answer instanceof ResponseError ? { applied: false, failureReason: answer.message } : answer;
          },
        ),
    },
  };
  const clientOptions: LanguageClientOptions = {
    documentSelector: SCHEMES.map((scheme) => ({ scheme })),
    initializationOptions: options,
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationFailedHandler: () => false,
    errorHandler: {
      error: (_error, _message, count) => ({
        action: (count ?? 0) <= 3 ? ErrorAction.Continue : ErrorAction.Shutdown,
        handled: true,
      }),
      closed: () => {
        callbacks.onClosed();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
    middleware,
  };
  const [program, ...args] = command;
  const client = new QuietClient(
    "devstral",
    "Devstral",
    { command: program as string, args, transport: TransportKind.stdio, options: { cwd } },
    clientOptions,
  );
  client.registerFeature(ASKS_INSTRUCTION);
  client.registerFeature(new TellsDiagnostics(client, SCHEMES));
  client.onNotification("devstral/status", (status: ServerStatus) => callbacks.onStatus(status));
  return client;
}

/** Says that we ask the user for an instruction where an action needs one. */
const ASKS_INSTRUCTION: StaticFeature = {
  getState: () => ({ kind: "static" }),
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental, devstral: { asksInstruction: true } };
  },
  initialize: () => undefined,
  clear: () => undefined,
};

/** The arguments of an action, completed by what only the user can say; `undefined` if they do not want it after all. */
async function withInstruction(args: readonly unknown[]): Promise<unknown[] | undefined> {
  const [request, ...rest] = args as readonly { readonly action?: unknown; readonly instruction?: unknown }[];
  if (request?.action !== NEEDS_INSTRUCTION || request.instruction) {
    return [...args];
  }
  const instruction = await vscode.window.showInputBox({
    title: "Devstral",
    prompt: "What should be done with this code?",
    ignoreFocusOut: true,
  });
  return instruction ? [{ ...request, instruction }, ...rest] : undefined;
}
