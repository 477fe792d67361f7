/** How often a server that dies is started again. */

/** Milliseconds within which crashes count together. */
const WINDOW_MS = 3 * 60_000;

/** Starts after a crash within the window; the next crash is final until the user says otherwise. */
export const MAX_RESTARTS = 4;

const FIRST_DELAY_MS = 250;

/** Counts crashes of one server. */
export class Crashes {
  private times: number[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** One more: milliseconds to wait before the next start, twice as long each time, or `undefined` to give up. */
  add(): number | undefined {
    const now = this.now();
    this.times = [...this.times.filter((time) => now - time < WINDOW_MS), now];
    return this.times.length > MAX_RESTARTS ? undefined : FIRST_DELAY_MS * 2 ** (this.times.length - 1);
  }

  /** The user wants another try. */
  forget(): void {
    this.times = [];
  }
}
