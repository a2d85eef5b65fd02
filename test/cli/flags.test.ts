import { describe, expect, test } from "bun:test";
import type { ArgsDef } from "citty";
import { durationFlag, integerFlag, parseFlags, SEE_HELP } from "../../src/cli/flags.ts";
import { completionOf, nearest } from "../../src/core/nearest.ts";

const FLAGS: ArgsDef = {
  root: { type: "string" },
  json: { type: "boolean" },
  timeout: { type: "string", default: "3s" },
  tag: { type: "string", valueHint: "TAG,..." },
  wait: {
    type: "string",
    bareValue: "8h",
    looksLikeValue: (word: string) => word === "6h",
  } as ArgsDef[string],
  alias: { type: "positional" },
};

describe("flags", () => {
  const TABLE: [string[], Record<string, unknown>, string[]][] = [
    [[], {}, []],
    [["--json"], { json: true }, []],
    [["-json"], { json: true }, []],
    [["--json=false"], { json: false }, []],
    [["-json=T"], { json: true }, []],
    [["--json", "true"], { json: true }, ["true"]],
    [["--root", "x"], { root: "x" }, []],
    [["-root=x=y"], { root: "x=y" }, []],
    [["--root="], { root: "" }, []],
    [["--root", "--json"], { root: "--json" }, []],
    [["--root", "a", "--root", "b"], { root: "b" }, []],
    [["--wait", "word"], { wait: "8h" }, ["word"]],
    [["--wait=2h", "word"], { wait: "2h" }, ["word"]],
    [["--wait=2h", "6h"], { wait: "2h" }, ["6h"]],
    [["--wait", "--", "6h"], { wait: "8h" }, ["6h"]],
    [["--wait"], { wait: "8h" }, []],
    [["--tag", "a", "-tag=b,c", "--tag", "d"], { tag: "a,b,c,d" }, []],
    [["--json", "word", "--root", "x"], { json: true, root: "x" }, ["word"]],
    [["a", "--json", "b", "--root=x", "c"], { json: true, root: "x" }, ["a", "b", "c"]],
    [["word", "--root", "x", "--", "--json"], { root: "x" }, ["word", "--json"]],
    [["--", "--json"], {}, ["--json"]],
    [["--json", "--", "--", "x"], { json: true }, ["--", "x"]],
    [["-"], {}, ["-"]],
  ];
  for (const [argv, values, rest] of TABLE)
    test(`${JSON.stringify(argv)}`, () => {
      expect(parseFlags(FLAGS, argv)).toEqual({
        values: { timeout: "3s", ...values } as Record<string, string>,
        rest,
        help: false,
      });
    });

  for (const word of ["-h", "--help", "-help"])
    test(`${word} requests help anywhere before --`, () => {
      expect(parseFlags(FLAGS, ["--json", word]).help).toBe(true);
      expect(parseFlags(FLAGS, [word, "--bogus"]).help).toBe(true);
      expect(parseFlags(FLAGS, ["--json", "x", word]).help).toBe(true);
      expect(parseFlags(FLAGS, ["--", word]).help).toBe(false);
    });

  test("of another program end the flags of a command that passes all of them on", () => {
    expect(parseFlags(FLAGS, ["--root", "x", "-m", "model", "--json"], "from_first_word")).toMatchObject({
      values: { root: "x" },
      rest: ["-m", "model", "--json"],
    });
    expect(parseFlags(FLAGS, ["exec", "--json"], "from_first_word")).toMatchObject({
      rest: ["exec", "--json"],
    });
  });

  test("of another program follow the first word of a command that has flags of its own there", () => {
    const read = (...argv: string[]) => parseFlags(FLAGS, argv, "after_first_word");
    expect(read("work", "--device-auth", "--root", "x")).toMatchObject({
      values: { root: "x" },
      rest: ["work", "--device-auth"],
    });
    expect(read("work", "--", "--root", "x")).toMatchObject({ rest: ["work", "--root", "x"] });
    expect(() => read("--device-auth", "work")).toThrow("unknown flag --device-auth");
  });

  const BAD: [string[], string, string][] = [
    [["--jsno"], "unknown flag --jsno", "did you mean --json?"],
    [["word", "--jsno"], "unknown flag --jsno", "did you mean --json?"],
    [["--zzzzzz"], "unknown flag --zzzzzz", SEE_HELP],
    [["--alias", "x"], "unknown flag --alias", SEE_HELP],
    [["--root"], "flag --root needs a value", SEE_HELP],
    [["--json=perhaps"], 'flag --json: "perhaps" is neither true nor false', SEE_HELP],
  ];
  for (const [argv, message, next] of BAD)
    test(`${JSON.stringify(argv)} is refused`, () => {
      try {
        parseFlags(FLAGS, argv);
        throw new Error("accepted");
      } catch (error) {
        expect(error).toMatchObject({ code: "usage", message, exitCode: 2 });
        expect((error as { next?: string }).next).toBe(next);
      }
    });
});

test("a word that is probably the value of the flag before it is refused", () => {
  expect(() => parseFlags(FLAGS, ["--wait", "6h", "exec"], "from_first_word")).toThrow(
    expect.objectContaining({
      code: "usage",
      message: 'flag --wait: its value "6h" must follow an equals sign',
      next: "write --wait=6h; to pass 6h on as an argument, write --wait -- 6h",
    }),
  );
});

test("durations have the syntax of Go, with days and weeks", () => {
  for (const [text, ms] of [
    ["3s", 3000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["500ms", 500],
    ["2d", 172_800_000],
    ["1d12h", 129_600_000],
    ["1w", 604_800_000],
    ["1.5s", 1500],
    ["0", 0],
    ["+3s", 3000],
    ["-1s", 0],
    ["-0", 0],
  ] as const)
    expect(durationFlag(text, "t")).toBe(ms);
  for (const text of ["3", "", "s", "3 s", "2 days", "+-1s", "3s!"])
    expect(() => durationFlag(text, "t")).toThrow("is not a duration");
});

test("whole numbers are whole", () => {
  expect(integerFlag(undefined, "n")).toBeUndefined();
  expect(integerFlag("-3", "n")).toBe(-3);
  for (const text of ["", "1.5", "x", "1e3"])
    expect(() => integerFlag(text, "n")).toThrow("is not a whole number");
  expect(() => integerFlag("99999999999999999999", "n")).toThrow("99999999999999999999 is too large");
});

test("the nearest word is found, if one is near", () => {
  expect(nearest("stauts", ["status", "proxy"])).toBe("status");
  expect(nearest("q", ["status", "proxy"])).toBeUndefined();
});

test("a word is completed, if only one known word begins with it", () => {
  const known = ["proxy.upstream_base_url", "proxy.allowed_hosts", "proxy.allowed_paths"];
  expect(completionOf("proxy.upstream", known)).toBe("proxy.upstream_base_url");
  for (const word of ["proxy.allowed", "proxy.up", "proxy.listen"])
    expect(completionOf(word, known)).toBeUndefined();
});
