/** What the user has set, as the server's settings tree. Defaults are the server's: an untouched setting is not sent. */

export type Tree = Record<string, Record<string, unknown>>;

/** One setting of `contributes.configuration`. */
export interface Key {
  /** Without the leading `devstral.`: `inline.debounceMs`. */
  readonly name: string;
  /** Set by the user only, never by a workspace. */
  readonly userOnly: boolean;
}

/** What `WorkspaceConfiguration.inspect` tells. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

export type Inspect = (name: string) => Inspected | undefined;

interface Manifest {
  readonly contributes: { readonly configuration: readonly { readonly properties: Record<string, { readonly scope?: string }> }[] };
}

/** The server's settings as the manifest lists them; those of this extension alone (`devstral.client`) are left out. */
export function serverKeys(manifest: Manifest): Key[] {
  return manifest.contributes.configuration
    .flatMap((section) => Object.entries(section.properties))
    .filter(([name]) => name.startsWith("devstral.") && !name.startsWith("devstral.client."))
    .map(([name, property]) => ({ name: name.slice("devstral.".length), userOnly: property.scope === "machine" }));
}

/** The user's own values, for `initializationOptions`. */
export function userTree(keys: readonly Key[], inspect: Inspect): Tree {
  return tree(keys, (key) => inspect(key.name)?.globalValue);
}

/** What user and workspace have set of the settings a workspace may set, for `workspace/configuration`. */
export function workspaceTree(keys: readonly Key[], inspect: Inspect): Tree {
  const open = keys.filter((key) => !key.userOnly);
  return tree(open, (key) => {
    const found = inspect(key.name);
    return found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
  });
}

/**
 * True when the server must be started again for `now`.
 *
 * The rest reaches a running one through `workspace/configuration`; user-only values do not, by design, and neither does
 * that a value was taken back.
 */
export function needsRestart(keys: readonly Key[], sent: Tree, now: Tree): boolean {
  return keys.some(({ name, userOnly }) => {
    const [before, after] = [value(sent, name), value(now, name)];
    return JSON.stringify(before) !== JSON.stringify(after) && (userOnly || after === undefined);
  });
}

function tree(keys: readonly Key[], valueOf: (key: Key) => unknown): Tree {
  const made: Tree = {};
  for (const key of keys) {
    const found = valueOf(key);
    if (found !== undefined) {
      const [section, name] = split(key.name);
      (made[section] ??= {})[name] = found;
    }
  }
  return made;
}

function value(from: Tree, dotted: string): unknown {
  const [section, name] = split(dotted);
  return from[section]?.[name];
}

function split(dotted: string): [string, string] {
  const dot = dotted.indexOf(".");
  return [dotted.slice(0, dot), dotted.slice(dot + 1)];
}
