// The types of settings: schemas that check a value of config.toml and normalize it.

import { z } from "zod";
import { parseListen } from "../core/listen.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import { withoutPassword } from "../network/outbound-proxy.ts";

/** The message for a value that is not a text. */
export const NO_TEXT = "must be a string in quotes";

/** A text; blank means `fallback`. */
export const text = (fallback: string) =>
  z
    .string({ error: NO_TEXT })
    .transform((value) => value.trim() || fallback)
    .default(fallback);

/** A list of texts, without blank ones; an empty list means `fallback`. */
export const words = (fallback: string[]) =>
  z
    .array(z.string({ error: NO_TEXT }), { error: 'must be a list of texts, such as ["a", "b"]' })
    .transform((list) => {
      const kept = list.map((word) => word.trim()).filter((word) => word !== "");
      return kept.length === 0 ? fallback : kept;
    })
    .default(fallback);

/** True or false. */
export const flag = (fallback: boolean) =>
  z.boolean({ error: "must be true or false, without quotes" }).default(fallback);

/** A finite number. */
const number = () =>
  z.number({
    error: ({ input }) => {
      if (typeof input === "bigint") return "the number is too large";
      return typeof input === "number" ? "must be a finite number" : "must be a number, without quotes";
    },
  });

/** A finite number that is not negative. */
const unsigned = () => number().min(0, { error: "must not be negative" });

/** A whole number from 1 to `most`. As in the Go program, zero means the default. */
export const positive = (fallback: number, most = Number.MAX_SAFE_INTEGER) =>
  unsigned()
    .int({ error: "must be a whole number" })
    .max(most, { error: `must be at most ${most}` })
    .transform((value) => value || fallback)
    .default(fallback);

/** Seconds, at most a million (eleven days). The longest timer is twice as long. */
export const seconds = (fallback: number) => positive(fallback, 1_000_000);

/** Milliseconds, at most a thousand million. */
export const milliseconds = (fallback: number) => positive(fallback, 1_000_000_000);

/** A percentage from 0 to 100. */
export const share = (fallback: number) =>
  unsigned().max(100, { error: "must be at most 100" }).default(fallback);

/** A weight, which is not negative. */
export const weight = (fallback: number) => unsigned().default(fallback);

/** A price of a model, in USD per million tokens. Without `cached_input`, cached input costs as much as other input. */
export const price = () =>
  z
    .strictObject(
      { input: unsigned(), cached_input: unsigned().optional(), output: unsigned() },
      { error: "must be a table with input, output and optionally cached_input" },
    )
    .transform(({ input, cached_input, output }) => ({ input, cachedInput: cached_input ?? input, output }));

/** A listen address. */
export const address = (fallback: string) =>
  text(fallback).refine((value) => parseListen(value) !== undefined, {
    error: (issue) => `${JSON.stringify(issue.input)} is not an address; write it as "127.0.0.1:8765"`,
  });

/** An http(s) URL, without slashes at its end. */
export const url = (fallback: string) =>
  z
    .string({ error: NO_TEXT })
    .transform((value) => withoutTrailingSlash(value.trim()) || fallback)
    .refine(isHttpUrl, { error: (issue) => notUrl(issue.input) })
    .default(fallback);

/** A list of URLs of proxies. */
export const urls = () =>
  z
    .array(z.string({ error: NO_TEXT }), {
      error: 'must be a list of texts, such as ["http://10.0.0.2:8765"]',
    })
    .transform(cleanUrls)
    .superRefine((list, context) => {
      for (const one of list)
        if (!isHttpUrl(one)) context.addIssue({ code: "custom", message: notUrl(one) });
        else if (/[?#]/.test(one))
          context.addIssue({ code: "custom", message: "a proxy's URL must not have a query or a fragment" });
    })
    .default([]);

/** `urls` trimmed, without slashes at the end, blank entries and duplicates. */
export function cleanUrls(urls: readonly string[]): string[] {
  return [...new Set(urls.map((url) => withoutTrailingSlash(url.trim())).filter((url) => url !== ""))];
}

/** True for an http(s) URL. */
export function isHttpUrl(value: string): boolean {
  return /^https?:\/\//.test(value) && URL.canParse(value);
}

/** The message for a value that is not an http(s) URL. Shows no password. */
export function notUrl(value: unknown): string {
  // The URL may contain a key.
  const shown = JSON.stringify(typeof value === "string" ? withoutPassword(value) : value);
  return `${shown} is not an http(s) URL`;
}
