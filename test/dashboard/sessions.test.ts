import { expect, test } from "bun:test";
import { createSessions, LINK_LIFETIME_MS, SESSION_LIFETIME_MS } from "../../src/dashboard/sessions.ts";
import { systemDeps } from "../../src/deps.ts";
import { fakeClock } from "../support/clock.ts";

function sessions() {
  const clock = fakeClock();
  return { clock, ...createSessions({ clock, random: systemDeps().random }) };
}

test("a link starts one session, until it expires", () => {
  const { clock, newLink, start } = sessions();
  const [first, second] = [newLink(), newLink()];
  expect(start(first)).toBeDefined();
  expect(start(first)).toBeUndefined();
  clock.advance(LINK_LIFETIME_MS - 1);
  expect(start(second)).toBeDefined();
  const third = newLink();
  clock.advance(LINK_LIFETIME_MS);
  expect(start(third)).toBeUndefined();
  expect(start("")).toBeUndefined();
});

test("setting the wall clock back makes no link and no session valid again", () => {
  const { clock, newLink, start, admits } = sessions();
  const link = newLink();
  const session = start(newLink()) ?? { cookie: "", csrf: "" };
  clock.advance(SESSION_LIFETIME_MS);
  clock.setBack(2 * SESSION_LIFETIME_MS);
  expect([start(link), admits(session)]).toEqual([undefined, false]);
});

test("a session needs both of its own secrets", () => {
  const { newLink, start, admits } = sessions();
  const [one, other] = [start(newLink()), start(newLink())];
  if (one === undefined || other === undefined) throw new Error("the links did not work");
  expect(admits(one)).toBe(true);
  for (const wrong of [
    { cookie: one.cookie, csrf: other.csrf },
    { cookie: one.csrf, csrf: one.cookie },
    { cookie: one.cookie, csrf: "" },
    { cookie: "", csrf: "" },
  ])
    expect(admits(wrong)).toBe(false);
});

test("the oldest of more than 20 links and 50 sessions are dropped", () => {
  const { newLink, start, admits } = sessions();
  const links = Array.from({ length: 21 }, newLink);
  expect(start(links[0] ?? "")).toBeUndefined();
  expect(start(links[1] ?? "")).toBeDefined();
  const started = Array.from({ length: 51 }, () => start(newLink()) ?? { cookie: "", csrf: "" });
  expect(started.map(admits)).toEqual(started.map((_, index) => index > 0));
});
