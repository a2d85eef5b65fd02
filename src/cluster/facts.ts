// The names and the values of the facts that replicas share. A value is a text; equal facts have equal texts.

import { z } from "zod";
import { type KeptKey, KeptKey as KeptKeyFields } from "../auth/keys-file.ts";
import { OPERATOR_REASON } from "../core/health.ts";
import { fieldsOfOptions, OptionFields } from "../core/option-fields.ts";
import type { AccountRecord } from "../state/account-record.ts";

/** What a fact is about, from its name. */
export type FactSubject =
  | { readonly kind: "signing-key" }
  /** The auth.json and config.toml of an account. An account exists as long as this fact does. */
  | { readonly kind: "login"; readonly alias: string }
  /** What the operator has set for an account. */
  | { readonly kind: "account"; readonly alias: string }
  | { readonly kind: "key"; readonly name: string }
  | { readonly kind: "pin" };

export const SIGNING_KEY_FACT = "signing-key";
export const PIN_FACT = "pin";
export const loginFact = (alias: string) => `login/${alias}`;
export const accountFact = (alias: string) => `account/${alias}`;
export const keyFact = (name: string) => `key/${name}`;

/** The subject of the fact `name`; undefined for one that a later version of codexlb shares. */
export function subjectOf(name: string): FactSubject | undefined {
  if (name === SIGNING_KEY_FACT || name === PIN_FACT) return { kind: name };
  const [, kind, rest = ""] = /^(login|account|key)\/(.+)$/s.exec(name) ?? [];
  if (kind === "login" || kind === "account") return { kind, alias: rest };
  return kind === "key" ? { kind, name: rest } : undefined;
}

/** In this order facts are applied, because settings and the pin need their account. */
const ORDER: readonly FactSubject["kind"][] = ["signing-key", "login", "account", "key", "pin"];

/** Compares names by the order in which the facts are applied. */
export function byOrder(a: string, b: string): number {
  const rank = (name: string) => ORDER.indexOf(subjectOf(name)?.kind ?? "pin");
  return rank(a) - rank(b);
}

export const Login = z.object({ auth: z.string(), config: z.string().nullable() });
export type Login = z.output<typeof Login>;

/** The operator's part of an account's state. Replicas share cooldowns and rejected logins as signals. */
export const AccountSettings = z.object({
  service: z.enum(["enabled", "disabled", "draining"]),
  outbound_proxy: z.string().nullable(),
  options: OptionFields,
});
export type AccountSettings = z.output<typeof AccountSettings>;

export const Pin = z.object({ alias: z.string().nullable() });

export function settingsOf({ health, draining, outboundProxy, options }: AccountRecord): AccountSettings {
  const isDisabled = health.kind === "disabled" && health.reason === OPERATOR_REASON;
  return {
    service: isDisabled ? "disabled" : draining ? "draining" : "enabled",
    outbound_proxy: outboundProxy ?? null,
    options: fieldsOfOptions(options),
  };
}

/** The text of a key. Parsing gives its fields an order. */
export function keyText(key: KeptKey): string {
  return JSON.stringify(KeptKeyFields.parse(key));
}

export function keyOf(text: string): KeptKey {
  return KeptKeyFields.parse(JSON.parse(text));
}
