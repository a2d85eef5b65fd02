// Logs in, inside a container, for an account whose traffic belongs to another network. The image's entry point is this
// program; it reads the password from standard input and writes the login to standard output. Nothing is mounted, and
// the container ends with the login.

import { z } from "zod";
import { advised } from "../advice.ts";
import { childEnvironment } from "../codex/run.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { adminErrorBody, CodexlbError, errorCodeOf, systemCodeOf, systemProblem } from "../errors.ts";
import { oneLine } from "../printable.ts";
import type { Secrets } from "./drive.ts";
import type { LastScreen } from "./last-screen.ts";

export interface ContainerOptions {
  readonly deps: Pick<Deps, "clock" | "env" | "random">;
  readonly docker: string;
  readonly image: string;
  readonly network: string;
  readonly secrets: Secrets;
  readonly timeoutMs: number;
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** Aborted when the time is over or the user interrupts; its reason is thrown. */
  readonly signal: AbortSignal;
}

/** The lines of JSON that the program in the container writes. Other lines are ignored. */
export const said = {
  step: (step: string) => ({ step }),
  login: (auth: string) => ({ auth }),
  lastScreen: ({ picture, text }: LastScreen) => ({
    screen: { picture: Buffer.from(picture).toString("base64"), text },
  }),
  failure: (error: CodexlbError) => ({ ok: false, ...adminErrorBody(error) }),
};

/** Resolves to the text of the new auth.json. Throws the error of the login in the container, or `login_failed`. */
export async function signInContained(options: ContainerOptions): Promise<string> {
  const { deps, docker, image, network, secrets, timeoutMs, progress, signal } = options;
  const name = `codexlb-login-${Buffer.from(deps.random(6)).toString("hex")}`;
  const env = childEnvironment(deps.env);
  progress(`starting the container ${name}`);
  const child = start(
    [
      ...[docker, "run", "--rm", "--init", "--interactive"],
      // Its output contains the login, which must not get into a log of the engine.
      ...["--log-driver", "none", "--name", name, "--network", network, image],
      ...["--username", secrets.username, "--password-stdin"],
      ...(secrets.totp === undefined ? [] : ["--totp-stdin"]),
      ...["--timeout", `${Math.max(1, Math.floor((timeoutMs * INNER_SHARE) / 1000))}s`, "--export", "login"],
    ],
    env,
  );
  let ended: Promise<string | undefined> | undefined;
  const end = () => {
    ended ??= endContainer(child, [docker, "rm", "--force", name], options);
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    // A client that exited immediately reads nothing; its exit code below gives the reason.
    await send(child.stdin, [secrets.password, ...(secrets.totp === undefined ? [] : [secrets.totp])]);
    const result = await readLines(child.stdout, options);
    const code = await child.exited;
    if (signal.aborted) throw withHint(signal.reason, await ended);
    if (result.auth !== undefined) return result.auth;
    if (result.error !== undefined) throw result.error;
    throw code === DOCKER_FAILED
      ? new CodexlbError(
          "login_failed",
          `${docker} could not run the image ${image} (its message is above)`,
          {
            next: `check that ${docker} works, and build the image: ${docker} build --target login -t ${image} .`,
          },
        )
      : new CodexlbError("login_failed", `the container exited with code ${code} without a login`, {
          next:
            code > 128
              ? "a signal ended the container; check its memory limit, and try again"
              : `check that ${image} was built from the target login of codexlb's Dockerfile, for this version`,
        });
  } finally {
    signal.removeEventListener("abort", end);
    // The container exits when its standard input ends, also if this process is killed.
    await child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) end();
    await ended;
  }
}

// --- internal ---

/** The program in the container gets less time, so that it can still report how far it got. */
const INNER_SHARE = 0.9;
/** The exit code of `docker run` if docker itself failed. */
const DOCKER_FAILED = 125;
/** Longest wait until the engine has removed the container. */
const REMOVE_MS = 10_000;
/** Text for a terminal, without control characters. */
const text = z.string().transform(oneLine);

const Line = z.union([
  z.object({ step: text }),
  z.object({ auth: z.string() }),
  z.object({ screen: z.object({ picture: z.base64(), text: z.string() }) }),
  z.object({
    error: text,
    code: z.string(),
    message: text.optional(),
    next: text.optional(),
  }),
]);

interface ContainerResult {
  auth?: string;
  error?: CodexlbError;
}

function start(argv: string[], env: Record<string, string | undefined>) {
  try {
    return Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  } catch (error) {
    const why = systemCodeOf(error) === "ENOENT" ? "no such program" : systemProblem(error);
    throw new CodexlbError("login_failed", `starting ${argv[0]}: ${why}`, {
      next: "install Docker or Podman, name its executable with --docker-bin, or use a browser on this machine",
      cause: error,
    });
  }
}

/**
 * Ends the client and removes the container by its name, because the container continues if only the client ends.
 * Resolves to the command for the user to run if the container could not be removed.
 */
async function endContainer(
  child: ReturnType<typeof start>,
  remove: string[],
  { deps }: Pick<ContainerOptions, "deps">,
): Promise<string | undefined> {
  child.kill("SIGTERM");
  const removing = start(remove, childEnvironment(deps.env));
  const cancelTimer = deps.clock.after(REMOVE_MS, () => removing.kill("SIGKILL"));
  const code = await removing.exited;
  cancelTimer();
  child.kill("SIGKILL");
  return code === 0 ? undefined : `the container may still be running; remove it with: ${remove.join(" ")}`;
}

function withHint(reason: unknown, hint: string | undefined): unknown {
  if (hint === undefined || !(reason instanceof CodexlbError)) return reason;
  const { code, message, next, exitCode } = reason;
  return new CodexlbError(code, message, {
    next: `${next}; ${hint}`,
    exitCode,
  });
}

async function send(stdin: Bun.FileSink, lines: readonly string[]): Promise<void> {
  try {
    stdin.write(lines.map((line) => `${line}\n`).join(""));
    await stdin.flush();
  } catch {
    // the client has exited
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  { progress, keep }: Pick<ContainerOptions, "progress" | "keep">,
): Promise<ContainerResult> {
  const decoder = new TextDecoder();
  const result: ContainerResult = {};
  const take = (text: string): void => {
    const line = Line.safeParse(parseJson(text)).data;
    if (line === undefined) return;
    if ("step" in line) progress(line.step);
    else if ("auth" in line) result.auth = line.auth;
    else if ("screen" in line)
      keep({ picture: Buffer.from(line.screen.picture, "base64"), text: line.screen.text });
    else result.error = errorOf(line);
  };
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  take(rest);
  return result;
}

function errorOf(line: Extract<z.output<typeof Line>, { error: string }>): CodexlbError {
  const { error, code, message = error, next } = line;
  return new CodexlbError(errorCodeOf(code, "login_failed"), message, {
    next: next ?? `run it again; if it fails again, do it by hand: ${advised("account login", "ALIAS")}`,
  });
}
