// Checks the Dockerfile and the compose file against rules. container.test.ts runs the image's command.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DCLinter } from "dclint";
import { parseListen } from "../../src/core/listen.ts";
import { SETTINGS } from "../../src/state/settings.ts";
import { environmentOf, lastOf, type Stage, stagesOf, textsOf, wordsOf } from "../support/dockerfile.ts";
import { tempDirectory } from "../support/temp.ts";

const REPOSITORY = join(import.meta.dir, "..", "..");
const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const stages = stagesOf(read("Dockerfile"));
const stageOf = (name: string): Stage => {
  const stage = stages.find((candidate) => candidate.name === name);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return stage;
};
/** The stages that become images. `docker build` without a target builds the last one. */
const IMAGES = ["login", "proxy"] as const;

describe("the Dockerfile", () => {
  test("builds the proxy image by default, and the login image as a target", () => {
    expect(stages.at(-1)?.name).toBe("proxy");
    expect(stages.map(({ name }) => name)).toContain("login");
  });

  test("names each base image once, by a tag other than latest", () => {
    const bases = stages.map(({ from }) => from).filter((from) => !stages.some(({ name }) => name === from));
    expect(bases.length).toBe(new Set(bases).size);
    for (const base of bases) {
      expect(base).toMatch(/^[\w./-]+:[\w.-]+(?:@sha256:[0-9a-f]{64})?$/);
      expect(base).not.toContain(":latest");
    }
  });

  test("compiles on the build machine's platform, so that other platforms need no emulation", () => {
    expect(stageOf("tools").platform).toBe("$BUILDPLATFORM");
    expect([stageOf("build").from, stageOf("codex").from]).toEqual(["tools", "tools"]);
    expect(textsOf(stageOf("proxy"), "RUN")).toEqual([]);
  });

  test("copies exactly the files that .dockerignore lets into the build context", () => {
    const copied = stages.flatMap((stage) =>
      textsOf(stage, "COPY")
        .filter((text) => !text.includes("--from="))
        .flatMap((text) => text.split(" ").slice(0, -1)),
    );
    const [first, ...others] = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(first).toBe("*");
    expect(others.sort()).toEqual(copied.map((path) => `!${path}`).sort());
    expect(stages.flatMap((stage) => textsOf(stage, "ADD"))).toEqual([]);
  });

  test("installs Debian packages without recommended ones, and removes the package lists", () => {
    const installs = stages
      .flatMap((stage) => textsOf(stage, "RUN"))
      .filter((run) => run.includes("apt-get"));
    expect(installs.length).toBeGreaterThan(0);
    for (const run of installs) {
      expect(run).toContain("apt-get install -y --no-install-recommends ");
      expect(run).toEndWith("rm -rf /var/lib/apt/lists/*");
    }
  });

  test("runs no scripts of npm packages during the installation", () => {
    const installs = stages.flatMap((stage) => textsOf(stage, "RUN")).filter((run) => / install /.test(run));
    for (const run of installs.filter((text) => !text.includes("apt-get")))
      expect(run).toContain("--ignore-scripts");
  });

  test.each(IMAGES)("labels the image %s and stops it with SIGTERM", (name) => {
    const labels = textsOf(stageOf(name), "LABEL").join(" ");
    for (const label of ["title", "description", "licenses"])
      expect(labels).toContain(`org.opencontainers.image.${label}="`);
    expect(lastOf(stageOf(name), "STOPSIGNAL")).toBe("SIGTERM");
  });

  test("runs the proxy as a user other than root, which owns the state directory", () => {
    const user = lastOf(stageOf("proxy"), "USER") ?? "";
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(textsOf(stageOf("proxy"), "COPY").at(-1)).toMatch(
      new RegExp(`--chown=${user} --chmod=0700 \\S+ /data$`),
    );
  });

  test("starts the proxy without flags, so that config.toml decides", () => {
    const proxy = stageOf("proxy");
    expect([...wordsOf(lastOf(proxy, "ENTRYPOINT")), ...wordsOf(lastOf(proxy, "CMD"))]).toEqual([
      "codexlb",
      "proxy",
    ]);
    expect(environmentOf(proxy)).toMatchObject({ HOME: "/data", CODEXLB_ROOT: "/data" });
  });

  test("checks the proxy's health with codexlb itself", () => {
    const [options = "", command] = (lastOf(stageOf("proxy"), "HEALTHCHECK") ?? "").split(" CMD ");
    expect(wordsOf(command)).toEqual(["codexlb", "status", "--short"]);
    for (const name of ["interval", "timeout", "start-period", "retries"])
      expect(options).toContain(`--${name}=`);
  });
});

describe("the compose file", () => {
  const text = read("docker-compose.yml");

  test("matches the schema of the Compose Specification and the linter's rules", () => {
    expect(problemsOf(join(REPOSITORY, "docker-compose.yml"))).toEqual([]);
  });

  test.each([
    [
      "an unknown key",
      "restart: unless-stopped",
      "restrat: unless-stopped",
      "must NOT have additional properties",
    ],
    ["a value of another type", "init: true", "init: [1]", "must be boolean"],
  ])("would not be valid with %s", (_what, written, wrong, problem) => {
    using temp = tempDirectory();
    const path = join(temp.path, "docker-compose.yml");
    expect(text).toContain(written);
    writeFileSync(path, text.replace(written, wrong));
    expect(problemsOf(path).join("\n")).toContain(problem);
  });

  test("publishes the proxy on loopback, with the Go program's default user and state directory", () => {
    const service = serviceWith({ HOME: "/home/alice" });
    expect(service).toMatchObject({
      container_name: "codexlb-proxy",
      user: "1000:1000",
      ports: ["127.0.0.1:8765:8765"],
      volumes: [{ type: "bind", source: "/home/alice/.codex-lb", target: "/data" }],
      environment: { CODEXLB_UPSTREAM: "" },
      build: { target: "proxy", args: { CODEX_NPM_VERSION: "latest" } },
    });
    expect(service.command).toBeUndefined();
  });

  test("accepts the Go program's variables", () => {
    const service = serviceWith({
      HOME: "/home/alice",
      CODEXLB_ROOT_DIR: "/srv/codexlb",
      CODEXLB_UPSTREAM: "http://127.0.0.1:1/backend-api",
      CODEXLB_BIND_HOST: "10.0.0.2",
      CODEXLB_PORT: "9000",
      UID: "501",
      GID: "20",
      CODEX_NPM_VERSION: "0.171.0",
    });
    expect(service).toMatchObject({
      user: "501:20",
      ports: ["10.0.0.2:9000:8765"],
      volumes: [{ source: "/srv/codexlb" }],
      environment: { CODEXLB_UPSTREAM: "http://127.0.0.1:1/backend-api" },
      build: { args: { CODEX_NPM_VERSION: "0.171.0" } },
    });
  });

  test("uses only variables that docs/docker.md documents", () => {
    const names = [...text.matchAll(/\$\{(\w+)/g)]
      .map(([, name]) => name ?? "")
      .filter((name) => name !== "HOME");
    expect(names.length).toBeGreaterThan(6);
    for (const name of names) expect(read("docs/docker.md")).toContain(`\`${name}\``);
  });

  test("gives the container only the privileges that the proxy needs", () => {
    expect(serviceWith({ HOME: "/home/alice" })).toMatchObject({
      init: true,
      read_only: true,
      tmpfs: ["/tmp"],
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
    });
  });

  test("publishes the port on which the image listens", () => {
    const proxy = stageOf("proxy");
    const { host, port } = parseListen(environmentOf(proxy).CODEXLB_CONTAINER_LISTEN ?? "") ?? {};
    expect([host, `${port}`]).toEqual(["0.0.0.0", lastOf(proxy, "EXPOSE")]);
    expect(serviceWith({ HOME: "/" }).ports).toEqual([`127.0.0.1:8765:${port}`]);
  });

  test("uses the image's health check", () => {
    const [options = "", command] = (lastOf(stageOf("proxy"), "HEALTHCHECK") ?? "").split(" CMD ");
    const { test: words, ...timing } = serviceWith({ HOME: "/" }).healthcheck as Record<string, unknown>;
    expect(words).toEqual(["CMD", ...wordsOf(command)]);
    expect(
      Object.entries(timing)
        .map(([name, value]) => `--${name.replace("_", "-")}=${value}`)
        .join(" "),
    ).toBe(options);
  });

  test("waits longer for the container to stop than the proxy waits for its requests", () => {
    const drain = SETTINGS.find(({ key }) => key === "proxy.drain_timeout_seconds")?.defaultValue as number;
    const [, seconds] = /^(\d+)s$/.exec(String(serviceWith({ HOME: "/" }).stop_grace_period)) ?? [];
    expect(Number(seconds)).toBeGreaterThan(drain + 10);
  });

  /** The service as Docker Compose reads it with the variables `env`. */
  function serviceWith(env: Readonly<Record<string, string>>): Record<string, unknown> {
    const file = Bun.YAML.parse(interpolated(text, env)) as {
      services: Record<string, Record<string, unknown>>;
    };
    const [service, ...others] = Object.values(file.services);
    expect(others).toEqual([]);
    return service ?? {};
  }
});

// --- internal ---

/** Disabled linter rules: rules about style, and a rule that cannot parse a port with variables. */
const OFF = [
  "service-keys-order",
  "no-unbound-port-interfaces",
  "require-quotes-in-ports",
  "require-project-name-field",
];

/** The problems that the linter finds in the compose file at `path`. The linter also checks the schema. */
function problemsOf(path: string): string[] {
  const linter = new DCLinter({
    rules: Object.fromEntries(OFF.map((rule) => [rule, 0 as const])),
    quiet: false,
    debug: false,
    exclude: [],
  });
  return linter
    .lintFiles([path], false)
    .flatMap(({ messages }) => messages.map(({ line, message }) => `line ${line}: ${message}`));
}

/** Replaces `${NAME}` and `${NAME:-default}`. A default may contain another variable. */
function interpolated(text: string, env: Readonly<Record<string, string>>): string {
  const replaced = text.replaceAll(
    /\$\{(\w+)(?::-((?:[^{}]|\$\{\w+\})*))?\}/g,
    (_all, name: string, fallback = "") => env[name] || interpolated(fallback, env),
  );
  expect(replaced).not.toContain("${");
  return replaced;
}
