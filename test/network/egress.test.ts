import { expect, test } from "bun:test";
import { createOutbound, fetchOptions, socketOptions } from "../../src/network/egress.ts";

const CORP = "http://proxy.corp:3128";
const OWN = "http://own.corp:3128";
const SET = "http://set.corp:3128";
const BACKEND = "https://chatgpt.com/backend-api";

test.each<[string, string, string | undefined, string, Record<string, string>, string | undefined]>([
  ["the account's own before the setting", BACKEND, OWN, SET, { HTTPS_PROXY: CORP }, OWN],
  ["the account's own, whatever NO_PROXY says", BACKEND, OWN, "", { NO_PROXY: "*" }, OWN],
  ["the setting before the environment", BACKEND, undefined, SET, { HTTPS_PROXY: CORP }, SET],
  ["the setting, but for NO_PROXY", BACKEND, undefined, SET, { NO_PROXY: "chatgpt.com" }, undefined],
  ["none when the setting says so", BACKEND, undefined, "none", { HTTPS_PROXY: CORP }, undefined],
  ["the account's own when the setting is none", BACKEND, OWN, "none", {}, OWN],
  ["that of the environment", BACKEND, undefined, "", { HTTPS_PROXY: CORP }, CORP],
  ["never one for this machine", "http://127.0.0.1:9000/x", OWN, SET, { HTTP_PROXY: CORP }, undefined],
])("the proxy for the backend is %s", (_name, url, own, setting, env, expected) => {
  const outbound = createOutbound({ env, setting: () => setting });
  expect(outbound.toBackend(url, own).proxy).toBe(expected as string);
});

test.each([
  ["http://10.0.0.5:8765", undefined],
  ["http://build:8765", undefined],
  ["https://lb.internal", undefined],
  ["https://lb.example.com", SET],
])("the proxy for a codexlb proxy at %s is %s", (url, expected) => {
  const env = { HTTP_PROXY: CORP, HTTPS_PROXY: CORP };
  expect(createOutbound({ env, setting: () => SET }).toProxy(url).proxy).toBe(expected as string);
});

test("Bun gets every decision, also the decision against a proxy", () => {
  const direct = { proxy: undefined, trust: undefined };
  expect([fetchOptions(direct), socketOptions(direct)]).toEqual([{ proxy: false }, {}]);
  const proxied = { proxy: CORP, trust: undefined };
  expect(fetchOptions(proxied)).toEqual({ proxy: { url: CORP, respectNoProxy: false } });
  expect(socketOptions(proxied)).toEqual({ proxy: CORP });
});

test("a changed setting counts for the next request, also after one that failed", () => {
  let setting = "";
  const env: Record<string, string> = {};
  const outbound = createOutbound({ env, setting: () => setting });
  const proxies = () => [outbound.toBackend(BACKEND).proxy, outbound.toBackend(BACKEND).proxy];
  expect(proxies()).toEqual([undefined, undefined]);
  setting = SET;
  env.CODEX_CA_CERTIFICATE = "/nowhere/ca.pem";
  for (const _ of [1, 2]) expect(() => outbound.toBackend(BACKEND)).toThrow("CODEX_CA_CERTIFICATE");
  delete env.CODEX_CA_CERTIFICATE;
  expect(proxies()).toEqual([SET, SET]);
});
