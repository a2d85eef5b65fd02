// Checks that apply to every request to the admin API: JSON of a bounded size, with known fields only.

import { zValidator } from "@hono/zod-validator";
import type { MiddlewareHandler } from "hono";
import { z } from "zod";
import { readBounded } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import { plainIssue } from "../core/plain-issues.ts";
import { docsPage } from "../core/project-pages.ts";
import { CodexlbError } from "../errors.ts";

/** Response header of a page of the event log: the offset of the next page. */
export const NEXT_OFFSET_HEADER = "x-next-offset";

/** Logins are a few KiB. */
const BODY_LIMIT_BYTES = 1024 * 1024;

/** Refuses bodies of more than `limitBytes`, by their declared length or as soon as more bytes have arrived. */
export function boundedBody(limitBytes: number): MiddlewareHandler {
  const tooLarge = () =>
    new CodexlbError("body_too_large", `the body is larger than ${limitBytes / 1024} KiB`, {
      next: "send a smaller body",
    });
  return async (c, next) => {
    const { raw } = c.req;
    const length = raw.headers.get("content-length");
    if (length !== null && Number(length) > limitBytes) throw tooLarge();
    if (length === null && raw.body !== null) {
      const { bytes, isWhole } = await readBounded(raw, limitBytes);
      if (!isWhole) throw tooLarge();
      c.req.raw = new Request(raw, { body: bytes });
    }
    await next();
  };
}

/** The limit for every request to the admin API. */
export const smallBodies: MiddlewareHandler = boundedBody(BODY_LIMIT_BYTES);

/** Refuses bodies that are not declared as JSON, because web pages can send those without a CORS preflight. */
export const jsonOnly: MiddlewareHandler = async (c, next) => {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  const empty =
    type === "" && (c.req.header("content-length") ?? "0") === "0" && !c.req.header("transfer-encoding");
  if (c.req.method === "POST" && !empty && type !== "application/json")
    throw new CodexlbError("not_json", `the type of the body is ${type || "missing"}, not application/json`, {
      next: "send Content-Type: application/json",
    });
  await next();
};

/** A required text field. If it is missing or blank, the whole text of the error is `NAME is required`. */
export function requiredText(name: string) {
  return z
    .string({ error: "must be a string" })
    .trim()
    .refine((text) => text !== "", { error: `${name} is required`, params: { isMissing: true } })
    .prefault("");
}

/** The option of `zValidator` for errors in plain words. Its own type for the result fits no schema that is a parameter. */
export const PLAIN_WORDS = {
  validationFunction: (schema: z.ZodType, value: unknown) =>
    schema.safeParse(value, { error: plainIssue }) as never,
};

/** Reads the body of a request in the shape of `schema`. `what` names the request in errors. */
export function body<Schema extends z.ZodType>(what: string, schema: Schema) {
  return zValidator(
    "json",
    schema,
    (result) => {
      if (result.success) return;
      const issue = result.error.issues[0];
      const message = issue?.message ?? "it is not valid";
      // The Go program's clients compare this text.
      if (issue?.code === "custom" && issue.params?.isMissing === true)
        throw new CodexlbError("invalid_request", message, {
          next: `add the field to the ${what} request`,
          isExact: true,
        });
      const where = issue?.path.join(".") ?? "";
      throw new CodexlbError(
        "invalid_request",
        `invalid ${what} request: ${where === "" ? "" : `${where}: `}${message}`,
        { next: `correct the request; its fields are listed on ${docsPage("admin-api")}` },
      );
    },
    PLAIN_WORDS,
  );
}

/** Refuses a body that is not JSON, for a request without fields. A missing body is accepted. */
export const jsonIfAny: MiddlewareHandler = async (c, next) => {
  const text = await c.req.text();
  if (text.trim() !== "" && parseJson(text) === undefined) throw notJson();
  await next();
};

/** The error for a body that is not JSON. */
export function notJson(): CodexlbError {
  return new CodexlbError("invalid_request", "the body is not valid JSON", {
    next: `correct the body; the fields of each request are listed on ${docsPage("admin-api")}`,
  });
}
