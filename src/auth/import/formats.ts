// The formats that `codexlb account import` reads. For another one, add a file and a line here.

import { cliProxyApiFormat } from "./cli-proxy-api.ts";
import { codexFormat } from "./codex.ts";
import { codexLbBundleFormat } from "./codex-lb-bundle.ts";
import { codexLbDatabaseFormat } from "./codex-lb-database.ts";
import { codexLbExportFormat } from "./codex-lb-export.ts";
import { codexMultiAuthFormat } from "./codex-multi-auth.ts";
import type { LoginFile, LoginFormat } from "./format.ts";
import { opencodeFormat } from "./opencode.ts";

/** All formats. A file has the first one that recognises it: the export of codex-lb also looks like a login of Codex. */
export const LOGIN_FORMATS: readonly LoginFormat[] = [
  codexLbExportFormat,
  codexFormat,
  cliProxyApiFormat,
  codexLbBundleFormat,
  codexLbDatabaseFormat,
  codexMultiAuthFormat,
  opencodeFormat,
];

/** The format of `file`; undefined if it is unknown. */
export function formatOf(file: LoginFile): LoginFormat | undefined {
  return LOGIN_FORMATS.find((format) => format.recognise(file));
}
