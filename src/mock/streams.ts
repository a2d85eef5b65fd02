// The simulated backend's responses as streams, with every way in which they can end.

/** How a stream ends after its events. `close` is the regular end on HTTP. */
export type StreamEnd = "finish" | "reset" | "hang" | "close";

/** Where a response waits: after how many events, and for what. */
export interface Gate {
  readonly after: number;
  readonly released: (isGone: () => boolean) => Promise<void>;
}

/** Server-sent events, one chunk each. `sends` is called for each event that is sent. */
export function eventStream(
  events: readonly Record<string, unknown>[],
  sends: (event: Record<string, unknown>) => void,
  end: StreamEnd,
  headers: Record<string, string>,
  signal: AbortSignal,
  gate?: Gate,
): Response {
  const encoder = new TextEncoder();
  const rest = [...events];
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (gate !== undefined && sent++ === gate.after) await gate.released(() => signal.aborted);
      const event = rest.shift();
      if (event !== undefined) {
        sends(event);
        controller.enqueue(
          encoder.encode(`event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`),
        );
        return;
      }
      if (end === "hang")
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      if (end === "reset") controller.error();
      else controller.close();
    },
  });
  return new Response(stream, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache", ...headers },
  });
}

/** A connection that breaks before the head of the response. */
export function brokenResponse(): Response {
  return new Response(
    new ReadableStream({
      start: (controller) => controller.error(),
    }),
  );
}
