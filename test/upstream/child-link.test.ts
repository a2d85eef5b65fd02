import { expect, test } from "bun:test";
import { addressAt, childLinks, withKey } from "../../src/upstream/child-link.ts";

const first = (url: string) => {
  const [link] = childLinks([url]);
  if (link === undefined) throw new Error("there is no link");
  return link;
};

test.each([
  ["http://10.0.0.2:8765", "http://10.0.0.2:8765", undefined],
  ["http://:clb_KEY@10.0.0.2:8765", "http://10.0.0.2:8765", "clb_KEY"],
  ["http://clb_KEY@10.0.0.2:8765", "http://10.0.0.2:8765", "clb_KEY"],
  ["https://:a%2Fb@proxy.example/codexlb", "https://proxy.example/codexlb", "a/b"],
])("%s is a child at %s", (url, plain, key) => {
  expect(first(url)).toEqual({ id: `child:${plain}`, url: plain, key });
});

test("a path prefix is kept", () => {
  expect(addressAt(first("http://host/one"), "/backend-api/codex/responses?x=1")).toBe(
    "http://host/one/backend-api/codex/responses?x=1",
  );
});

test("the key is sent as a bearer token, and a child without a key gets none", () => {
  expect(withKey(first("http://:k@h"), new Headers()).get("authorization")).toBe("Bearer k");
  expect(withKey(first("http://h"), new Headers()).get("authorization")).toBeNull();
});

test("an address counts once, at its first place", () => {
  expect(childLinks(["http://:one@h", "http://:two@h", "http://i"]).map(({ key }) => key)).toEqual([
    "one",
    undefined,
  ]);
});
