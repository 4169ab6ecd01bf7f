import { assertEquals } from "@std/assert";
import { textTable } from "../../cli/text_table.ts";

const table = { columns: ["name", "a", "long"], rows: [["x", "100", "1"], ["longer", "2", "–"]] };

Deno.test("textTable lines columns up", () => {
  assertEquals(textTable(table), ["name      a  long", "x       100     1", "longer    2     –"].join("\n"));
});

Deno.test("textTable leaves out the last columns where they don't fit, but never the first", () => {
  assertEquals(textTable(table, { width: 16 }).split("\n")[0], "name      a");
  assertEquals(textTable(table, { width: 17 }).split("\n")[0], "name      a  long");
  assertEquals(textTable(table, { width: 2 }).split("\n")[2], "longer");
});
