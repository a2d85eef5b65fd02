// Writes the text of the launchd property list, and reads the command back from it.

import { join } from "node:path";
import { layoutOf } from "../state/layout.ts";
import { proxyCommand, type ServiceOptions, WRITTEN_BY } from "./service.ts";

export const LAUNCHD_LABEL = "com.codexlb.proxy";

/** The files to which launchd writes the proxy's output. They have the same names as the Go program's. */
export function launchdLogs(root: string): { readonly out: string; readonly err: string } {
  const { logs } = layoutOf(root);
  return { out: join(logs, "launchd.stdout.log"), err: join(logs, "launchd.stderr.log") };
}

/** The agent `com.codexlb.proxy.plist`. */
export function launchdPlist(options: ServiceOptions): string {
  const logs = launchdLogs(options.root);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${WRITTEN_BY}, which overwrites this file the next time it runs. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LAUNCHD_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${proxyCommand(options)
  .map((word) => `    <string>${escaped(word)}</string>`)
  .join("\n")}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ExitTimeOut</key>
  <integer>${EXIT_TIMEOUT_SECONDS}</integer>
  <key>Umask</key>
  <integer>${UMASK}</integer>
  <key>StandardOutPath</key>
  <string>${escaped(logs.out)}</string>
  <key>StandardErrorPath</key>
  <string>${escaped(logs.err)}</string>
</dict>
</plist>
`;
}

/** The words of `ProgramArguments` in `plist`, ours or the Go program's. */
export function programArgumentsIn(plist: string): string[] | undefined {
  const array = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(plist)?.[1];
  if (array === undefined) return undefined;
  return [...array.matchAll(/<string>([\s\S]*?)<\/string>/g)].map(([, text = ""]) =>
    text.replaceAll(/&(lt|gt|amp|quot|apos);/g, (_, name) => ENTITIES[name] ?? ""),
  );
}

// --- internal ---

/** launchd kills the proxy after this time, which is longer than the default of proxy.drain_timeout_seconds (30). */
const EXIT_TIMEOUT_SECONDS = 60;
/** launchd expects a decimal number. */
const UMASK = 0o077;
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
