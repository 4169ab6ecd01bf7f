import { assertEquals, assertStringIncludes } from "@std/assert";
import { runCommand, UserError } from "../../cli/errors.ts";

/** Runs a command and gives what it reported and its exit code, leaving that of the test's process alone. */
async function run(main: () => Promise<number | void> | number | void, debug = false) {
  const reports: string[] = [];
  const before = Deno.exitCode;
  try {
    const exitCode = await runCommand(main, { report: (message) => reports.push(message), debug });
    assertEquals(Deno.exitCode, exitCode);
    return { exitCode, reports };
  } finally {
    Deno.exitCode = before;
  }
}

Deno.test("runCommand exits with 0 or what the command returns", async () => {
  assertEquals(await run(() => {}), { exitCode: 0, reports: [] });
  assertEquals(await run(() => Promise.resolve(3)), { exitCode: 3, reports: [] });
});

Deno.test("runCommand reports a UserError without a stack", async () => {
  const main = () => Promise.reject(new UserError("run.yaml: there is no such file", { exitCode: 2 }));
  assertEquals(await run(main), { exitCode: 2, reports: ["error: run.yaml: there is no such file"] });
});

Deno.test("runCommand reports any other error without a stack, synchronous or not", async () => {
  const main = () => {
    throw new RangeError("matmul: inner sizes 8 and 9 differ");
  };
  assertEquals(await run(main), { exitCode: 1, reports: ["error: matmul: inner sizes 8 and 9 differ"] });
});

Deno.test("runCommand reports errors without a message and things that are no errors", async () => {
  assertEquals((await run(() => Promise.reject(new TypeError()))).reports, ["error: TypeError"]);
  assertEquals((await run(() => Promise.reject("lost"))).reports, ["error: lost"]);
});

Deno.test("runCommand shows stacks and causes when debugging", async () => {
  const cause = new Error("the cause");
  const { reports: [report = ""] } = await run(() => Promise.reject(new UserError("outer", { cause })), true);
  assertStringIncludes(report, "UserError: outer");
  assertStringIncludes(report, "errors_test.ts");
  assertStringIncludes(report, "caused by: Error: the cause");
});
