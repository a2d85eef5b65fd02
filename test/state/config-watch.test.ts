import { describe, expect, test } from "bun:test";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConfigChange, createLiveConfig } from "../../src/state/config-watch.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";

function watch(text: string, flags = {}, env: Record<string, string> = {}) {
  const temp = tempDirectory();
  const path = join(temp.path, "config.toml");
  const clock = fakeClock();
  const warnings: string[] = [];
  const changes: ConfigChange[] = [];
  const failures: string[] = [];
  writeFileSync(path, text);
  const log = { info: () => {}, warn: (line: string) => void warnings.push(line) };
  const live = createLiveConfig({ deps: { clock, env, log }, path, text, flags, fallbackName: "spare" });
  live.start({
    changed: (change) => void changes.push(change),
    failed: (error) => void failures.push(error),
    mended: () => void failures.push("mended"),
  });
  return {
    live,
    path,
    warnings,
    changes,
    failures,
    write: (next: string) => writeFileSync(path, next),
    /** Lets the watcher read the file, and read it again as it does after a change. */
    look: () => clock.advance(1_100),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

const STICKY = '[policy]\nmode = "sticky"\n';
const ROUND = '[policy]\nmode = "round_robin"\n';

describe("the settings of a running proxy", () => {
  test("follow the file within a second, however it is saved, and report the changes", () => {
    using w = watch(STICKY);
    w.write(ROUND);
    w.look();
    expect(w.live.current().policy.mode).toBe("round_robin");
    expect(w.changes.map(({ keys }) => keys)).toEqual([["policy.mode"]]);
    writeFileSync(`${w.path}.new`, STICKY);
    renameSync(`${w.path}.new`, w.path);
    w.look();
    expect(w.live.current().policy.mode).toBe("sticky");
    w.look();
    expect(w.changes.length).toBe(2);
  });

  test("are unchanged if the file is too large", () => {
    using w = watch(STICKY);
    w.write(`${ROUND}${"# padding\n".repeat(10_000)}`);
    for (let count = 0; count < 3; count++) w.look();
    expect(w.live.current().policy.mode).toBe("sticky");
    expect(w.failures).toEqual([`reading ${w.path}: it is too large (100030 bytes; the limit is 65536)`]);
    w.write(ROUND);
    w.look();
    expect(w.live.current().policy.mode).toBe("round_robin");
  });

  test("are unchanged while the file is empty, missing, broken or invalid; each reason is reported once", () => {
    using w = watch(STICKY);
    for (const text of ["", "\n \n", "[policy", '[policy]\nmode = "stcky"\n']) {
      w.write(text);
      for (let count = 0; count < 3; count++) w.look();
      expect(w.live.current().policy.mode).toBe("sticky");
    }
    rmSync(w.path);
    w.look();
    expect(w.changes).toEqual([]);
    expect(w.failures.map((line) => line.replaceAll(w.path, "config.toml"))).toEqual([
      "config.toml is empty",
      expect.stringContaining("not valid TOML: line 1"),
      'reading config.toml: line 2: policy.mode: "stcky" is not a policy; allowed: usage_balanced, sticky, round_robin, least_in_flight, reset_aware',
      "config.toml does not exist",
    ]);
    // The file has its former text again: nothing changes, and the next failure is reported again.
    w.write(STICKY);
    w.look();
    w.write("");
    w.look();
    expect(w.failures.slice(4)).toEqual(["mended", expect.stringContaining("is empty")]);
    w.write(ROUND);
    w.look();
    expect(w.live.current().policy.mode).toBe("round_robin");
  });

  test("are not taken from a file that is still being written", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "config.toml");
    const clock = fakeClock();
    writeFileSync(path, STICKY);
    const log = { info: () => {}, warn: () => {} };
    const live = createLiveConfig({
      deps: { clock, env: {}, log },
      path,
      text: STICKY,
      flags: {},
      fallbackName: "spare",
    });
    const seen: string[] = [];
    live.start({
      changed: ({ after }) => void seen.push(after.policy.mode),
      failed: () => {},
      mended: () => {},
    });
    writeFileSync(path, "[policy]\n");
    clock.advance(1_010); // seen, and read again in a moment
    writeFileSync(path, ROUND);
    clock.advance(100);
    expect(seen).toEqual([]);
    clock.advance(1_100);
    expect(seen).toEqual(["round_robin"]);
  });

  test("that need a restart are reported but not changed; flags and environment still override the file", () => {
    using w = watch(STICKY, { maxAttempts: 7 }, { CODEXLB_PROXY_NAME: "edge" });
    w.write('[proxy]\nname = "file"\nlisten = "127.0.0.1:9999"\nmax_attempts = 2\nusage_timeout_ms = 5\n');
    w.look();
    const { proxy, policy } = w.live.current();
    expect(proxy).toMatchObject({
      name: "edge",
      listen: "127.0.0.1:8765",
      max_attempts: 7,
      usage_timeout_ms: 5,
    });
    expect(policy.mode).toBe("usage_balanced");
    expect(w.changes[0]).toMatchObject({
      keys: ["proxy.usage_timeout_ms", "policy.mode"],
      restart: ["proxy.listen"],
    });
    expect(w.live.effective().sources.get("proxy.max_attempts")).toBe("--max-attempts");
  });

  test("never open the proxy to other machines without client authentication or the user's permission", () => {
    const open = '[proxy]\nlisten = "0.0.0.0:8765"\nallow_unauthenticated = true\n';
    using w = watch(open);
    w.write('[proxy]\nlisten = "127.0.0.1:8765"\n');
    w.look();
    // The listen address does not change before a restart, and the new settings would open it to everyone.
    expect(w.failures[0]).toContain("listening on 0.0.0.0:8765 would let every machine");
    expect(w.live.current().proxy.allow_unauthenticated).toBe(true);
  });

  test("without a name have the name of the start", () => {
    using w = watch("");
    expect(w.live.current().proxy.name).toBe("spare");
    w.write(STICKY);
    w.look();
    expect(w.live.current().proxy.name).toBe("spare");
  });

  test("that are unknown cause one warning each", () => {
    using w = watch("[proxy]\nlistne = 1\n");
    w.write("[proxy]\nlistne = 1\nmax_attempts = 4\n");
    w.look();
    w.write("[proxy]\nlistne = 1\nmax_attempts = 5\nother = 1\n");
    w.look();
    expect(w.warnings.map((line) => line.replace(w.path, "config.toml"))).toEqual([
      "config.toml: line 2: proxy.listne is not a setting and has no effect; did you mean proxy.listen?",
      "config.toml: line 4: proxy.other is not a setting and has no effect",
    ]);
  });
});
