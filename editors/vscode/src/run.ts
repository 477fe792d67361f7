/** Running a program to its end, with its lines as they come. */

import { spawn } from "node:child_process";
import * as readline from "node:readline";
import type { CancellationToken } from "vscode";

/** A program that did not end well; the message is the last line it said. */
export class Failed extends Error {}

/**
 * Run `command` and give its standard output.
 *
 * @param onLine Gets each line of standard error.
 * @throws Failed It could not be started, ended with another code than 0, or was cancelled.
 */
export function run(
  command: readonly string[],
  cwd: string,
  onLine: (line: string) => void = () => undefined,
  token?: CancellationToken,
): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program as string, args, { cwd, stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
    const cancelled = token?.onCancellationRequested(() => child.kill("SIGINT"));
    let output = "";
    let last = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
      last = line.trim() || last;
      onLine(line);
    });
    child.on("error", (error) => reject(new Failed(error.message)));
    child.on("close", (code) => {
      cancelled?.dispose();
      if (code === 0) {
        resolve(output);
      } else {
        reject(new Failed(token?.isCancellationRequested ? "cancelled" : last || `${program} ended with ${code}`));
      }
    });
  });
}

/** The percentage that a line of progress ends with, as `devstral-ls model pull` writes it. */
export function percentage(line: string): number | undefined {
  const found = /\((\d{1,3})%\)\s*$/.exec(line);
  return found ? Number(found[1]) : undefined;
}
