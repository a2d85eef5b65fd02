// The backend's apps endpoint, an MCP server: just enough that Codex starts it and finds no tools.

import { z } from "zod";

const Call = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z.looseObject({ protocolVersion: z.string().optional() }).optional(),
});

/** The response to one JSON-RPC message. */
export function appsAnswer(json: unknown): Response {
  const call = Call.safeParse(json);
  if (!call.success) return Response.json({ detail: "Not a JSON-RPC message" }, { status: 400 });
  const { id, method, params } = call.data;
  if (id === undefined) return new Response(null, { status: 202 });
  return Response.json({ jsonrpc: "2.0", id, result: resultOf(method, params?.protocolVersion) });
}

// --- internal ---

function resultOf(method: string, protocolVersion = "2025-06-18"): Record<string, unknown> {
  switch (method) {
    case "initialize":
      return {
        protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "codex-apps", version: "1" },
      };
    case "tools/list":
      return { tools: [] };
    case "resources/list":
      return { resources: [] };
    case "resources/templates/list":
      return { resourceTemplates: [] };
    default:
      return {};
  }
}
