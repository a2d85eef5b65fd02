// Reads the installed service's file, and finds other services for the same proxy.

import { existsSync } from "node:fs";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { rootFrom } from "../state/layout.ts";
import { flagIn, type OtherService, type ServiceManager, WRITTEN_BY } from "./service.ts";

export interface InstalledService {
  readonly text: string;
  /** False for a file that the Go program or a person wrote. */
  readonly isOurs: boolean;
  /** Empty if the file names no command. */
  readonly command: readonly string[];
  /** ~/.codex-lb if the command names none. */
  readonly root: string;
  /** The values of `--listen` and `--upstream` in the command; undefined: config.toml decides. */
  readonly listen: string | undefined;
  readonly upstream: string | undefined;
}

/** The installed service; undefined if there is none. Throws `file_unusable`. */
export function installedService({ file, commandIn }: ServiceManager): InstalledService | undefined {
  const text = readTextIfPresent(file);
  if (text === undefined) return undefined;
  const command = commandIn(text) ?? [];
  return {
    text,
    isOurs: text.includes(WRITTEN_BY),
    command,
    // A service does not inherit the shell's CODEXLB_ROOT.
    root: flagIn(command, "--root") ?? rootFrom(undefined, {}),
    listen: flagIn(command, "--listen"),
    upstream: flagIn(command, "--upstream"),
  };
}

/** Other installed services for the same proxy. */
export function otherServices({ others }: ServiceManager): readonly OtherService[] {
  return others.filter(({ file }) => existsSync(file));
}
