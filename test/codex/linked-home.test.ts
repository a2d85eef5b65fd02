import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { linkOwnHome, ownHomeOf } from "../../src/codex/linked-home.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

/** The user's home with the files of `texts`, and the path of the home that is linked to it. */
function homes(temp: TempDirectory, texts: Record<string, string>): { own: string; linked: string } {
  const own = join(temp.path, "own");
  mkdirSync(own);
  for (const [name, text] of Object.entries(texts)) {
    mkdirSync(join(own, name, ".."), { recursive: true });
    writeFileSync(join(own, name), text);
  }
  return { own, linked: join(temp.path, "linked") };
}

const linksIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => lstatSync(join(directory, name)).isSymbolicLink())
    .sort();

describe("the home linked to the user's", () => {
  test("has the user's instructions, skills and threads", () => {
    using temp = tempDirectory();
    const { own, linked } = homes(temp, {
      "AGENTS.md": "mine",
      "prompts/review.md": "review",
      "sessions/2026/a.jsonl": "thread",
      "mine.md": "any other file",
    });
    linkOwnHome(own, linked);
    for (const name of ["AGENTS.md", "prompts/review.md", "sessions/2026/a.jsonl", "mine.md"])
      expect(readFileSync(join(linked, name), "utf8")).toBe(readFileSync(join(own, name), "utf8"));
    writeFileSync(join(linked, "history.jsonl"), "typed\n");
    expect(readFileSync(join(own, "history.jsonl"), "utf8")).toBe("typed\n");
    expect(ownHomeOf(linked)).toBe(own);
    expect(ownHomeOf(own)).toBeUndefined();
  });

  test("has no login, no settings, no databases, and nothing of the background server", async () => {
    using temp = tempDirectory();
    const names = [
      ...["auth.json", "auth.json.bak", "config.toml", "work.config.toml", "managed_config.toml"],
      ...["state_5.sqlite", "state_5.sqlite-wal", "state_9.sqlite-shm", "models_cache.json"],
      ...["gateway_oauth.json", "cloud-config-bundle-cache.json", ".codexlb-taken-over.toml"],
      ...[
        "app-server-control/x",
        "app-server-daemon/x",
        "packages/x",
        "tmp/x",
        ".tmp/x",
        "cache/x",
        "secrets/x",
      ],
    ];
    const { own, linked } = homes(temp, Object.fromEntries(names.map((name) => [name, "x"])));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(own, "control.sock"), resolve));
    linkOwnHome(own, linked);
    server.close();
    expect(linksIn(linked)).toEqual([
      ".credentials.json",
      "archived_sessions",
      "history.jsonl",
      "installation_id",
      "mcp-oauth-locks",
      "memories",
      "rules",
      "session_index.jsonl",
      "session_index.jsonl.lock",
      "sessions",
      "shell_snapshots",
      "skills",
      "thread-writer-locks",
    ]);
    expect(readdirSync(linked).sort()).toEqual(linksIn(linked));
  });

  test("keeps what is there, and follows the user's home when it changes", () => {
    using temp = tempDirectory();
    const { own, linked } = homes(temp, { "AGENTS.md": "mine", "plugins/one/a": "a" });
    mkdirSync(linked);
    writeFileSync(join(linked, "AGENTS.md"), "other");
    symlinkSync("/nonexistent", join(linked, "elsewhere"));
    linkOwnHome(own, linked);
    expect(readFileSync(join(linked, "AGENTS.md"), "utf8")).toBe("other");
    expect(readFileSync(join(own, "AGENTS.md"), "utf8")).toBe("mine");
    rmSync(join(own, "plugins"), { recursive: true });
    writeFileSync(join(own, "new.md"), "new");
    linkOwnHome(own, linked);
    expect(linksIn(linked)).not.toContain("plugins");
    expect(readFileSync(join(linked, "new.md"), "utf8")).toBe("new");
    expect(readlinkSync(join(linked, "elsewhere"))).toBe("/nonexistent");
  });

  test("leaves the user's home as it is, but for empty directories that Codex creates", () => {
    using temp = tempDirectory();
    const { own, linked } = homes(temp, { "AGENTS.md": "mine" });
    symlinkSync("/nonexistent", join(own, "skills"));
    linkOwnHome(own, linked);
    linkOwnHome(own, linked);
    expect(readlinkSync(join(own, "skills"))).toBe("/nonexistent");
    expect(readdirSync(own, { recursive: true }).sort()).toEqual([
      "AGENTS.md",
      "archived_sessions",
      "mcp-oauth-locks",
      "memories",
      "rules",
      "sessions",
      "shell_snapshots",
      "skills",
      "thread-writer-locks",
    ]);
  });

  test("can be inside the user's home, and the user's home can be missing", () => {
    using temp = tempDirectory();
    const own = join(temp.path, "missing", ".codex");
    const linked = join(own, "root", "codex-home");
    linkOwnHome(own, linked);
    expect(linksIn(linked)).not.toContain("root");
    expect(existsSync(join(own, "sessions"))).toBe(true);
  });

  test("is refused if the user's home is not a directory", () => {
    using temp = tempDirectory();
    const own = join(temp.path, "file");
    writeFileSync(own, "");
    expect(() => linkOwnHome(own, join(temp.path, "linked"))).toThrow(`using the Codex home ${own}: `);
  });
});
