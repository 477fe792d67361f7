/** The answer to `devstral.why` in words. */

/** The body of `devstral.why`, as far as it is shown. */
export interface Trace {
  /** The reason code. */
  readonly reason: string;
  /** The reason in plain words, and what the user can do about it; newer servers only. */
  readonly sentence?: string | null;
  readonly hint?: string | null;
  readonly layout?: string | null;
  readonly model?: string | null;
  /** Milliseconds, by the name of the stage. */
  readonly stages?: Readonly<Record<string, number>>;
}

export interface Explained {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly details: readonly { readonly label: string; readonly description?: string }[];
}

/** What to show: the server's sentence, or else its code, then what to do, then the details. */
export function explained(trace: Trace | null): Explained {
  if (trace === null) {
    return { label: "nothing was asked here yet", details: [] };
  }
  const facts = [trace.sentence && trace.reason, trace.model, trace.layout].filter((fact) => fact).join(", ");
  const stages = Object.entries(trace.stages ?? {}).map(([label, ms]) => ({ label, description: `${ms} ms` }));
  return {
    label: trace.sentence ?? trace.reason,
    hint: trace.hint ?? undefined,
    details: [...(facts ? [{ label: facts }] : []), ...stages],
  };
}
