// Checks packaging/cluster: the compose file against the linter and the schema of the Compose Specification, the
// manifests against the schemas of Kubernetes, and both against what codexlb needs.

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DCLinter } from "dclint";
import { StatefulSet } from "kubernetes-models/apps/v1";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Service } from "kubernetes-models/v1";
import { z } from "zod";
import { parseConfig } from "../../src/state/config.ts";
import { executable } from "../support/executable.ts";
import { SERVERS, startRedis, whyNoRedis } from "../support/redis.ts";
import { done } from "../support/replicas.ts";

const REPOSITORY = join(import.meta.dir, "..", "..");
const CLUSTER = join(REPOSITORY, "packaging", "cluster");
const read = (name: string) => readFileSync(join(CLUSTER, name), "utf8");

/** The rights of the user in docs/cluster.md, for the pool `default`. */
const RIGHTS = (
  /^user codexlb on >PASSWORD (.*)$/m.exec(
    readFileSync(join(REPOSITORY, "docs", "cluster.md"), "utf8"),
  )?.[1] ?? ""
).replaceAll("codexlb:team", "codexlb:default");

/** How long the proxy with these settings takes to shut down at most, seconds. */
const shutdownSeconds = (toml: string): number => {
  const { proxy } = parseConfig(toml, "config.toml").config;
  expect(proxy.drain_delay_seconds).toBeGreaterThan(0);
  return proxy.drain_delay_seconds + proxy.drain_timeout_seconds;
};

describe("the compose file", () => {
  const text = read("compose.yaml");
  const Replica = z.object({
    user: z.string(),
    read_only: z.literal(true),
    environment: z.object({
      CODEXLB_PROXY_NAME: z.string(),
      CODEXLB_CLUSTER_URL: z.string().startsWith("redis://codexlb:"),
      CODEXLB_CLUSTER_KEY_FILE: z.literal("/keys/pool.key"),
    }),
    volumes: z.array(z.string()),
    healthcheck: z.object({ test: z.array(z.string()) }),
    stop_grace_period: z.string().regex(/^\d+s$/),
    networks: z.object({ pool: z.object({ ipv4_address: z.string() }) }),
  });
  const { services } = z
    .object({ services: z.record(z.string(), z.looseObject({})) })
    .parse(Bun.YAML.parse(text));

  test("has no problem that the linter finds", () => {
    const linter = new DCLinter({
      rules: Object.fromEntries(STYLE_RULES.map((rule) => [rule, 0 as const])),
      quiet: false,
      debug: false,
      exclude: [],
    });
    const found = linter
      .lintFiles([join(CLUSTER, "compose.yaml")], false)
      .flatMap(({ messages }) => messages.map(({ line, message }) => `line ${line}: ${message}`));
    expect(found).toEqual([]);
  });

  test("has three replicas, each with its own root, name and address, and the servers of nginx.conf", () => {
    const names = Object.keys(services).filter((name) => name.startsWith("replica"));
    expect(names).toEqual(["replica1", "replica2", "replica3"]);
    expect([...read("nginx.conf").matchAll(/server (replica\d):8765 /g)].map(([, name]) => name)).toEqual(
      names,
    );
    const replicas = names.map((name) => Replica.parse(services[name]));
    expect(replicas.map(({ environment }) => environment.CODEXLB_PROXY_NAME)).toEqual(names);
    for (const [index, { volumes, healthcheck }] of replicas.entries()) {
      expect(volumes).toContain(`${names[index]}:/data`);
      expect(healthcheck.test.join(" ")).toContain("/readyz");
    }
    expect(new Set(replicas.map(({ networks }) => networks.pool.ipv4_address)).size).toBe(3);
  });

  test("gives a replica more time to shut down than its settings need", () => {
    for (const name of ["replica1", "replica2", "replica3"])
      expect(Number.parseInt(Replica.parse(services[name]).stop_grace_period, 10)).toBeGreaterThan(
        shutdownSeconds(read("config.toml")) + 20,
      );
  });

  test("gives the user of the server exactly the documented rights, and other users none", () => {
    const options = valkeyOptions(text).join(" ");
    expect(options).toContain(`--user codexlb on >secret ${RIGHTS}`);
    expect(options).toContain("--user default off");
    expect(options).toContain("--appendonly yes --maxmemory-policy noeviction");
  });
});

const valkey = SERVERS.find(({ name }) => name === "valkey-server");

test.skipIf(valkey === undefined)(
  "Valkey starts with the options of the compose file, and keeps a pool",
  async () => {
    const options = valkeyOptions(read("compose.yaml")).filter((word) => !["--dir", "/data"].includes(word));
    await using server = await startRedis(options, valkey?.path);
    using tool = executable();
    const env = {
      CODEXLB_ROOT: join(tool.directory, "root"),
      CODEXLB_CLUSTER_URL: server.tcpUrl.replace("redis://", "redis://codexlb:secret@"),
      CODEXLB_CLUSTER_KEY_FILE: join(tool.directory, "pool.key"),
    };
    const { err } = await done(tool.run(["cluster", "init", "--empty"], env));
    expect(err).not.toContain("maxmemory");
    expect(err).not.toContain("append-only");
    const refused = await tool.run(["cluster", "status"], { ...env, CODEXLB_CLUSTER_URL: server.tcpUrl });
    expect(refused.err).toContain("the server requires a password");
  },
);

describe("the Kubernetes manifests", () => {
  const documents = z
    .array(z.looseObject({ apiVersion: z.string(), kind: z.string() }))
    .parse(Bun.YAML.parse(read("kubernetes.yaml")));
  const ofKind = (kind: string) => documents.filter((one) => one.kind === kind);

  test("are valid by the schemas of Kubernetes", () => {
    const MODELS = {
      "v1 ConfigMap": ConfigMap,
      "v1 Service": Service,
      "apps/v1 StatefulSet": StatefulSet,
      "policy/v1 PodDisruptionBudget": PodDisruptionBudget,
      "networking.k8s.io/v1 NetworkPolicy": NetworkPolicy,
    };
    const kinds = documents.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`);
    expect([...new Set(kinds)].sort()).toEqual(Object.keys(MODELS).sort());
    for (const [index, kind] of kinds.entries()) {
      const Model = MODELS[kind as keyof typeof MODELS];
      expect(() => new Model(documents[index] as never).validate()).not.toThrow();
    }
  });

  const Container = z.strictObject({
    name: z.string(),
    image: z.string(),
    command: z.array(z.string()).optional(),
    env: z.array(z.looseObject({ name: z.string() })),
    ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).optional(),
    livenessProbe: z.unknown().optional(),
    readinessProbe: z.unknown().optional(),
    resources: z.unknown().optional(),
    securityContext: z.strictObject({
      allowPrivilegeEscalation: z.literal(false),
      readOnlyRootFilesystem: z.literal(true),
      capabilities: z.strictObject({ drop: z.tuple([z.literal("ALL")]) }),
    }),
    volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
  });
  const Spec = z.object({
    replicas: z.number(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.looseObject({ runAsNonRoot: z.literal(true) }),
        initContainers: z.tuple([Container]),
        containers: z.tuple([Container]),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
    volumeClaimTemplates: z.tuple([z.object({ metadata: z.object({ name: z.string() }) })]),
  });
  const spec = Spec.parse(ofKind("StatefulSet")[0]?.spec);
  const pod = spec.template.spec;
  const [container] = pod.containers;

  test("probe /healthz and /readyz, and give a replica more time to shut down than its settings need", () => {
    const Probe = z.object({ httpGet: z.object({ path: z.string(), port: z.literal("http") }) });
    expect(Probe.parse(container.livenessProbe).httpGet.path).toBe("/healthz");
    expect(Probe.parse(container.readinessProbe).httpGet.path).toBe("/readyz");
    const { "config.toml": toml } = z
      .object({ "config.toml": z.string() })
      .parse(ofKind("ConfigMap")[0]?.data);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(shutdownSeconds(toml) + 20);
    expect(parseConfig(toml, "config.toml").config.proxy.client_auth).toBe(true);
  });

  test("select the same pods everywhere, and mount only volumes that exist", () => {
    const { labels } = spec.template.metadata;
    expect(spec.selector.matchLabels).toEqual(labels);
    const Selecting = z.object({
      selector: z.object({ matchLabels: z.unknown() }).optional(),
      podSelector: z.object({ matchLabels: z.unknown() }).optional(),
    });
    for (const kind of ["PodDisruptionBudget", "NetworkPolicy"]) {
      const { selector, podSelector } = Selecting.parse(ofKind(kind)[0]?.spec);
      expect((selector ?? podSelector)?.matchLabels).toEqual(labels);
    }
    for (const { spec: service } of ofKind("Service"))
      expect(z.object({ selector: z.unknown() }).parse(service).selector).toEqual(labels);
    const volumes = [...pod.volumes.map(({ name }) => name), spec.volumeClaimTemplates[0].metadata.name];
    for (const { volumeMounts } of [...pod.containers, ...pod.initContainers])
      for (const { name } of volumeMounts) expect(volumes).toContain(name);
  });

  test.skipIf(whyNoRedis !== undefined)(
    "make an empty volume a replica, and change nothing in a used one",
    async () => {
      await using server = await startRedis();
      using tool = executable();
      const path = (name: string) => join(tool.directory, name);
      for (const name of ["volume", "config", "secret"]) mkdirSync(path(name));
      writeFileSync(path("config/config.toml"), "[proxy]\nclient_auth = true\n", { mode: 0o644 });
      const pool = { CODEXLB_CLUSTER_URL: server.url, CODEXLB_CLUSTER_KEY_FILE: path("secret/pool.key") };
      await done(tool.run(["cluster", "init", "--empty", "--root", path("first")], pool));
      // As Kubernetes mounts it for the group of the pod.
      chmodSync(path("secret/pool.key"), 0o440);
      const [, , script = ""] = pod.initContainers[0].command ?? [];
      const root = path("volume/root");
      const env = {
        ...pool,
        CODEXLB_ROOT: root,
        CODEXLB_CLUSTER_KEY_FILE: join(root, "pool.key"),
        HOME: path("volume"),
        PATH: `${tool.directory}:${process.env.PATH}`,
      };
      const runs = ["first", "second"].map(() => {
        const here = script.replace(/(?<= )\/(?=volume|config|secret)/g, `${tool.directory}/`);
        const ran = Bun.spawnSync(["sh", "-euc", here], { env, stderr: "pipe" });
        return [ran.exitCode, ran.stdout.toString().split(" with ")[0]];
      });
      expect(runs).toEqual([
        [0, "joined the pool default"],
        [0, ""],
      ]);
      expect(statSync(join(root, "pool.key")).mode & 0o777).toBe(0o600);
    },
    60_000,
  );

  test("refer to the Secret, and contain none", () => {
    expect(ofKind("Secret")).toEqual([]);
    const text = read("kubernetes.yaml");
    expect(text).toContain("secretKeyRef: { name: codexlb-cluster, key: url }");
    expect(text).toContain("secretName: codexlb-cluster");
  });
});

/** Disabled linter rules: rules about style, and a rule that cannot parse a port with variables. */
const STYLE_RULES = [
  "service-keys-order",
  "services-alphabetical-order",
  "no-unbound-port-interfaces",
  "require-quotes-in-ports",
];

/** The options of Valkey, as its shell reads them, with the password `secret`. */
function valkeyOptions(compose: string): string[] {
  const { services } = z
    .object({ services: z.object({ valkey: z.object({ command: z.tuple([z.string()]) }) }) })
    .parse(Bun.YAML.parse(compose));
  const line = services.valkey.command[0].replaceAll("$$", "$").replace("exec valkey-server ", "");
  const words = Bun.spawnSync(["sh", "-c", `printf '%s\\n' ${line}`], { env: { VALKEY_PASSWORD: "secret" } });
  return words.stdout.toString().trim().split("\n");
}
