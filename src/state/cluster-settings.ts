// The settings of the table [cluster].

import { engineAddress } from "../network/engine-url.ts";
import { text } from "./setting-types.ts";

/** The settings of the table [cluster], by name. */
export const CLUSTER = {
  url: text("")
    .refine((value) => value === "" || engineAddress(value) !== undefined, {
      // The URL contains a password, so the message does not show it.
      error: 'must be a URL such as "rediss://user:password@host:6379/0", "redis://..." or "unix:///path"',
    })
    .meta({
      description:
        "The Redis or Valkey server through which several proxies share their accounts. Empty: this proxy works alone.",
      restart: true,
    }),
  pool: text("default")
    .refine((value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value), {
      error: "must have 1 to 64 letters, digits and ._- and start with a letter or a digit",
    })
    .meta({ description: "The name of the shared pool; one server can have several.", restart: true }),
  key_file: text("").meta({
    description:
      "The file with the pool's key (32 random bytes in base64, mode 0600), which encrypts everything that the server stores. A relative path is relative to the root, and ~/ is your home directory.",
    restart: true,
  }),
};
