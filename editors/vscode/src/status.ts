/** The state of server and engine in words: what the status bar shows. */

/** The body of `devstral/status`; its states are described in `docs/lsp-extensions.md`. */
export interface ServerStatus {
  readonly state: string;
  readonly model?: string | null;
  readonly engine?: string | null;
  readonly message?: string | null;
  readonly hint?: string | null;
  readonly progress?: number;
  readonly latencyMs?: { readonly p50: number; readonly p90: number };
}

/** What only the client can know: there is no server to say it. */
export type ClientState = "starting" | "running" | "restarting" | "notFound" | "wrongVersion" | "crashed" | "stopped";

export interface Situation {
  readonly client: ClientState;
  /** One line about `client`. */
  readonly message?: string;
  readonly hint?: string;
  readonly server?: ServerStatus;
  /** Automatic suggestions are switched off for this session. */
  readonly paused?: boolean;
}

export interface Shown {
  readonly text: string;
  /** Lines, the first one a title. */
  readonly tooltip: readonly string[];
  readonly severity: "none" | "warning" | "error";
}

type Look = readonly [icon: string, words: string, severity: Shown["severity"]];

const CLIENT: Record<Exclude<ClientState, "running">, Look> = {
  starting: ["loading~spin", "starting", "none"],
  restarting: ["loading~spin", "server restarts", "warning"],
  notFound: ["circle-slash", "not installed", "warning"],
  wrongVersion: ["warning", "wrong version", "warning"],
  crashed: ["error", "server crashed", "error"],
  stopped: ["circle-slash", "stopped", "none"],
};

const SERVER: Record<string, Look> = {
  absent: ["circle-slash", "no model", "warning"],
  starting: ["loading~spin", "engine starts", "none"],
  loading: ["loading~spin", "loading", "none"],
  calibrating: ["dashboard", "calibrating", "none"],
  ready: ["sparkle", "", "none"],
  generating: ["sync~spin", "", "none"],
  slow: ["watch", "slow: by key only", "none"],
  lost: ["debug-disconnect", "engine lost", "warning"],
  failed: ["error", "failed", "error"],
};

const DOWNLOADING: Look = ["cloud-download", "downloading", "none"];

/** While a model is downloaded there is none yet, and the status tells how far it is. */
export function hasModel(status: ServerStatus): boolean {
  return Boolean(status.model) && status.state !== "absent";
}

/** What to show in `situation`. */
export function shown(situation: Situation): Shown {
  if (situation.client !== "running") {
    const look = CLIENT[situation.client];
    return { text: label(look, []), severity: look[2], tooltip: lines(look[1], situation.message, situation.hint) };
  }
  const status = situation.server;
  if (status === undefined) {
    return { text: label(CLIENT.starting, []), severity: "none", tooltip: lines("starting") };
  }
  // A server newer than this client may know states of its own.
  const downloads = status.state === "absent" && status.progress !== undefined;
  const look = downloads ? DOWNLOADING : (SERVER[status.state] ?? ["question", status.state, "none"]);
  const paused = situation.paused === true && look[2] === "none";
  const details = [
    status.model,
    status.progress === undefined ? undefined : `${Math.round(100 * status.progress)} %`,
    status.latencyMs && !paused ? `${status.latencyMs.p50} ms` : undefined,
  ];
  return {
    text: label(paused ? ["debug-pause", "paused", "none"] : look, details),
    severity: look[2],
    tooltip: lines(
      paused ? "paused" : downloads ? "downloading" : status.state,
      status.model && `Model: ${status.model}`,
      status.engine && `Engine: ${status.engine}`,
      status.latencyMs && `Answers: ${status.latencyMs.p50} ms in the middle, 9 of 10 within ${status.latencyMs.p90} ms`,
      status.message,
      status.hint,
    ),
  };
}

function label([icon, words]: Look, details: readonly (string | null | undefined)[]): string {
  const said = [words, ...details].filter((part) => part);
  return `$(${icon}) ${["Devstral", ...said].join(" · ")}`;
}

function lines(state: string, ...rest: readonly (string | null | undefined)[]): string[] {
  return [`Devstral: ${state}`, ...rest.filter((line): line is string => Boolean(line))];
}
