import { describe, expect, test } from "bun:test";
import { withProxyName } from "../../src/state/config-text.ts";
import { parseToml } from "../../src/state/toml.ts";
import { lineFinder, tomlPlaces } from "../../src/state/toml-keys.ts";

describe("a name is inserted into", () => {
  const CASES: [string, string, string][] = [
    ["an empty text", "", '\n[proxy]\nname = "n"\n'],
    [
      "a text without the table",
      'a = 1 # c\n[x]\ny = "z"',
      'a = 1 # c\n[x]\ny = "z"\n\n[proxy]\nname = "n"\n',
    ],
    ["the table", '[proxy]\n# hi\nlisten = "a:1"', '[proxy]\nname = "n"\n# hi\nlisten = "a:1"'],
    ["a table header with a comment", "[ proxy ] # c\nx = 1", '[ proxy ] # c\nname = "n"\nx = 1'],
    ["a blank name", "[proxy]\nname = '  ' # mine\n", '[proxy]\nname = "n" # mine\n'],
    ["a blank name over several lines", '[proxy]\nname = """\n"""\nx = 1', '[proxy]\nname = "n"\nx = 1'],
    ["dotted keys", 'proxy.listen = "a:1"\n[x]', 'proxy.name = "n"\nproxy.listen = "a:1"\n[x]'],
    ["an inline table", 'proxy = { listen = "a:1" }', 'proxy = { name = "n", listen = "a:1" }'],
    ["an empty inline table", "proxy = {}", 'proxy = { name = "n" }'],
    ["a text with Windows' line ends", "[proxy] # c\r\nx = 1\r\n", '[proxy] # c\r\nname = "n"\r\nx = 1\r\n'],
    ["a table that only has tables", "[proxy.deep]\nx = 1\n", '[proxy.deep]\nx = 1\n\n[proxy]\nname = "n"\n'],
    [
      "the table below its table",
      "[proxy.deep]\nx = 1\n[proxy]\ny = 2",
      '[proxy.deep]\nx = 1\n[proxy]\nname = "n"\ny = 2',
    ],
    ["keys in another case", '[Proxy]\nName = ""\n', '[Proxy]\nName = "n"\n'],
    [
      "a text whose strings and lists look like tables",
      'a = """\n[proxy]\nname = ""\n"""\nb = [\n  "[proxy]", # [proxy]\n]\n[proxy]\n',
      'a = """\n[proxy]\nname = ""\n"""\nb = [\n  "[proxy]", # [proxy]\n]\n[proxy]\nname = "n"\n',
    ],
  ];
  for (const [what, text, expected] of CASES)
    test(what, () => {
      expect(withProxyName(text, "n")).toBe(expected);
      const proxy = Object.entries(parseToml(expected)).find(([key]) => key.toLowerCase() === "proxy")?.[1];
      expect(Object.values(proxy as object)).toContain("n");
    });

  test("not if it would change another value", () => {
    for (const text of ["proxy = 3", "[[proxy]]\nx = 1", "[proxy", "[proxy]\nname = 3"])
      expect([text, withProxyName(text, "n")]).toEqual([
        text,
        text.endsWith("name = 3") ? '[proxy]\nname = "n"' : undefined,
      ]);
  });
});

describe("the line of a key is found", () => {
  const text = [
    "# a comment with [proxy] in it",
    'top = "x"',
    "[proxy]",
    "multi = '''",
    "name = 'not here'",
    "'''",
    "list = [ 1, # ] not the end",
    "  2 ]",
    'name = "here"',
    "[policy . weights]",
    '"daily" = 1',
    "[[many]]",
    "x = { a = 1, b = [ { c = 2 } ] }",
  ].join("\n");
  const CASES: [string, number | undefined][] = [
    ["top", 2],
    ["proxy", 3],
    ["proxy.multi", 4],
    ["proxy.list", 7],
    ["proxy.list.1", 7],
    ["proxy.name", 9],
    ["policy.weights.daily", 11],
    ["policy.weights.missing", 10],
    ["many.x", 13],
    ["nowhere", undefined],
  ];
  for (const [path, line] of CASES)
    test(path, () => {
      expect(parseToml(text)).toBeDefined();
      expect(lineFinder(tomlPlaces(text))(path.split("."))).toBe(line);
    });
});
