// The HTTP side of the simulated backend: turns over SSE, the catalogue, usage, workspace routing, token refresh.

import { Hono } from "hono";
import { z } from "zod";
import { JSON_BOUNDS, parseJson } from "../core/json.ts";
import { decodeBody } from "../proxy/bodies.ts";
import type { MockAccount } from "./accounts.ts";
import { appsAnswer } from "./apps.ts";
import { check, faultBefore } from "./check.ts";
import type { MockContext } from "./context.ts";
import { controlError } from "./control-error.ts";
import { deviceRoutes, exchangeCode } from "./device.ts";
import { FAULT_FORM, type FaultPoint, readFaults } from "./faults.ts";
import { createMemory, memoryPathOf } from "./memory.ts";
import { redeemReset, resetList } from "./reset-credits.ts";
import { createSignIn, type SignIn } from "./sign-in.ts";
import { eventStream } from "./streams.ts";
import { inputProblem, readTurnRequest } from "./turns.ts";
import { modelsEtag, rateHeaders, refusalOf, usageOf } from "./wire.ts";

/** The HTTP side of the backend. `models` is the catalogue of accounts without their own. */
export function mockApp(context: MockContext, models: unknown): Hono {
  const app = new Hono();
  const memory = createMemory();
  const { accounts, faults: script } = context;

  app.onError((error, c) => {
    if (!c.req.raw.signal.aborted) throw error;
    return new Response(null, { status: 499 }); // the client disconnected in the middle of its request
  });
  app.post("/__mock/faults", async (c) => {
    const body = parseJson(await c.req.text());
    if (body === undefined) return controlError("the body is not valid JSON", `send ${FAULT_FORM}`);
    const aliases = accounts.all.map(({ alias }) => alias);
    const read = readFaults(body, aliases);
    if (read.kind === "invalid")
      return controlError(`the faults are not valid: ${read.why}`, `send ${FAULT_FORM}`);
    // An empty list adds nothing, so it can only mean that there are to be no faults.
    if (read.faults.length === 0) script.clear();
    script.add(...read.faults);
    return c.json({ ok: true });
  });
  app.delete("/__mock/faults", (c) => {
    script.clear();
    return c.json({ ok: true });
  });
  app.post("/__mock/release", (c) => {
    script.release();
    return c.json({ ok: true });
  });
  app.post("/__mock/models", async (c) => {
    const asked = OwnModels.safeParse(parseJson(await c.req.text()));
    const account = accounts.all.find(({ alias }) => alias === asked.data?.alias);
    if (!asked.success || account === undefined)
      return controlError(
        '"alias" must name an account, and "models" must be a list',
        'send {"alias": "NAME", "models": [{"slug": "gpt-6"}]}',
      );
    account.models = { models: asked.data.models };
    return c.json({ ok: true });
  });
  app.get("/__mock/requests", (c) => c.json(context.requests));
  const signIn = createSignIn(context);
  app.route("/", deviceRoutes(context));
  app.route("/", signIn.routes);
  app.all("/__mock/*", () =>
    controlError(
      "the simulated backend has no such control path",
      "use /__mock/faults, /__mock/release, /__mock/models, /__mock/requests, /__mock/login or /__mock/sign-in",
    ),
  );
  app.post("/oauth/token", (c) => token(context, signIn, c.req.raw));
  app.post("/oauth/revoke", async (c) => {
    const json = parseJson(await c.req.text());
    const headers = Object.fromEntries(c.req.raw.headers);
    context.note({
      point: "other",
      method: "POST",
      path: "/oauth/revoke",
      account: undefined,
      headers,
      json,
    });
    return c.json({});
  });

  app.post("*", async (c, next) => {
    if (!c.req.path.endsWith("/responses")) return next();
    const json = await bodyOf(c.req.raw);
    const account = await check(context, c.req.raw, ["sse", "turn"], json);
    return account instanceof Response ? account : turn(context, account, json, c.req.raw);
  });
  const get = (
    ending: RegExp,
    point: FaultPoint,
    answer: (account: MockAccount) => unknown,
    headers: (account: MockAccount) => Record<string, string> = () => ({}),
  ) =>
    app.get("*", async (c, next) => {
      if (!ending.test(c.req.path)) return next();
      const account = await check(context, c.req.raw, [point], undefined);
      if (account instanceof Response) return account;
      const body = answer(account);
      return body === undefined
        ? c.json({ detail: "Not Found" }, 404)
        : c.json(body, { headers: headers(account) });
    });
  get(
    /\/models$/,
    "models",
    (account) => (account.apiKey === undefined ? (account.models ?? models ?? { models: [] }) : API_MODELS),
    (account) => (account.apiKey === undefined ? { etag: modelsEtag(account) } : {}),
  );
  get(/\/(?:wham|api\/codex)\/usage$/, "usage", (account) =>
    usageOf(accounts.rates(account), account, context.clock.now()),
  );
  get(/\/(?:wham|api\/codex)\/rate-limit-reset-credits$/, "resets", (account) =>
    resetList(account, context.clock.now()),
  );
  get(/\/(?:wham|api\/codex)\/accounts\/check$/, "accounts", (account) => ({
    accounts: [
      {
        id: account.accountId,
        workspace_backend_origin: "https://chatgpt.com",
        account_routing_override: "NO_CONSTRAINT",
        structure: "personal",
        plan_type: account.plan,
      },
    ],
    default_account_id: account.accountId,
    account_ordering: [account.accountId],
  }));
  app.post("*", async (c, next) => {
    if (!/\/(?:wham|api\/codex)\/rate-limit-reset-credits\/consume$/.test(c.req.path)) return next();
    const json = await bodyOf(c.req.raw);
    const account = await check(context, c.req.raw, ["redeem"], json);
    if (account instanceof Response) return account;
    const outcome = redeemReset(account, json, context.clock.now());
    if (outcome === "invalid") return c.json({ detail: "redeem_request_id is required" }, 422);
    return outcome === undefined ? c.json({ detail: "Not Found" }, 404) : c.json(outcome);
  });
  app.post("*", async (c, next) => {
    if (!/\/(?:ps\/mcp|wham\/apps)$/.test(c.req.path)) return next();
    const json = await bodyOf(c.req.raw);
    const account = await check(context, c.req.raw, ["other"], json);
    return account instanceof Response ? account : appsAnswer(json);
  });
  app.post("*", async (c, next) => {
    const path = memoryPathOf(c.req.path);
    if (path === undefined) return next();
    const json = await bodyOf(c.req.raw);
    const account = await check(context, c.req.raw, ["other"], json);
    return account instanceof Response ? account : memory.answer(account, path, json);
  });
  app.all("*", async (c) => {
    const account = await check(context, c.req.raw, ["other"], undefined);
    if (account instanceof Response) return account;
    const known = /analytics-events|config\/bundle|settings\/user/.test(c.req.path);
    return known ? c.json({}) : c.json({ detail: "Not Found" }, 404);
  });
  return app;
}

// --- internal ---

/** As in OpenAI's API reference (list models). */
const API_MODELS = {
  object: "list",
  data: [{ id: "gpt-5", object: "model", created: 0, owned_by: "openai" }],
};

const OwnModels = z.object({ alias: z.string(), models: z.array(z.unknown()) });

async function token(context: MockContext, signIn: SignIn, request: Request): Promise<Response> {
  const text = await request.text();
  const json = parseJson(text) ?? Object.fromEntries(new URLSearchParams(text));
  const login = exchangeCode(context, signIn, json);
  return login ?? refresh(context, request, json);
}

async function refresh(context: MockContext, request: Request, json: unknown): Promise<Response> {
  const token = z.looseObject({ refresh_token: z.string() }).safeParse(json);
  const alias = context.accounts.all.find((one) =>
    token.data?.refresh_token.startsWith(`mock-refresh-${one.alias}-`),
  )?.alias;
  context.note({
    point: "token",
    method: "POST",
    path: "/oauth/token",
    account: alias,
    headers: Object.fromEntries(request.headers),
    json,
  });
  const early = await faultBefore(context.faults.take(["token"], alias), request, context, json, undefined);
  if (early !== undefined) return early;
  if (!token.success)
    return Response.json(
      { error: { code: "invalid_request", message: "refresh_token is required" } },
      { status: 400 },
    );
  const answer = context.accounts.refresh(token.data.refresh_token);
  if (answer.kind === "ok")
    return Response.json({ ...answer.tokens, token_type: "Bearer", expires_in: 3600 });
  const error = {
    message:
      "Your refresh token has already been used to generate a new access token. Please try signing in again.",
    type: "invalid_request_error",
    param: null,
    code: answer.code,
  };
  return Response.json({ error }, { status: 401 });
}

function turn(context: MockContext, account: MockAccount, json: unknown, request: Request): Response {
  const asked = readTurnRequest(json);
  if (asked === undefined) return refuse(400, "invalid_request_error", "the body is not a request");
  if (asked.previous_response_id)
    return refuse(400, "unsupported_parameter", "Unsupported parameter: previous_response_id");
  const problem = inputProblem(asked, account);
  if (problem !== undefined) return refuse(400, problem.code, problem.message);
  // The API reports neither windows nor a catalogue's version.
  if (account.apiKey !== undefined)
    return eventStream(context.turns.events(asked, account), context.sends, "finish", {}, request.signal);
  const headers = () => rateHeaders(context.accounts.rates(account), account.plan);
  const spent = context.accounts.spend(account, asked.model);
  if (spent.kind === "refused") {
    const { error, headers: active } = refusalOf(spent, account, context.clock.now());
    return Response.json({ error }, { status: 429, headers: { ...headers(), ...active } });
  }
  const events = context.turns.events(asked, account);
  return eventStream(
    events,
    context.sends,
    "finish",
    {
      ...headers(),
      "x-codex-turn-state": `ts-${account.accountId}`,
      "x-models-etag": modelsEtag(account),
    },
    request.signal,
  );
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { message, type: "invalid_request_error", param: null, code } }, { status });
}

async function bodyOf(request: Request): Promise<unknown> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const text = (await decodeBody(bytes, request.headers.get("content-encoding"))) ?? "";
  // Turns may exceed the bounds for parsing other parties' JSON.
  return parseJson(text, { ...JSON_BOUNDS, chars: text.length });
}
