// Reads what is installed: the service's file, and what the service manager says about it.

import { existsSync } from "node:fs";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { rootIn, type ServiceManager, WRITTEN_BY } from "./service.ts";

export interface InstalledService {
  readonly text: string;
  /** False for a file of the Go program or one that was written by hand. */
  readonly isOurs: boolean;
  /** Empty if the file names no command. */
  readonly command: readonly string[];
  /** Undefined if the command names none: then it is ~/.codex-lb. */
  readonly root: string | undefined;
}

/** The installed service; undefined if there is none. Throws `file_unusable`. */
export function installedService({ file, commandIn }: ServiceManager): InstalledService | undefined {
  const text = readTextIfPresent(file);
  if (text === undefined) return undefined;
  const command = commandIn(text) ?? [];
  return { text, isOurs: text.includes(WRITTEN_BY), command, root: rootIn(command) };
}

/** Other service files for the same proxy, which would start a second one. */
export function otherServices({ otherFiles }: ServiceManager): readonly string[] {
  return otherFiles.filter((file) => existsSync(file));
}
