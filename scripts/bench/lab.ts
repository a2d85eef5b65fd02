// The environment that all rows share: the backend, the executables, and a temporary directory.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "../../test/support/temp.ts";
import { testBinary } from "../../test/support/test-binary.ts";
import { buildExecutable } from "../build-executable.ts";
import { hostTarget } from "../bun-runtime.mjs";
import { targetOf } from "../targets.ts";
import { accountName } from "./backend-accounts.ts";
import { script, startProgram } from "./program.ts";

export interface Lab extends AsyncDisposable {
  readonly directory: string;
  readonly backend: {
    readonly origin: string;
    /** Contains the auth.json of every account, in a directory named after it. */
    readonly homes: string;
    /** The credentials of the first account. */
    readonly credentials: Readonly<Record<string, string>>;
  };
  readonly executable: string;
  /** An executable that contains the floor, built like `executable`. */
  readonly floor: string;
  readonly baseline: string | undefined;
  readonly peer: string | undefined;
  /** The path of nginx. */
  readonly nginx: string | undefined;
  readonly rounds: number;
  log(text: string): void;
}

export type LabOptions = Pick<Lab, "baseline" | "peer" | "rounds" | "log">;

/** Starts the backend with 1,000 accounts, and builds the floor. */
export async function openLab({ baseline, peer, rounds, log }: LabOptions): Promise<Lab> {
  const temp = tempDirectory();
  const homes = join(temp.path, "homes");
  mkdirSync(homes);
  const floor = join(temp.path, "floor");
  await compile(join(import.meta.dir, "floor.ts"), floor);
  const program = startProgram(script("backend.ts", String(ACCOUNTS), homes));
  const origin = await program.line();
  const { tokens } = await Bun.file(join(homes, accountName(0), "auth.json")).json();
  const credentials = {
    authorization: `Bearer ${tokens.access_token}`,
    "chatgpt-account-id": tokens.account_id,
  };
  return {
    directory: temp.path,
    backend: { origin, homes, credentials },
    // Builds the executable at its first use, because a profile does not need it.
    get executable() {
      return testBinary();
    },
    floor,
    baseline,
    peer,
    nginx: Bun.which("nginx", { PATH: `${process.env.PATH ?? ""}:/usr/sbin` }) ?? undefined,
    rounds,
    log,
    [Symbol.asyncDispose]: async () => {
      await program.stop();
      temp[Symbol.dispose]();
    },
  };
}

/** Builds an executable from `entry`, in the same way as the program. Throws with the compiler's messages. */
export async function compile(entry: string, outfile: string): Promise<void> {
  const problems = await buildExecutable({
    entry,
    outfile,
    target: targetOf(hostTarget()),
    runtime: process.execPath,
    version: "0",
    commit: "0",
    date: "",
  });
  if (problems.length > 0) throw new Error(`building ${outfile}: ${problems.join("\n")}`);
}

/** The number of accounts of the backend. A proxy gets some of them. */
export const ACCOUNTS = 1_000;
