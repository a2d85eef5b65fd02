// The account bundle of codex-lb (the Python program): all its accounts in one file, encrypted with a passphrase.

import { createDecipheriv, scryptSync } from "node:crypto";
import { z } from "zod";
import { objectOf, parseJson } from "../../core/json.ts";
import type { LoginFormat } from "./format.ts";
import { peerLogin } from "./peer-login.ts";

export const codexLbBundleFormat: LoginFormat = {
  program: "codex-lb",
  where: "its account bundle, with --passphrase-stdin",
  recognise: ({ json }) => objectOf(json)?.format === FORMAT,
  read: ({ path, json }, { passphrase }) => {
    const unusable = (reason: string) => [{ kind: "unusable", path, reason } as const];
    const bundle = Bundle.safeParse(json);
    if (!bundle.success) return unusable("a version of the account bundle that codexlb does not know");
    if (passphrase === undefined) return unusable("it is encrypted: add --passphrase-stdin");
    const content = Content.safeParse(parseJson(decrypted(bundle.data, passphrase) ?? ""));
    if (!content.success) return unusable("wrong passphrase, or a damaged file");
    return content.data.accounts.map(({ email, chatgpt_account_id, credentials }) =>
      peerLogin(
        path,
        {
          access: credentials.access_token,
          refresh: credentials.refresh_token,
          id: credentials.id_token,
          accountId: chatgpt_account_id ?? undefined,
        },
        email,
      ),
    );
  },
};

// --- internal ---

const FORMAT = "codex-lb-account-bundle";
const KEY_BYTES = 32;
const TAG_BYTES = 16;
/** scrypt with the parameters of the format needs 32 MiB and some bytes more. */
const SCRYPT_MEMORY = 64 * 1024 * 1024;

const Bundle = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  kdf: z.object({
    name: z.literal("scrypt"),
    salt: z.base64(),
    n: z.literal(32_768),
    r: z.literal(8),
    p: z.literal(1),
  }),
  cipher: z.object({ name: z.literal("AES-256-GCM"), nonce: z.base64() }),
  ciphertext: z.base64(),
});

const Content = z.looseObject({
  accounts: z.array(
    z.looseObject({
      email: z.string(),
      chatgpt_account_id: z.string().nullish(),
      credentials: z.looseObject({
        access_token: z.string(),
        refresh_token: z.string(),
        id_token: z.string(),
      }),
    }),
  ),
});

/** The content of a bundle; undefined for a wrong passphrase or a damaged file. */
function decrypted({ ciphertext, ...head }: z.output<typeof Bundle>, passphrase: string): string | undefined {
  const { kdf, cipher } = head;
  try {
    const key = scryptSync(passphrase, Buffer.from(kdf.salt, "base64"), KEY_BYTES, {
      N: kdf.n,
      r: kdf.r,
      p: kdf.p,
      maxmem: SCRYPT_MEMORY,
    });
    const sealed = Buffer.from(ciphertext, "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(cipher.nonce, "base64"));
    decipher.setAAD(Buffer.from(sortedJson(head)));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]).toString();
  } catch {
    return undefined;
  }
}

/** JSON without spaces and with sorted keys, which the format authenticates. */
function sortedJson(value: unknown): string {
  const object = objectOf(value);
  if (object === undefined) return JSON.stringify(value);
  const members = Object.keys(object).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${sortedJson(object[key])}`).join(",")}}`;
}
