// The program's error class, the table of its codes, and the shapes in which errors are sent.

/** Every code with its HTTP status and a command's exit code. Codes are stable, because scripts and clients match them. */
export const ERROR_CODES = {
  usage: { status: 400, exit: 2 },
  invalid_request: { status: 400, exit: 2 },
  invalid_alias: { status: 400, exit: 2 },
  invalid_config: { status: 500, exit: 1 },
  invalid_auth_file: { status: 400, exit: 1 },
  identity_differs: { status: 409, exit: 1 },
  already_enrolled: { status: 409, exit: 1 },
  /** Another account has the same API key. */
  key_enrolled: { status: 409, exit: 1 },
  login_older: { status: 409, exit: 1 },
  login_failed: { status: 400, exit: 1 },
  account_not_found: { status: 404, exit: 1 },
  not_found: { status: 404, exit: 1 },
  host_refused: { status: 421, exit: 1 },
  origin_refused: { status: 403, exit: 1 },
  method_refused: { status: 405, exit: 1 },
  dashboard_off: { status: 403, exit: 1 },
  path_refused: { status: 403, exit: 1 },
  unsupported_endpoint: { status: 404, exit: 1 },
  use_http: { status: 426, exit: 1 },
  unauthorized: { status: 401, exit: 1 },
  /** The key is known, but its role gives no access to this path. */
  key_role_refused: { status: 401, exit: 1 },
  key_expired: { status: 401, exit: 1 },
  // The limits of a key. After a 403, a proxy in front uses another upstream.
  model_not_allowed: { status: 403, exit: 1 },
  key_rate_limited: { status: 429, exit: 1 },
  key_tokens_used: { status: 429, exit: 1 },
  /** The key is known, but the admin API requires the admin token for this path. */
  admin_role_required: { status: 403, exit: 1 },
  not_json: { status: 415, exit: 1 },
  target_proxy_not_found: { status: 404, exit: 1 },
  target_proxy_ambiguous: { status: 409, exit: 1 },
  target_proxy_unavailable: { status: 502, exit: 1 },
  child_refused: { status: 502, exit: 1 },
  loop_detected: { status: 508, exit: 1 },
  body_too_large: { status: 413, exit: 1 },
  head_too_large: { status: 431, exit: 1 },
  usage_limit_reached: { status: 429, exit: 1 },
  no_accounts: { status: 503, exit: 1 },
  /** The backend rejected the login of the account. */
  login_needed: { status: 409, exit: 1 },
  /** No reset credit can be spent, and none was. */
  redeem_refused: { status: 409, exit: 1 },
  /** The backend did not say whether it spent the reset credit. */
  redeem_uncertain: { status: 502, exit: 1 },
  no_account_available: { status: 503, exit: 1 },
  upstream_unreachable: { status: 502, exit: 1 },
  upstream_timeout: { status: 504, exit: 1 },
  proxy_unreachable: { status: 502, exit: 1 },
  proxy_answer: { status: 502, exit: 1 },
  root_locked: { status: 409, exit: 1 },
  root_moved: { status: 409, exit: 1 },
  root_not_private: { status: 500, exit: 1 },
  file_unusable: { status: 500, exit: 1 },
  store_unreadable: { status: 500, exit: 1 },
  listen_failed: { status: 500, exit: 1 },
  /** The Redis or Valkey server of the cluster cannot be reached, or does not answer. */
  cluster_unreachable: { status: 503, exit: 1 },
  /** The server answers, but cannot be used: another key or pool, a version or a right that is missing. */
  cluster_refused: { status: 409, exit: 1 },
  /** The replica that would leave is the last one of its pool. */
  last_replica: { status: 409, exit: 1 },
  /** Another process, on a copy of the replica's root, is connected as the replica. */
  same_replica_twice: { status: 409, exit: 1 },
  codex_not_found: { status: 500, exit: 1 },
  service_manager_unavailable: { status: 500, exit: 1 },
  service_failed: { status: 500, exit: 1 },
  upgrade_refused: { status: 409, exit: 1 },
  upgrade_failed: { status: 500, exit: 1 },
  // Scripts distinguish the ends of `codexlb wait` by the exit code.
  wait_timeout: { status: 504, exit: 3 },
  nothing_to_wait_for: { status: 503, exit: 4 },
  // Reasons why an unattended login in a browser stops. Scripts distinguish them by the exit code.
  login_captcha: { status: 500, exit: 10 },
  login_mfa: { status: 500, exit: 11 },
  login_email_code: { status: 500, exit: 12 },
  login_passkey: { status: 500, exit: 13 },
  login_wrong_password: { status: 500, exit: 14 },
  login_locked: { status: 500, exit: 15 },
  login_unexpected_screen: { status: 500, exit: 16 },
  login_timeout: { status: 500, exit: 17 },
  browser_not_found: { status: 500, exit: 18 },
  // As a shell reports Ctrl-C; other signals have other exit codes.
  interrupted: { status: 499, exit: 130 },
  unhealthy: { status: 500, exit: 1 },
  notify_failed: { status: 502, exit: 1 },
  busy: { status: 503, exit: 1 },
  shutting_down: { status: 503, exit: 1 },
  too_many_connections: { status: 503, exit: 1 },
  internal: { status: 500, exit: 1 },
} as const satisfies Record<string, { status: number; exit: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The code that another codexlb sent, if this version knows it; otherwise `fallback`. */
export function errorCodeOf(code: string | undefined, fallback: ErrorCode): ErrorCode {
  return code !== undefined && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : fallback;
}

interface ErrorOptions {
  /** What the user can do about it. Every error has such a step, even if it is only to try again or to report it. */
  readonly next: string;
  readonly cause?: unknown;
  /** Default: the exit code of the error's code. */
  readonly exitCode?: number;
  /** After how many seconds a client should try again; absent if waiting does not help. */
  readonly retryAfterSeconds?: number;
  /** True if the Go program's clients compare the admin API's `error` with `message`; `next` is then a field alone. */
  readonly isExact?: boolean;
}

/** A failure that the user can act on. `message` says what was being done and why it failed, `next` what to do. */
export class CodexlbError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  /** The exit code of the command: that of the code, except for signals. */
  readonly exitCode: number;
  /** After how many seconds a client should try again; undefined if waiting does not help. */
  readonly retryAfterSeconds: number | undefined;
  readonly isExact: boolean;

  constructor(code: ErrorCode, message: string, options: ErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CodexlbError";
    this.code = code;
    this.next = options.next;
    this.exitCode = options.exitCode ?? ERROR_CODES[code].exit;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.isExact = options.isExact ?? false;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** The message of anything thrown, without a stack. The message of a file system error is `PATH: permission denied`. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const reason = systemReason(thrown);
  if (reason === undefined) return thrown.message;
  return "path" in thrown && typeof thrown.path === "string" ? `${thrown.path}: ${reason}` : reason;
}

/** The message of anything thrown with its next step, if it has one, in one text. */
export function fullMessageOf(thrown: unknown): string {
  return thrown instanceof CodexlbError ? `${thrown.message}; ${thrown.next}` : messageOf(thrown);
}

/** The system error code (`ENOENT`, `ECONNREFUSED`) of anything thrown, if it has one. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/**
 * The system's reason for a failure, without the error code, the name of the system call and the path: `permission
 * denied`. For messages that name the path themselves.
 */
export function systemProblem(thrown: unknown): string {
  return SYSTEM_WORDS[systemCodeOf(thrown) ?? ""] ?? systemReason(thrown) ?? messageOf(thrown);
}

/** What to do about an error of the file system; undefined for other errors. */
export function systemNext(thrown: unknown): string | undefined {
  return SYSTEM_NEXT[systemCodeOf(thrown) ?? ""];
}

/** Why a connection failed, in the system's words. Bun's own messages are about its functions. */
export function connectProblem(thrown: unknown): string {
  const code = systemCodeOf(thrown) ?? "";
  return UNREACHABLE_WORDS[code] ?? CONNECT_WORDS[code] ?? (code || messageOf(thrown));
}

/** True if no program could be reached: the address is wrong, or the program that should listen there is not running. */
export function isUnreachable(thrown: unknown): boolean {
  return (systemCodeOf(thrown) ?? "") in UNREACHABLE_WORDS;
}

/**
 * The body of an error on the data plane, in the shape that OpenAI clients (Codex among them) read. `message` is the
 * whole text, because they show nothing else.
 */
export function dataPlaneErrorBody(error: CodexlbError): {
  error: { type: string; code: string; message: string; next: string };
} {
  const { code, next } = error;
  return { error: { type: "codexlb_error", code, message: fullMessageOf(error), next } };
}

/** The message in the `message` of a `dataPlaneErrorBody`, without its `next`. */
export function withoutNext(message: string, next: string): string {
  return message.endsWith(`; ${next}`) ? message.slice(0, -next.length - 2) : message;
}

/**
 * The body of an error of the admin API. `error` is the whole text, which the Go program's clients read; our own read
 * `message` and `next`.
 */
export function adminErrorBody(error: CodexlbError): {
  error: string;
  code: string;
  message: string;
  next: string;
} {
  const { code, message, next, isExact } = error;
  return { error: isExact ? message : fullMessageOf(error), code, message, next };
}

// --- internal ---

/** The words of an error in the form `EACCES: permission denied, open '/path'`; undefined for other errors. */
function systemReason(thrown: unknown): string | undefined {
  const code = systemCodeOf(thrown) ?? "";
  if (!(thrown instanceof Error) || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  if (!thrown.message.startsWith(`${code}: `)) return undefined;
  return SYSTEM_WORDS[code] ?? thrown.message.slice(code.length + 2).replace(/, \w.*$/s, "");
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "this machine does not have the address",
  EACCES: "permission denied",
  EDQUOT: "the disk quota of this user is exhausted",
  EISDIR: "it is a directory, not a file",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOENT: "no such file",
  ENOEXEC: "it is not an executable for this machine",
  ENOSPC: "no space left on the disk",
};
const GIVE_ACCESS = "give this user access to it, or run the command as the user who has access";
const FREE_SPACE = "free some disk space";
const SYSTEM_NEXT: Readonly<Record<string, string>> = {
  EACCES: GIVE_ACCESS,
  EPERM: GIVE_ACCESS,
  EDQUOT: FREE_SPACE,
  ENOSPC: FREE_SPACE,
  EISDIR: "move the directory away, or name a file",
  ENOENT: "check the path",
  ENOTDIR: "check the path",
  EROFS: "use a directory on a file system that this user can write to",
};
const UNREACHABLE_WORDS: Readonly<Record<string, string>> = {
  ConnectionRefused: "connection refused",
  ECONNREFUSED: "connection refused",
  // The file of a unix socket is missing.
  ENOENT: "no such file or directory",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOTFOUND: "host name not found",
};
const CONNECT_WORDS: Readonly<Record<string, string>> = {
  EPROTO: "TLS handshake failed; should the URL start with http://?",
  ECONNRESET: "connection reset by peer",
  Malformed_HTTP_Response: "the response is not HTTP",
};
