// The step of `codexlb init` that finds Codex. It changes nothing.

import { type InstalledCodex, installedCodex } from "../../codex/installed-codex.ts";
import { INSTALL_CODEX } from "../../codex/run.ts";
import type { SetUp } from "./set-up.ts";
import type { Step } from "./step.ts";

/** `isAsked`: the user answers, and can continue without Codex. */
export function codexStep(
  { binary, context, signal }: Pick<SetUp, "binary" | "context" | "signal">,
  isAsked: boolean,
): Step {
  return {
    title: "Codex",
    detect: async () => {
      const found = await usableCodex(binary, context.deps.env, signal);
      if (typeof found !== "string")
        return { kind: "done", detail: `Codex ${found.version} (${found.path})` };
      return {
        kind: "unavailable",
        detail: found,
        next: isAsked
          ? `${INSTALL_CODEX}. The next steps work without Codex, except the test turn.`
          : INSTALL_CODEX,
        isRequired: true,
      };
    },
  };
}

/** The Codex that `binary` leads to, or why it cannot be used. */
export async function usableCodex(
  binary: string,
  env: SetUp["context"]["deps"]["env"],
  signal: AbortSignal,
): Promise<InstalledCodex | string> {
  const found = await installedCodex(binary, env, signal);
  signal.throwIfAborted();
  if (found === undefined) return `Codex is not installed: program not found: ${binary}`;
  return found.version === undefined
    ? `${found.path} is not Codex: with --version it prints ${JSON.stringify(found.output)}`
    : found;
}
