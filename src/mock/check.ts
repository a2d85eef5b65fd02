// Handles every request of the simulated backend first: records it, applies a scripted fault, and checks its
// credentials.

import { isApiRequest, type MockAccount } from "./accounts.ts";
import type { MockContext } from "./context.ts";
import { changesEvents, type Fault, type FaultPoint } from "./faults.ts";
import { brokenResponse, eventStream } from "./streams.ts";
import { readTurnRequest } from "./turns.ts";

/** The account of the request, or the response that ends it. It is recorded as `points[0]`. */
export async function check(
  context: MockContext,
  request: Request,
  points: readonly FaultPoint[],
  json: unknown,
): Promise<MockAccount | Response> {
  const account = context.accounts.ownerOf(request);
  const headers = Object.fromEntries(request.headers);
  const path = new URL(request.url).pathname;
  const isApi = isApiRequest(request);
  const named = isApi
    ? account
    : context.accounts.all.find((one) => one.accountId === request.headers.get("chatgpt-account-id"));
  context.note({
    point: points[0] ?? "other",
    method: request.method,
    path,
    account: account?.alias,
    headers,
    json,
  });
  const early = await faultBefore(context.faults.take(points, named?.alias), request, context, json, account);
  if (early !== undefined) return early;
  if (account !== undefined) return account;
  if (isApi) return Response.json({ error: WRONG_KEY }, { status: 401 });
  const error = {
    message: "Provided authentication token is expired.",
    type: null,
    code: "token_expired",
    param: null,
  };
  return Response.json({ error }, { status: 401 });
}

/** As in OpenAI's API reference (error codes: 401, incorrect API key). */
const WRONG_KEY = {
  message: "Incorrect API key provided.",
  type: "invalid_request_error",
  param: null,
  code: "invalid_api_key",
};

/** The response of a scripted fault; undefined if there is none, or it only delays. */
export async function faultBefore(
  fault: Fault | undefined,
  request: Request,
  context: MockContext,
  json: unknown,
  account: MockAccount | undefined,
): Promise<Response | undefined> {
  if (fault === undefined) return undefined;
  if (fault.delayMs !== undefined) await Bun.sleep(fault.delayMs);
  if (fault.hang)
    await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
  if (fault.reset || fault.hang) return brokenResponse();
  if (fault.answer !== undefined) {
    const { status, headers, body } = fault.answer;
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    const type = typeof body === "string" ? "text/plain" : "application/json";
    return new Response(text, { status, headers: { "content-type": type, ...headers } });
  }
  if (!changesEvents(fault)) return undefined;
  const asked = readTurnRequest(json);
  if (account === undefined || asked === undefined) return undefined;
  const made = fault.events ?? context.turns.events(asked, account);
  const events = made.slice(0, fault.cutAfter ?? made.length);
  const { gateAfter } = fault;
  const gate = gateAfter === undefined ? undefined : { after: gateAfter, released: context.faults.released };
  return eventStream(events, context.sends, fault.end ?? "finish", {}, request.signal, gate);
}
