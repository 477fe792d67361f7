/** Where the server's program is: the user's setting, the environment made by this extension, or the PATH. */

import * as path from "node:path";

export interface Machine {
  readonly platform: NodeJS.Platform;
  /** The variable PATH. */
  readonly searchPath: string;
  /** The folder of the environment that this extension makes. */
  readonly ownEnvironment: string;
  isProgram(file: string): boolean;
}

export type Found = { readonly command: readonly string[] } | { readonly missing: string };

/** The program `name` of a Python environment in `folder`. */
export function programOf(folder: string, name: string, platform: NodeJS.Platform): string {
  return platform === "win32" ? path.join(folder, "Scripts", `${name}.exe`) : path.join(folder, "bin", name);
}

/**
 * The command line that starts the server.
 *
 * Nothing of the workspace is looked at, and neither are relative entries of PATH: a repository must not bring its own.
 */
export function findServer(configured: readonly string[], machine: Machine): Found {
  const [first] = configured;
  if (first !== undefined) {
    const found = path.isAbsolute(first) ? first : onPath(first, machine);
    return found !== undefined && machine.isProgram(found)
      ? { command: [found, ...configured.slice(1)] }
      : { missing: `devstral.client.command: ${first} is not a program` };
  }
  const own = programOf(machine.ownEnvironment, "devstral-ls", machine.platform);
  const found = machine.isProgram(own) ? own : onPath("devstral-ls", machine);
  return found === undefined ? { missing: "devstral-ls was not found" } : { command: [found] };
}

/** The first program called `name` on the PATH. */
export function onPath(name: string, machine: Machine): string | undefined {
  if (name.includes("/") || name.includes("\\")) {
    return undefined;
  }
  const [separator, ending] = machine.platform === "win32" ? [";", ".exe"] : [":", ""];
  return machine.searchPath
    .split(separator)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name.endsWith(ending) ? name : name + ending))
    .find((file) => machine.isProgram(file));
}

/** True when server and client have the same version; patch levels may differ. */
export function sameVersion(server: string | undefined, client: string): boolean {
  const [a, b] = [server ?? "", client].map((version) => version.split(".").slice(0, 2).join("."));
  return a === b;
}
