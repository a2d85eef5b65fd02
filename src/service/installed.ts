// Reads what is installed: the service's file, and what the service manager says about it.

import { existsSync } from "node:fs";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { type OtherService, rootIn, type ServiceManager, WRITTEN_BY } from "./service.ts";

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

/** The other services for the same proxy that are installed. */
export function otherServices({ others }: ServiceManager): readonly OtherService[] {
  return others.filter(({ file }) => existsSync(file));
}
