import assert from "node:assert/strict";
import { test } from "node:test";

import { findServer, sameVersion, type Machine } from "../src/find";

function machine(...programs: string[]): Machine {
  return {
    platform: "linux",
    searchPath: "relative:.::/usr/bin:/opt/bin",
    ownEnvironment: "/own",
    isProgram: (file) => programs.includes(file),
  };
}

const OWN = "/own/bin/devstral-ls";
const ON_PATH = "/opt/bin/devstral-ls";

test("the setting is before the own environment, that before the PATH", () => {
  assert.deepEqual(findServer(["/x/py", "-m", "devstral_ls"], machine("/x/py", OWN)), { command: ["/x/py", "-m", "devstral_ls"] });
  assert.deepEqual(findServer([], machine(OWN, ON_PATH)), { command: [OWN] });
  assert.deepEqual(findServer([], machine(ON_PATH)), { command: [ON_PATH] });
  assert.deepEqual(findServer(["devstral-ls"], machine(ON_PATH)), { command: [ON_PATH] });
});

test("nothing relative is run", () => {
  const here = machine("relative/devstral-ls", "./devstral-ls", "devstral-ls", "bin/devstral-ls");
  assert.ok("missing" in findServer([], here));
  assert.ok("missing" in findServer(["./devstral-ls"], here));
  assert.ok("missing" in findServer(["bin/devstral-ls"], here));
});

test("a setting that names no program is not passed over", () => {
  const found = findServer(["/x/gone"], machine(OWN));
  assert.ok("missing" in found && found.missing.includes("/x/gone"));
});

test("patches of a version go together, the rest does not", () => {
  assert.ok(sameVersion("0.1.7", "0.1.0"));
  assert.ok(!sameVersion("0.2.0", "0.1.0"));
  assert.ok(!sameVersion(undefined, "0.1.0"));
});
