// The responses of the simulated model: one tool call if the prompt contains the word TOOL, else a greeting that names
// the account. The events have the format of the real backend.

import { z } from "zod";
import type { MockAccount } from "./accounts.ts";

export type MockEvent = Record<string, unknown> & { readonly type: string };

const Item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  encrypted_content: z.string().optional(),
});
const Request = z.looseObject({
  model: z.string().default("mock-model"),
  input: z.union([z.array(Item), z.string().transform(() => [])]).default([]),
  tools: z.array(z.unknown()).default([]),
  generate: z.boolean().default(true),
  previous_response_id: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
});
/** The parts of a Responses request that the simulation reads. */
export type TurnRequest = z.output<typeof Request>;

/** Reads a request body or message; undefined if it is not one. */
export function readTurnRequest(json: unknown): TurnRequest | undefined {
  const parsed = Request.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}

export interface TurnMaker {
  /** The events of one turn. */
  events(request: TurnRequest, account: MockAccount): MockEvent[];
}

/** The reason why the backend refuses a request's input; undefined if it accepts it. */
export function inputProblem(
  request: TurnRequest,
  account: MockAccount,
): { code: string; message: string } | undefined {
  for (const { encrypted_content: content } of request.input) {
    const owner = /^mock-ciphertext:([^:]+):/.exec(content ?? "")?.[1];
    if (owner !== undefined && owner !== account.accountId)
      return {
        code: "invalid_encrypted_content",
        message:
          "The encrypted content could not be verified. Reason: Encrypted content organization_id did not match the target organization.",
      };
  }
  return undefined;
}

export function createTurnMaker(): TurnMaker {
  let serial = 0;
  /** A session may name its tools only once, so they are remembered by cache key. */
  const offered = new Map<string, ReadonlySet<string>>();

  return {
    events: (request, account) => {
      const id = `resp_mock_${++serial}`;
      const tools = toolsOf(request, offered);
      const base = { id, object: "response", created_at: 0, model: request.model };
      const started = { ...base, status: "in_progress", output: [] };
      const created = { type: "response.created", response: started };
      if (!request.generate) return [created, completed({ ...base, output: [] }, 0)];
      if (request.input.some((item) => item.type === "compaction_trigger"))
        return [created, ...compaction(id, account), completed({ ...base, output: [] }, 1000)];
      const reasoning = {
        type: "reasoning",
        id: `rs_${id}`,
        summary: [{ type: "summary_text", text: "**Thinking** about it" }],
        encrypted_content: `mock-ciphertext:${account.accountId}:${id}`,
      };
      const wantsTool = /\bTOOL\b/.test(lastUserText(request)) && !answersTool(request);
      const call = wantsTool ? toolCall(id, tools) : undefined;
      return [
        created,
        { type: "response.in_progress", response: started },
        { type: "response.output_item.added", output_index: 0, item: { ...reasoning, summary: [] } },
        { type: "response.output_item.done", output_index: 0, item: reasoning },
        ...(call === undefined ? message(id, `Hello from ${account.alias}`) : callEvents(call)),
        completed({ ...base, output: [reasoning] }, 1000),
      ];
    },
  };
}

// --- internal ---

function toolsOf(request: TurnRequest, offered: Map<string, ReadonlySet<string>>): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (tools: unknown): void => {
    for (const tool of z.array(z.looseObject({})).catch([]).parse(tools)) {
      if (tool.type === "namespace") walk(tool.tools);
      else if (typeof tool.name === "string") names.add(`${String(tool.type)}:${tool.name}`);
    }
  };
  walk(request.tools);
  for (const item of request.input) if (item.type === "additional_tools") walk(item.tools);
  const key = request.prompt_cache_key ?? "";
  if (names.size > 0) offered.set(key, names);
  return names.size > 0 ? names : (offered.get(key) ?? names);
}

function lastUserText(request: TurnRequest): string {
  const last = request.input.findLast((item) => item.role === "user");
  return last === undefined ? "" : JSON.stringify(last);
}

/** True if a tool's output follows the user's last message, so the call was made already. */
function answersTool(request: TurnRequest): boolean {
  const lastUser = request.input.findLastIndex((item) => item.role === "user");
  return request.input.slice(lastUser + 1).some((item) => (item.type ?? "").endsWith("_output"));
}

type Call = Record<string, unknown>;

/** A call of the shell tool that the client offers. */
function toolCall(id: string, tools: ReadonlySet<string>): Call {
  const ids = { id: `call_item_${id}`, call_id: `call_${id}`, status: "completed" };
  if (tools.has("custom:exec")) {
    const input = "const r = await tools.exec_command({cmd: 'echo tool-ran'}); text(JSON.stringify(r));";
    return { type: "custom_tool_call", ...ids, name: "exec", input };
  }
  const call = (name: string, args: unknown) => ({
    type: "function_call",
    ...ids,
    name,
    arguments: JSON.stringify(args),
  });
  if (tools.has("function:exec_command")) return call("exec_command", { cmd: "echo tool-ran" });
  if (tools.has("function:shell_command")) return call("shell_command", { command: "echo tool-ran" });
  return call("shell", { command: ["echo", "tool-ran"] });
}

function callEvents(item: Call): MockEvent[] {
  return [
    { type: "response.output_item.added", output_index: 1, item: { ...item, status: "in_progress" } },
    { type: "response.output_item.done", output_index: 1, item },
  ];
}

function message(id: string, text: string): MockEvent[] {
  const itemId = `msg_${id}`;
  const at = { item_id: itemId, output_index: 1, content_index: 0 };
  const item = { type: "message", id: itemId, role: "assistant" };
  const content = [{ type: "output_text", text, annotations: [] }];
  return [
    {
      type: "response.output_item.added",
      output_index: 1,
      item: { ...item, status: "in_progress", content: [] },
    },
    { type: "response.content_part.added", ...at, part: { type: "output_text", text: "", annotations: [] } },
    ...text.split(/(?<= )/).map((delta) => ({ type: "response.output_text.delta", ...at, delta })),
    { type: "response.output_text.done", ...at, text },
    { type: "response.output_item.done", output_index: 1, item: { ...item, status: "completed", content } },
  ];
}

function compaction(id: string, account: MockAccount): MockEvent[] {
  const item = {
    type: "compaction",
    id: `cmp_${id}`,
    encrypted_content: `mock-ciphertext:${account.accountId}:${id}`,
  };
  return [{ type: "response.output_item.done", output_index: 0, item }];
}

function completed(response: Record<string, unknown>, inputTokens: number): MockEvent {
  const output = inputTokens === 0 ? 0 : 50;
  const usage = {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: Math.round(inputTokens * 0.8) },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + output,
  };
  return { type: "response.completed", response: { ...response, status: "completed", usage } };
}
