// Reads the installed service's file, and finds other services for the same proxy.

import { existsSync } from "node:fs";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { type OtherService, rootIn, type ServiceManager, WRITTEN_BY } from "./service.ts";

export interface InstalledService {
  readonly text: string;
  /** False for a file that the Go program or a person wrote. */
  readonly isOurs: boolean;
  /** Empty if the file names no command. */
  readonly command: readonly string[];
  /** Undefined if the command names none: then the root is ~/.codex-lb. */
  readonly root: string | undefined;
}

/** The installed service; undefined if there is none. Throws `file_unusable`. */
export function installedService({ file, commandIn }: ServiceManager): InstalledService | undefined {
  const text = readTextIfPresent(file);
  if (text === undefined) return undefined;
  const command = commandIn(text) ?? [];
  return { text, isOurs: text.includes(WRITTEN_BY), command, root: rootIn(command) };
}

/** Other installed services for the same proxy. */
export function otherServices({ others }: ServiceManager): readonly OtherService[] {
  return others.filter(({ file }) => existsSync(file));
}
