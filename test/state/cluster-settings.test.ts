import { describe, expect, test } from "bun:test";
import { messageOf } from "../../src/errors.ts";
import { parseConfig } from "../../src/state/config.ts";
import { effectiveConfig, shownValue } from "../../src/state/config-source.ts";

const parse = (text: string) => parseConfig(text, "config.toml");
const problem = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return messageOf(error);
  }
};

describe("the settings of a cluster", () => {
  test("name no server by default", () => {
    expect(parse("").config.cluster).toEqual({ url: "", pool: "default", key_file: "" });
  });

  test("are never shown with a password", () => {
    const { config } = parse('[cluster]\nurl = "rediss://me:s3cret@engine:6379/0"\n');
    expect(shownValue(config, "cluster.url")).toBe("rediss://[redacted]@engine:6379/0");
    for (const bad of ["redis://me:s3cret@engine/x", "http://me:s3cret@engine", "me:s3cret@engine"]) {
      const said = problem(() => parse(`[cluster]\nurl = "${bad}"\n`));
      expect(said).toStartWith("reading config.toml: line 2: cluster.url: must be a URL such as");
      expect(said).not.toContain("s3cret");
      const inEnvironment = problem(() => effectiveConfig(parse(""), {}, { CODEXLB_CLUSTER_URL: bad }));
      expect(inEnvironment).toStartWith("CODEXLB_CLUSTER_URL: must be a URL such as");
      expect(inEnvironment).not.toContain("s3cret");
    }
  });

  test("are overridden by the environment", () => {
    const env = { CODEXLB_CLUSTER_URL: "unix:///run/r.sock", CODEXLB_CLUSTER_KEY_FILE: "/k" };
    const { config, sources } = effectiveConfig(parse('[cluster]\nurl = "redis://h"\n'), {}, env);
    expect(config.cluster).toEqual({ url: "unix:///run/r.sock", pool: "default", key_file: "/k" });
    expect(sources.get("cluster.url")).toBe("CODEXLB_CLUSTER_URL");
  });

  test("name pools by letters and digits", () => {
    expect(problem(() => parse('[cluster]\npool = "a b"\n'))).toContain("must have 1 to 64 letters");
    expect(parse('[cluster]\npool = "team-1"\n').config.cluster.pool).toBe("team-1");
  });
});
