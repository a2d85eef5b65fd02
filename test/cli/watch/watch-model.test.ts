import { describe, expect, test } from "bun:test";
import { selectedIn, shownIn } from "../../../src/cli/watch/selection.ts";
import type { WatchState } from "../../../src/cli/watch/watch-state.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { account, ELEVEN, NOW, ONE, THREE } from "../../support/status-documents.ts";
import { answered, FAILED, walk } from "../../support/watch-states.ts";

const selected = (state: WatchState) => selectedIn(state)?.alias;
const shown = (state: WatchState) =>
  shownIn(state).map((index) => state.known?.status.accounts[index]?.alias);
const eleven = walk(answered(ELEVEN));
const three = walk(answered(THREE));

describe("the selection", () => {
  test("begins at the first account, and keys move it within the list", () => {
    expect(selected(eleven.state)).toBe("alice");
    expect(selected(eleven.and("up").state)).toBe("alice");
    expect(selected(eleven.and("down", "j").state)).toBe("carol");
    expect(selected(eleven.and("down", "j", "k").state)).toBe("bob");
    expect(selected(eleven.and("end").state)).toBe("会社");
    expect(selected(eleven.and("end", "down").state)).toBe("会社");
    expect(selected(eleven.and("end", "home").state)).toBe("alice");
  });

  test("PgUp and PgDn move by the visible rows", () => {
    const small = { ...eleven.state, viewport: { first: 0, rows: 4 } };
    const moved = walk(answered(ELEVEN), { kind: "drawn", viewport: small.viewport }, "down");
    expect(selected(moved.state)).toBe("bob");
    expect(selected(eleven.and("page-down").state)).toBe("会社");
    expect(selected(eleven.and("end", "page-up").state)).toBe("alice");
  });

  test("stays on the account when the order, the accounts or the proxy change", () => {
    const onBob = three.and("down");
    expect(selected(onBob.and("s", "s").state)).toBe("bob");
    const others = {
      ...ONE,
      proxy_name: "laptop-2",
      accounts: ["zoe", "bob", "alice"].map((alias) => account(alias, { proxy_name: "laptop-2" })),
    };
    expect(selected(onBob.and(FAILED, answered(StatusAnswer.parse(others))).state)).toBe("bob");
    expect(selected(onBob.and(answered({ ...THREE, accounts: [] }), answered(THREE)).state)).toBe("bob");
  });

  test("moves to the account at its place when its own is gone", () => {
    const without = { ...THREE, accounts: THREE.accounts.filter(({ alias }) => alias !== "bob") };
    expect(selected(three.and("down", answered(without)).state)).toBe("erin");
    expect(
      selected(three.and("end", answered({ ...THREE, accounts: THREE.accounts.slice(0, 2) })).state),
    ).toBe("bob");
  });

  test("distinguishes accounts of two proxies that have the same alias", () => {
    const accounts = [...THREE.accounts, { ...THREE.accounts[0]!, proxy_name: "edge-b" }];
    const both = walk(answered({ ...THREE, accounts }), "end", "s");
    expect(both.state.selected).toEqual({ alias: "alice", proxyName: "edge-b" });
    expect(selectedIn(both.state)?.proxy_name).toBe("edge-b");
  });
});

test("s sorts as listed, by quota left, by status and reset, and by name", () => {
  const orders = [0, 1, 2, 3, 4].map((count) => shown(eleven.and(...Array<string>(count).fill("s")).state));
  const listed = ELEVEN.accounts.map(({ alias }) => alias);
  expect(orders[0]).toEqual(listed);
  expect(orders[1]?.slice(0, 3)).toEqual(["alice", "grace", "dave"]);
  expect(orders[1]?.slice(-2)).toEqual(["erin", "frank"]);
  expect(orders[2]).toEqual([
    "alice",
    "grace",
    "dave",
    "bob",
    "ivan",
    "judy-with-a-long-name",
    "carol",
    "heidi",
    "会社",
    "erin",
    "frank",
  ]);
  expect(orders[3]).toEqual([...listed].sort());
  expect(orders[4]).toEqual(listed);
});

describe("the filter", () => {
  test("matches alias and e-mail address, and keeps the selection if it can", () => {
    expect(shown(eleven.and("/", "A", "R").state)).toEqual(["carol"]);
    expect(shown(eleven.and("/", ..."ce@example").state)).toEqual(["alice", "grace"]);
    expect(selected(eleven.and("j", "/", "a", "enter").state)).toBe("bob");
    expect(selected(eleven.and("/", ..."bob").state)).toBe("bob");
  });

  test("is edited with Backspace and Ctrl-U, kept with Enter, and cleared with Escape", () => {
    const typed = eleven.and("/", ..."boq", "backspace");
    expect(typed.state.filter).toBe("bo");
    expect(typed.and("erase-all").state.filter).toBe("");
    expect(typed.and("enter").state).toMatchObject({ filter: "bo", mode: { kind: "list" } });
    expect(typed.and("enter", "escape")).toMatchObject({ state: { filter: "" }, effects: [] });
    expect(typed.and("escape").state).toMatchObject({ filter: "", mode: { kind: "list" } });
  });

  test("accepts letters that are commands in the list", () => {
    const typed = eleven.and("/", ..."qpd");
    expect(typed.state.filter).toBe("qpd");
    expect(typed.effects).toEqual([]);
  });

  test("without a match selects no account, and afterwards the previous one again", () => {
    const none = three.and("down", "/", ..."xyz");
    expect([shown(none.state), selected(none.state)]).toEqual([[], undefined]);
    expect(none.and("enter", "p").state.notice?.text).toBe(
      "cannot change an account: no account is selected",
    );
    expect(selected(none.and("escape").state)).toBe("bob");
  });
});

describe("a change", () => {
  const question = (keys: readonly string[], status: StatusAnswer = ELEVEN) => {
    const { mode } = walk(answered(status), ...keys).state;
    return mode.kind === "confirm" ? mode.change.question : undefined;
  };

  test("asks for confirmation and says what it does", () => {
    expect(question(["p"])).toBe("unpin alice: the policy chooses again");
    expect(question(["j", "p"], THREE)).toStartWith(
      "pin bob: new turns go only to bob, once it is available; now: limit reached, ",
    );
    expect(question(["p"], ONE)).toBe("pin alice: new turns go only to alice");
    expect(question(["/", ..."grace", "enter", "p"])).toBe(
      "pin grace instead of alice: new turns go only to grace",
    );
    expect(question(["d"])).toBe("drain alice: it is pinned, so it still gets all turns until you unpin it");
    expect(question(["d"], ONE)).toBe("drain alice: it keeps its sessions and gets no new ones");
    expect(question(["/", ..."carol", "enter", "p"])).toBe(
      "pin carol instead of alice: new turns go only to carol",
    );
    expect(question(["j", "j", "d"])).toBe("end the drain of carol: it gets new sessions again");
    expect(question(["e"])).toBe("disable alice: it gets no turns until you enable it");
    expect(question(["/", ..."frank", "enter", "e"])).toBe("enable frank: it gets turns again");
    expect(question(["/", ..."erin", "enter", "e"])).toBe(
      "enable erin, which was disabled (login expired): it gets turns again",
    );
    expect(question(["end", "p"])).toBe(
      "pin 会社 on the proxy edge-b: new turns there go only to 会社, once it is available; now: unavailable",
    );
    expect(question(["end", "d"])).toBe(
      "drain 会社 on the proxy edge-b: it keeps its sessions and gets no new ones",
    );
  });

  test("is made only after y", () => {
    const asked = three.and("p");
    for (const no of ["n", "q", "escape", "x", "enter", "down"]) {
      const refused = asked.and(no);
      expect(refused.effects).toEqual([]);
      expect(refused.state).toMatchObject({ mode: { kind: "list" }, notice: { text: "nothing changed" } });
    }
    expect(three.and("d", "x", "down", "y").effects).toEqual([]);
    const { effects, state } = asked.and("y");
    expect(effects).toMatchObject([{ kind: "change", change: { kind: "pin", account: { alias: "alice" } } }]);
    expect(state.notice?.text).toBe("pinning alice ...");
  });

  test("shows its outcome, and blocks other changes until then", () => {
    const under = three.and("p", "y");
    const [effect] = under.effects;
    if (effect?.kind !== "change") throw new Error("no change");
    expect(under.and("d").state.notice?.text).toBe(
      "cannot change an account: the last change is not finished",
    );
    const { change } = effect;
    const done = under.and({ kind: "changed", change, warnings: ["the log is full"] });
    expect(done.state.notice).toMatchObject({ kind: "done", text: "pinned alice; the log is full" });
    expect(done.and("d").state.mode.kind).toBe("confirm");
    const problem = "pinning alice: this key may not change accounts; use the admin token";
    const failed = under.and({ kind: "not changed", change, problem });
    expect(failed.state.notice).toMatchObject({ kind: "problem", text: problem });
    expect(failed.and("down").state.notice).toBeUndefined();
  });

  test("is not offered if it has no effect, or if the proxy does not answer", () => {
    expect(three.and("end", "d").state.notice?.text).toBe("erin is disabled; e enables it");
    for (const name of ["p", "d", "e"])
      expect(three.and(FAILED, name).state).toMatchObject({
        mode: { kind: "list" },
        notice: { kind: "note", text: "cannot change an account: the proxy does not answer" },
      });
  });
});

describe("an opened account", () => {
  const open = three.and("j", "enter");

  test("is requested again with each reply", () => {
    expect(open.effects).toEqual([
      { kind: "request details", account: { alias: "bob", proxyName: undefined } },
    ]);
    expect(open.and(answered(THREE)).effects).toEqual(open.effects);
    expect(open.and("escape", answered(THREE)).effects).toEqual([]);
  });

  test("shows its details; those of another account are dropped", () => {
    const details = (alias: string) =>
      ({ kind: "details", account: { alias, proxyName: undefined }, details: () => [alias] }) as const;
    expect(open.and(details("bob")).state.mode).toMatchObject({ details: expect.any(Function) });
    expect(open.and(details("erin")).state.mode).toMatchObject({ details: undefined });
    expect(open.and("enter", details("bob")).state.mode.kind).toBe("list");
  });

  test("closes and shows the reason if no details arrive, but keeps old details", () => {
    const account = { alias: "bob", proxyName: undefined };
    const failed = { kind: "no details", account, problem: "no rights" } as const;
    expect(open.and(failed).state).toMatchObject({ mode: { kind: "list" }, notice: { text: "no rights" } });
    const shownBefore = open.and({ kind: "details", account, details: () => ["bob"] }, failed);
    expect(shownBefore.state).toMatchObject({ mode: { kind: "account" }, notice: { text: "no rights" } });
  });
});

test("a failed request starts the outage, and the next reply ends it", () => {
  const away = three.and({ kind: "asked" }, FAILED, { kind: "asked" }, FAILED);
  expect(away.state.trouble).toMatchObject({ sinceMs: NOW - 1000 });
  expect(away.state.known?.status).toEqual(THREE);
  expect(away.and(answered(ONE)).state).toMatchObject({ trouble: undefined, askedMs: undefined });
  const waiting = walk(FAILED);
  expect(waiting.state).toMatchObject({ known: undefined, expectedUrl: "http://127.0.0.1:8765" });
  expect(waiting.and("enter", "p", "/", "s", "down").effects).toEqual([]);
});

test("q ends, and Escape goes back one step at a time until it ends", () => {
  const END = [{ kind: "end" as const }];
  for (const name of ["q", "Q"]) expect(three.and(name).effects).toEqual(END);
  expect(three.and("?", "q").effects).toEqual(END);
  expect(three.and("?", "?").state.mode.kind).toBe("list");
  const deep = three.and("h", "/", "b", "enter", "?");
  expect(deep.and("escape", "escape", "escape").effects).toEqual([]);
  expect(deep.and("escape", "escape", "escape").state).toMatchObject({ filter: "", history: false });
  expect(deep.and("escape", "escape", "escape", "escape").effects).toEqual(END);
  expect(walk(FAILED, "q").effects).toEqual(END);
});
