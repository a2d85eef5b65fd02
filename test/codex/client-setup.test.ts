import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { baseUrlsIn } from "../../src/codex/base-urls.ts";
import { planSetup, setupIn, unsetup } from "../../src/codex/client-setup.ts";
import { tempDirectory } from "../support/temp.ts";

const urlsAt = (port: number) => ({
  openai_base_url: `http://127.0.0.1:${port}/codex`,
  chatgpt_base_url: `http://localhost:${port}/api/`,
});
const OWN = "# mine\nmodel = 'm' # why\nopenai_base_url = 'https://old/v1'\n\n[tui]\ntheme = 'x'";

function homeWith(directory: string, text: string | undefined) {
  const home = join(directory, "codex");
  const path = join(home, "config.toml");
  if (text !== undefined) {
    mkdirSync(home);
    writeFileSync(path, text);
  }
  return { home, path, read: () => readFileSync(path, "utf8") };
}

describe("setup and unsetup of a Codex home", () => {
  test.each([OWN, "", "model = 'm'", "\uFEFF[a]\r\n"])("restore %j byte for byte", (text) => {
    using temp = tempDirectory();
    const { home, path, read } = homeWith(temp.path, text);
    chmodSync(path, 0o644);
    planSetup(home, urlsAt(1)).apply();
    expect(baseUrlsIn(read())).toEqual(urlsAt(1));
    expect(setupIn(home)).toEqual(urlsAt(1));
    expect(readFileSync(join(home, "config.toml.before-codexlb"), "utf8")).toBe(text);
    expect(unsetup(home)).toEqual({ path, kind: "restored", kept: [] });
    expect(read()).toBe(text);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readdirSync(home)).toEqual(["config.toml"]);
    expect(setupIn(home)).toBeUndefined();
    expect(unsetup(home)).toBeUndefined();
  });

  test("leave no file or directory where there was none", () => {
    using temp = tempDirectory();
    const { home, path } = homeWith(temp.path, undefined);
    planSetup(home, urlsAt(1)).apply();
    planSetup(home, urlsAt(2)).apply();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(unsetup(home)?.kind).toBe("removed");
    expect(existsSync(home)).toBe(false);
  });

  test("can be repeated, also for another proxy address", () => {
    using temp = tempDirectory();
    const { home, read } = homeWith(temp.path, OWN);
    planSetup(home, urlsAt(1)).apply();
    const once = read();
    planSetup(home, urlsAt(1)).apply();
    expect(read()).toBe(once);
    planSetup(home, urlsAt(2)).apply();
    expect(baseUrlsIn(read())).toEqual(urlsAt(2));
    unsetup(home);
    expect(read()).toBe(OWN);
  });

  test("keep edits made in between, and restore the former value", () => {
    using temp = tempDirectory();
    const { home, path, read } = homeWith(temp.path, OWN);
    planSetup(home, urlsAt(1)).apply();
    writeFileSync(path, read().replace("'m'", "'n'"));
    planSetup(home, urlsAt(2)).apply();
    writeFileSync(path, `${read()}\n[new]\n`);
    expect(unsetup(home)).toEqual({ path, kind: "edited", kept: [] });
    expect(read()).toBe(`${OWN.replace("'m'", "'n'")}\n[new]\n`);
  });

  test("keep a URL that was changed in between, and report it", () => {
    using temp = tempDirectory();
    const { home, path, read } = homeWith(temp.path, OWN);
    planSetup(home, urlsAt(1)).apply();
    writeFileSync(path, read().replace("http://127.0.0.1:1/codex", "http://mine/"));
    expect(unsetup(home)).toEqual({ path, kind: "edited", kept: ["openai_base_url"] });
    expect(read()).toBe(OWN.replace("'https://old/v1'", '"http://mine/"'));
  });

  test("leave a file from which both URLs have disappeared, and forget the setup", () => {
    using temp = tempDirectory();
    const { home, path, read } = homeWith(temp.path, OWN);
    planSetup(home, urlsAt(1)).apply();
    const changed = read().replaceAll(/http:[^"]*/g, "http://mine/");
    writeFileSync(path, changed);
    expect(unsetup(home)).toEqual({
      path,
      kind: "unchanged",
      kept: ["openai_base_url", "chatgpt_base_url"],
    });
    expect(read()).toBe(changed);
    expect(readdirSync(home)).toEqual(["config.toml"]);
    writeFileSync(path, OWN);
    planSetup(home, urlsAt(1)).apply();
    writeFileSync(path, "model = 'n'\n");
    expect(unsetup(home)).toEqual({ path, kind: "unchanged", kept: [] });
    expect(read()).toBe("model = 'n'\n");
  });

  test("do not touch a file that already had the same URLs, or that was deleted", () => {
    using temp = tempDirectory();
    const { home, path, read } = homeWith(temp.path, OWN);
    const plan = planSetup(home, urlsAt(1));
    writeFileSync(path, plan.after);
    const same = planSetup(home, urlsAt(1));
    same.apply();
    expect(read()).toBe(plan.after);
    expect(readdirSync(home)).toEqual(["config.toml"]);
    writeFileSync(path, OWN);
    planSetup(home, urlsAt(1)).apply();
    Bun.spawnSync(["rm", path]);
    expect(unsetup(home)?.kind).toBe("gone");
    expect(readdirSync(home)).toEqual([]);
  });

  test("follow a link to the file and leave it a link", () => {
    using temp = tempDirectory();
    const { home, path } = homeWith(temp.path, OWN);
    const real = join(temp.path, "dotfiles.toml");
    writeFileSync(real, OWN);
    Bun.spawnSync(["rm", path]);
    symlinkSync(real, path);
    planSetup(home, urlsAt(1)).apply();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(baseUrlsIn(readFileSync(real, "utf8"))).toEqual(urlsAt(1));
    unsetup(home);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, "utf8")).toBe(OWN);
  });

  test("refuse a file with invalid TOML or UTF-8, and change nothing", () => {
    using temp = tempDirectory();
    const { home, path } = homeWith(temp.path, "[half");
    expect(() => planSetup(home, urlsAt(1))).toThrow(`reading ${path}: `);
    writeFileSync(path, Buffer.from([0x23, 0xff, 0x0a]));
    expect(() => planSetup(home, urlsAt(1))).toThrow("not valid UTF-8");
    expect(readdirSync(home)).toEqual(["config.toml"]);
  });
});
