// Drives a browser for test_vscode.py. Each line of standard input is a call of Playwright's page, with its arguments:
//   {"call": "keyboard.type", "args": ["ret", {"delay": 60}]}  ->  {"value": ...} or {"error": "..."}
// usage: node driver.mjs PLAYWRIGHT CHROMIUM
import { createRequire } from "node:module";
import readline from "node:readline";

const [, , playwright, program] = process.argv;
const { chromium } = createRequire(`${playwright}/x.js`)("playwright-core");

const browser = await chromium.launch({
  executablePath: program,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
let page = await open();

async function open() {
  const opened = await browser.newPage({ viewport: { width: 1000, height: 560 } });
  opened.setDefaultTimeout(30_000);
  // No other host is ever asked for anything.
  await opened.route("**/*", (route) => {
    const { protocol, hostname } = new URL(route.request().url());
    return protocol.startsWith("http") && hostname !== "127.0.0.1" ? route.abort() : route.continue();
  });
  return opened;
}

const own = {
  reopen: async () => {
    await page.close();
    page = await open();
  },
  // The first moment, in seconds since the epoch, at which ghost text stands in the page.
  armGhost: () =>
    page.evaluate(() => {
      window.ghostAt = new Promise((resolve) => {
        const look = () => {
          if (document.querySelector(".ghost-text-decoration, .ghost-text-decoration-preview")) {
            observer.disconnect();
            resolve(Date.now() / 1000);
          }
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true });
      });
    }),
  // Milliseconds from the first key to the last, and from the last to the moment at which `text` stands in the editor.
  armTyping: (text) =>
    page.evaluate((text) => {
      let first, last;
      const key = () => ((first ??= performance.now()), (last = performance.now()));
      document.addEventListener("keydown", key, true);
      window.typed = new Promise((resolve) => {
        const look = () => {
          if (document.querySelector(".view-lines").textContent.replaceAll("\u00a0", " ").includes(text)) {
            document.removeEventListener("keydown", key, true);
            resolve([last - first, performance.now() - last]);
          } else {
            requestAnimationFrame(look);
          }
        };
        look();
      });
    }, text),
  typed: () => page.evaluate(() => window.typed),
  // Keys leave here on time, whether or not the page has answered for the ones before.
  typeEvery: async (text, ms) => {
    const sent = [];
    for (const key of text) {
      const start = performance.now();
      sent.push(page.keyboard.press(key === " " ? "Space" : key));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - (performance.now() - start))));
    }
    await Promise.all(sent);
  },
  ghostAt: () => page.evaluate(() => window.ghostAt),
  evaluate: (source) => page.evaluate(source),
  waitForFunction: async (source, timeout) => {
    await page.waitForFunction(source, undefined, { timeout });
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  let answer;
  try {
    if (own[call]) {
      answer = { value: (await own[call](...args)) ?? null };
    } else {
      const parts = call.split(".");
      const method = parts.pop();
      const target = parts.reduce((object, name) => object[name], page);
      const value = await target[method](...args);
      answer = { value: ["string", "number", "boolean"].includes(typeof value) ? value : null };
    }
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
