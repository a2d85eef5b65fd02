// Checks the GitHub workflows: pinned actions, least privileges, no untrusted input in scripts.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DIRECTORY = join(import.meta.dir, "..", "..", ".github");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly needs?: string | readonly string[];
  readonly uses?: string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly "timeout-minutes"?: number;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: unknown;
  readonly concurrency: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const read = (path: string) => readFileSync(join(DIRECTORY, path), "utf8");
const parse = (path: string) => Bun.YAML.parse(read(path));
const names = readdirSync(join(DIRECTORY, "workflows"));
const workflowOf = (name: string) => parse(`workflows/${name}`) as Workflow;
const jobsOf = (name: string) => Object.entries(workflowOf(name).jobs);
const stepsOf = (name: string) => jobsOf(name).flatMap(([, job]) => job.steps ?? []);

describe.each(names)("the workflow %s", (name) => {
  test("pins each action by a full commit hash, with the version beside it", () => {
    const uses = read(`workflows/${name}`)
      .split("\n")
      .filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses)
      expect(line).toMatch(/uses: (?:\.\/\S+|[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
  });

  test("gives each job only the permissions that the job asks for", () => {
    const { permissions, jobs } = workflowOf(name);
    expect(permissions).toEqual({});
    for (const [id, job] of Object.entries(jobs))
      expect([id, typeof job.permissions]).toEqual([id, "object"]);
  });

  test("inserts no GitHub expressions into scripts", () => {
    // A title or branch name in an expression becomes part of the script. In a variable it remains text.
    for (const { run } of stepsOf(name)) expect(run ?? "").not.toContain("${{");
  });

  test("does not run changes from forks with the permissions of this repository", () => {
    const events = Object.keys(workflowOf(name).on);
    expect(events.length).toBeGreaterThan(0);
    for (const event of ["pull_request_target", "workflow_run", "issue_comment"])
      expect(events).not.toContain(event);
  });

  test("keeps no token in the checkout, and uses no cache", () => {
    for (const { uses = "", with: options = {} } of stepsOf(name)) {
      if (uses.startsWith("actions/checkout@")) expect(options["persist-credentials"]).toBe(false);
      if (uses.startsWith("actions/setup-node@")) expect(options["package-manager-cache"]).toBe(false);
      expect(uses).not.toContain("actions/cache");
    }
  });

  test("limits concurrent runs and the duration of each job", () => {
    expect(workflowOf(name).concurrency).toBeDefined();
    for (const [id, job] of jobsOf(name))
      if (job.uses === undefined) expect([id, job["timeout-minutes"]]).toEqual([id, expect.any(Number)]);
  });
});

describe("the release", () => {
  const { on, jobs } = workflowOf("release.yml");

  test("starts only for version tags", () => {
    expect(on).toEqual({ push: { tags: ["v[0-9]+.[0-9]+.[0-9]+*"] } });
  });

  test("publishes only after the checks have passed and the executables have run", () => {
    const before = (id: string): string[] => {
      const needs = [jobs[id]?.needs ?? []].flat();
      return [...needs, ...needs.flatMap(before)];
    };
    for (const id of ["github", "npm", "image", "homebrew"])
      expect(before(id)).toEqual(expect.arrayContaining(["check", "build", "run", "attest"]));
  });

  test("gives write permissions only to jobs that run no dependency's code, and to the job that pushes images", () => {
    const writers = Object.entries(jobs).filter(([, { permissions = {} }]) =>
      Object.values(permissions).includes("write"),
    );
    expect(writers.map(([id]) => id)).toEqual(["attest", "github", "npm", "image"]);
    for (const [id, { steps = [] }] of writers) {
      if (id !== "image") expect(steps.some(({ uses }) => uses?.startsWith("actions/checkout@"))).toBe(false);
      for (const { run = "" } of steps) expect(run).not.toMatch(/\bmake\b|\bnpm (?:ci|install)\b|\bbun\b/);
    }
  });

  test("keeps secrets in environments, and passes them only to single steps", () => {
    for (const { environment, steps = [] } of Object.values(jobs))
      for (const step of steps) {
        const secrets = Object.values(step.env ?? {}).filter((value) => value.includes("secrets."));
        if (secrets.length > 0) expect(environment).toBeDefined();
        expect(JSON.stringify(step.with ?? {})).not.toContain("secrets.");
      }
  });

  test("attests every file of the release, and each image", () => {
    const subjects = Object.values(jobs)
      .flatMap(({ steps = [] }) => steps)
      .filter(({ uses = "" }) => uses.startsWith("actions/attest-build-provenance@"))
      .map(({ with: options = {} }) => `${options["subject-checksums"] ?? options["subject-name"]}`)
      .map((subject) => subject.replace(/^\$\{\{ steps\.images\.outputs\.name \}\}/, "IMAGE"));
    expect(subjects).toEqual(["release/SHA256SUMS", "IMAGE", "IMAGE-login"]);
  });
});

test("Dependabot updates the actions, the base images and the packages after a week", () => {
  const { updates } = parse("dependabot.yml") as {
    updates: { "package-ecosystem": string; cooldown: { "default-days": number } }[];
  };
  expect(updates.map((update) => update["package-ecosystem"])).toEqual(["github-actions", "docker", "bun"]);
  for (const { cooldown } of updates) expect(cooldown["default-days"]).toBeGreaterThanOrEqual(7);
});
