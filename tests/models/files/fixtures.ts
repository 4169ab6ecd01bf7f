/** Fixture files of this project. */
const root = new URL("../../fixtures/", import.meta.url);

export function fixturePath(path: string): string {
  return new URL(path, root).pathname;
}

export async function readFixture(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(fixturePath(path)));
}
