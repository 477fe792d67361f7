/** What the server tells of models that can be fetched, in words. */

/** An entry of `catalog` in `devstral-ls model list --json`. Servers until 0.1 give the name alone. */
export interface Fetchable {
  readonly name: string;
  readonly title?: string;
  /** Bytes. */
  readonly size?: number;
  readonly description?: string;
  readonly licence?: string;
  readonly source?: string;
  readonly sha256?: string | null;
  /** Whether this machine has the memory for it; null where that is unknown. */
  readonly fits?: boolean | null;
  readonly recommended?: boolean;
  /** For tests only: not to be shown. */
  readonly hidden?: boolean;
}

/** The place in the list: what the server recommends is first, what does not fit is last. */
export function rank({ recommended, fits }: Fetchable): number {
  return recommended ? 0 : fits === false ? 2 : 1;
}

/** A model's facts as description and detail of its entry in the list. */
export function described(model: Fetchable): { readonly description?: string; readonly detail?: string } {
  const { title, size, description, licence, source, sha256, fits, recommended } = model;
  const fitting = fits === undefined || fits === null ? undefined : fits ? "fits here" : "does not fit here";
  const short = joined(recommended && "recommended", size && gigabytes(size), fitting);
  const long = joined(title, description, licence, source && `from ${source}`, sha256 && `SHA-256 ${sha256.slice(0, 12)}…`);
  return { ...(short && { description: short }), ...(long && { detail: long }) };
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`;
}

function joined(...parts: readonly unknown[]): string {
  return parts.filter((part) => part).join(" · ");
}
