// Request bodies: read once, whole and bounded, so that they can be sent again; decoded only on a copy.

import { gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { CodexlbError } from "../errors.ts";

/** The largest request body that is accepted: long histories with images are a few MiB, uploads some tens. */
export const BODY_LIMIT_BYTES = 128 * 1024 * 1024;
/** The largest text a compressed body may unpack to when we have to look into it. */
const DECODED_LIMIT_BYTES = 128 * 1024 * 1024;

/** The whole body; empty when there is none. Throws `body_too_large`. */
export async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  if (request.body === null) return new Uint8Array();
  const told = Number(request.headers.get("content-length") ?? 0);
  if (told > BODY_LIMIT_BYTES) throw tooLarge();
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.byteLength > BODY_LIMIT_BYTES) throw tooLarge();
  return body;
}

/** The text of a body, unpacked if it is compressed; undefined when it cannot be read or unpacks beyond the bound. */
export function decodeBody(body: Uint8Array, encoding: string | null): string | undefined {
  const options = { maxOutputLength: DECODED_LIMIT_BYTES };
  try {
    switch ((encoding ?? "identity").trim().toLowerCase()) {
      case "identity":
      case "":
        return new TextDecoder().decode(body);
      case "zstd":
        return zstdDecompressSync(body, options).toString("utf8");
      case "gzip":
        return gunzipSync(body, options).toString("utf8");
      case "deflate":
        return inflateSync(body, options).toString("utf8");
      default:
        return undefined;
    }
  } catch {
    return undefined; // damaged or too large: then we know nothing of it, and the upstream will say what is wrong
  }
}

// --- internal ---

function tooLarge(): CodexlbError {
  return new CodexlbError(
    "body_too_large",
    `the request body is larger than ${BODY_LIMIT_BYTES / 1024 / 1024} MiB`,
    { next: "send less: compact the session, or attach smaller files" },
  );
}
