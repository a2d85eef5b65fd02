import { describe, expect, test } from "bun:test";
import { UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import type { ServingMember } from "../../src/upstream/catalogue-cells.ts";
import { type Catalogues, createCatalogues } from "../../src/upstream/catalogues.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { fakeClock } from "../support/clock.ts";
import { until } from "../support/pool.ts";
import { signal, startUpstream } from "../support/upstream.ts";

type Answer = (id: string, request: Request) => Response | Promise<Response>;

interface Setup extends AsyncDisposable {
  readonly catalogues: Catalogues;
  readonly clock: ReturnType<typeof fakeClock>;
  /** The upstreams in service; a test may change it. */
  members: ServingMember[];
  /** The ids of the upstreams that were asked, in order. */
  readonly asked: string[];
  /** The highest number of concurrent requests. */
  most(): number;
  /** The catalogue for clients of `version`. */
  slugs(version?: string): Promise<readonly string[] | undefined>;
}

const VERSION = "0.171.0";
const modelsOf = (...slugs: readonly string[]) => ({ models: slugs.map((slug) => ({ slug })) });
const requestOf = (clientVersion = VERSION) => ({ clientVersion, headers: new Headers(), hops: [] });

function started(ids: readonly string[], answer: Answer, plan: (id: string) => string = () => "pro"): Setup {
  const asked: string[] = [];
  let underWay = 0;
  let most = 0;
  const backend = startUpstream(async (request) => {
    const id = request.headers.get("x-id") ?? "";
    asked.push(id);
    most = Math.max(most, ++underWay);
    try {
      return await answer(id, request);
    } finally {
      underWay--;
    }
  });
  const clock = fakeClock();
  const memberOf = (id: string): ServingMember => ({
    record: { id, quota: { ...UNKNOWN_QUOTA, planType: plan(id) } },
    upstream: {
      id,
      kind: "account",
      named: { account_id: id },
      prepare: async ({ path, search, headers }) => {
        const own = new Headers(headers);
        own.set("x-id", id);
        return {
          kind: "ready",
          url: backend.baseUrl.replace("/backend-api", path) + search,
          headers: own,
          egress: { proxy: undefined, trust: undefined },
          isEgressCurrent: () => true,
          token: "",
        };
      },
    } as Partial<Upstream> as Upstream,
  });
  const setup: Setup = {
    clock,
    asked,
    members: ids.map(memberOf),
    catalogues: createCatalogues({
      deps: { clock },
      events: { append: () => {}, flush: () => {} },
      pool: { note: () => {}, disable: () => {} },
      self: () => ({ name: "p", id: "p" }),
      serving: () => setup.members,
    }),
    most: () => most,
    slugs: async (version) => {
      const union = await setup.catalogues.union(requestOf(version));
      if (union === undefined) return undefined;
      const { models } = JSON.parse(new TextDecoder().decode(union.bytes)) as ReturnType<typeof modelsOf>;
      return models.map(({ slug }) => slug);
    },
    [Symbol.asyncDispose]: async () => {
      setup.catalogues.stop();
      await backend[Symbol.asyncDispose]();
    },
  };
  return setup;
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);

test("fifty accounts are asked eight at a time, once each", async () => {
  let waiting: (() => void)[] = [];
  await using setup = started(names(50), async (id) => {
    const answered = signal();
    waiting.push(answered.resolve);
    // A ninth request would arrive before any of the eight is answered.
    if (waiting.length === 8 || setup.asked.length === 50) {
      for (const answer of waiting) setImmediate(answer);
      waiting = [];
    }
    await answered.promise;
    return Response.json(modelsOf("common", id));
  });
  expect(await setup.slugs()).toEqual(["common", ...names(50)]);
  expect([...setup.asked].sort()).toEqual(names(50).sort());
  expect(setup.most()).toBe(8);
});

test("an answer that arrives after the first client's wait joins the union from then on", async () => {
  const late = signal();
  await using setup = started(["a", "b"], async (id) => {
    if (id === "b") await late.promise;
    return Response.json(modelsOf(id));
  });
  const first = setup.slugs();
  await until("both were asked", () => setup.asked.length === 2);
  expect(setup.catalogues.version(requestOf())).toBeUndefined();
  await until("a has answered", () => setup.catalogues.offers("a", "a") === true);
  setup.clock.advance(2_000);
  expect(await first).toEqual(["a"]);
  expect(await setup.slugs()).toEqual(["a"]);
  const before = setup.catalogues.version(requestOf());
  expect(before).toBeDefined();
  late.resolve();
  await until("b is in the union", async () => (await setup.slugs())?.length === 2);
  expect(setup.catalogues.version(requestOf())).not.toBe(before);
});

describe("an upstream offers", () => {
  test("the models of its known catalogue, or nothing while none is known", async () => {
    await using setup = started(["a", "b", "empty", "broken"], (id, request) => {
      if (id === "broken") return new Response("no", { status: 500 });
      const version = new URL(request.url).searchParams.get("client_version") ?? "";
      return Response.json(id === "empty" ? modelsOf() : modelsOf(id, version));
    });
    const { catalogues } = setup;
    expect([catalogues.hasKnowledge(), catalogues.offers("a", "a")]).toEqual([false, undefined]);
    await setup.slugs("1");
    await setup.slugs("2");
    expect(catalogues.hasKnowledge()).toBe(true);
    for (const [id, model, expected] of [
      ["a", "a", true],
      ["a", "1", true],
      ["a", "2", true],
      ["a", "b", false],
      ["b", "a", false],
      ["empty", "a", undefined],
      ["broken", "a", undefined],
      ["dave", "a", undefined],
    ] as const)
      expect([id, model, catalogues.offers(id, model)]).toEqual([id, model, expected]);
  });

  test("for the eight most recently used versions of Codex", async () => {
    await using setup = started(["a"], (_id, request) =>
      Response.json(modelsOf(new URL(request.url).searchParams.get("client_version") ?? "")),
    );
    for (let version = 1; version <= 9; version++) await setup.slugs(String(version));
    expect([setup.catalogues.offers("a", "1"), setup.catalogues.offers("a", "2")]).toEqual([false, true]);
  });
});

test("a pre-release of Codex names itself in turns, and asks for the catalogue of its release", async () => {
  await using setup = started(["a"], () => Response.json(modelsOf("m")));
  const union = await setup.catalogues.union(requestOf("0.172.0"));
  expect(setup.catalogues.version(requestOf("0.172.0-alpha.3"))).toBe(union?.version);
  expect(setup.asked.length).toBe(1);
});

describe("memory", () => {
  const MIB = 1024 * 1024;
  const large = (slug: string, mib: number) =>
    Response.json({ models: [{ slug, text: "x".repeat(mib * MIB) }] });

  test("is not used for a catalogue of more than 4 MiB", async () => {
    await using setup = started(["a", "b"], (id) => large(id, id === "a" ? 4 : 1));
    expect(await setup.slugs()).toEqual(["b"]);
  });

  test("is kept for the versions of Codex that were used last, and limited for a single one", async () => {
    await using setup = started(names(6), (id, request) =>
      large(`${id}-${new URL(request.url).searchParams.get("client_version")}`, 3),
    );
    const { catalogues } = setup;
    expect((await setup.slugs("1"))?.length).toBe(5);
    const of = (version: string) =>
      names(6).filter((id) => catalogues.offers(id, `${id}-${version}`) === true).length;
    expect(of("1")).toBe(5);
    expect((await setup.slugs("2"))?.length).toBe(5);
    expect([of("1"), of("2")]).toEqual([0, 5]);
  });

  test("contains a catalogue of several upstreams only once", async () => {
    await using setup = started(names(50), () => large("common", 3));
    expect(await setup.slugs()).toEqual(["common"]);
    expect(names(50).every((id) => setup.catalogues.offers(id, "common"))).toBe(true);
  });
});

describe("the version that turns name", () => {
  const etagged = (etag: string, ...slugs: readonly string[]) =>
    Response.json(modelsOf(...slugs), { headers: { etag } });

  test("causes one new request to the upstream, however many turns name it", async () => {
    let etag = "1";
    await using setup = started(["a", "b"], (id) => etagged(etag, id, etag));
    const { catalogues } = setup;
    await setup.slugs();
    const before = catalogues.version(requestOf());
    const turn = (named: string) => {
      catalogues.noteVersion(VERSION, "a", named);
      return catalogues.version(requestOf());
    };
    turn("1");
    expect(setup.asked.length).toBe(2);
    etag = "2";
    for (let count = 0; count < 5; count++) expect(turn("2")).toBe(before);
    await until("the union is another one", () => catalogues.version(requestOf()) !== before);
    turn("2");
    expect(setup.asked).toEqual(["a", "b", "a"]);
    // A backend that is being updated alternates between the old and the new version.
    for (let count = 0; count < 5; count++) {
      turn("1");
      turn("2");
    }
    expect(setup.asked.length).toBe(3);
    setup.clock.advance(10_000);
    turn("3");
    await until("it is asked again", () => setup.asked.length === 4);
  });

  test("is ignored if the upstream keeps returning another catalogue", async () => {
    await using setup = started(["a"], () => etagged("1", "m"));
    await setup.slugs();
    for (let count = 0; count < 5; count++) {
      setup.clock.advance(10_000);
      setup.catalogues.noteVersion(VERSION, "a", "of turns");
      setup.catalogues.version(requestOf());
      await setup.slugs(`other-${count}`);
    }
    expect(setup.asked.length).toBe(1 + 1 + 5);
  });
});

describe("in a pool of more than 64 upstreams", () => {
  test("the accounts of a plan share a catalogue", async () => {
    await using setup = started(names(1_000), (id) => Response.json(modelsOf("common", planOf(id))), planOf);
    expect(await setup.slugs()).toEqual(["common", "plan0", "plan1", "plan2"]);
    expect([...setup.asked].sort()).toEqual(["a0", "a1", "a2"]);
    const { catalogues } = setup;
    expect([catalogues.offers("a998", "plan2"), catalogues.offers("a999", "plan2")]).toEqual([true, false]);
  });

  test("another account of the plan is asked after one has failed", async () => {
    await using setup = started(names(100), (id) =>
      id === "a0" ? new Response("no", { status: 403 }) : Response.json(modelsOf(id)),
    );
    expect(await setup.slugs()).toBeUndefined();
    setup.clock.advance(15_000);
    expect(await setup.slugs()).toEqual(["a1"]);
    expect(setup.asked).toEqual(["a0", "a1"]);
  });

  test("an account whose turns keep naming another version gets its own catalogue", async () => {
    await using setup = started(names(100), (id) =>
      Response.json(modelsOf(id === "a50" ? "own" : "common"), {
        headers: { etag: id === "a50" ? "own" : "common" },
      }),
    );
    const { catalogues } = setup;
    await setup.slugs();
    await until("its models are there", async () => {
      catalogues.noteVersion(VERSION, "a50", "own");
      return (await setup.slugs())?.length === 2;
    });
    expect(setup.asked).toEqual(["a0", "a0", "a50"]);
    expect([catalogues.offers("a50", "own"), catalogues.offers("a51", "own")]).toEqual([true, false]);
  });

  test("accounts whose plan becomes known later share the catalogue of that plan, once their turns name it", async () => {
    const ids = names(100);
    await using setup = started(
      ids,
      (id) => Response.json(modelsOf(planOf(id)), { headers: { etag: planOf(id) } }),
      () => "unknown",
    );
    const { catalogues } = setup;
    expect(await setup.slugs()).toEqual(["plan0"]);
    setup.members = setup.members.map(({ upstream, record }) => ({
      upstream,
      record: { ...record, quota: { ...record.quota, planType: planOf(record.id) } },
    }));
    await until("every account has the models of its plan", async () => {
      setup.clock.advance(10_000);
      for (const id of ids) catalogues.noteVersion(VERSION, id, planOf(id));
      await setup.slugs();
      return ids.every((id) => catalogues.offers(id, planOf(id)));
    });
    expect(await setup.slugs()).toEqual(["plan0", "plan1", "plan2"]);
    expect(new Set(setup.asked)).toEqual(new Set(["a0", "a1", "a2"]));
  });
});

/** The plan of account `a<number>`. */
function planOf(id: string): string {
  return `plan${Number(id.slice(1)) % 3}`;
}
