// The response that a client gets: an upstream's reply with its body as it arrives, or one of the proxy itself.

import type { ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import type { AnsweredBy } from "../traffic-counts.ts";
import { type BodyEnds, passThrough, turnStream } from "./body-stream.ts";
import type { HttpReply } from "./send-http.ts";

export interface ForwardResult {
  readonly by: AnsweredBy;
  readonly response: Response;
}

/** A response that an upstream has answered. */
export function passedOn(response: Response): ForwardResult {
  return { by: "upstream", response };
}

/** A response of the proxy itself. */
export function ownResponse(response: Response): ForwardResult {
  return { by: "proxy", response };
}

/**
 * The response with `reply`'s status and body. When its body has ended, however it ends, the turn is recorded and
 * `release` is called.
 */
export function clientResponse(
  context: ProxyContext,
  { incoming: { connection, signal }, recorder }: Exchange,
  { response, body, abort }: HttpReply,
  { headers, ...ends }: ClientResponseOptions,
): Response {
  const init = { status: response.status, statusText: response.statusText, headers };
  switch (body.kind) {
    case "whole":
      ends.release();
      return new Response(body.bytes, init);
    case "turn":
      headers.delete("content-length");
      return new Response(turnStream(context, body.turn, abort, streamEnds()), init);
    case "stream": {
      if (response.body !== null)
        return new Response(passThrough(context, response.body, abort, streamEnds()), init);
      ends.release();
      return new Response(null, init);
    }
    default:
      return body satisfies never;
  }

  function streamEnds(): BodyEnds {
    const ended = connection.streams();
    return {
      ...ends,
      broke: () => {
        recorder?.end(signal.aborted ? "aborted" : "cut");
        ends.broke();
      },
      left: () => recorder?.end("aborted"),
      release: () => {
        // A stream whose last event was not read, because it has another format.
        recorder?.end("completed");
        ends.release();
        ended();
      },
    };
  }
}

// --- internal ---

interface ClientResponseOptions extends Omit<BodyEnds, "left"> {
  /** The headers for the client. */
  readonly headers: Headers;
}
