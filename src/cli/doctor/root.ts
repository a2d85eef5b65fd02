// Checks the root on disk: does it exist, is it private, are settings and store readable, are there leftovers.

import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { advised } from "../../advice.ts";
import { brokenLogins, leftovers, sweepHomes, sweepLogins } from "../../auth/leftovers.ts";
import { messageOf } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { readConfigText } from "../../state/config.ts";
import { effectiveConfig, readConfig, readConfigFile } from "../../state/config-source.ts";
import type { Layout } from "../../state/layout.ts";
import { tryLock } from "../../state/lock.ts";
import { makePathPrivate, pathsForOthers, replaceableBy } from "../../state/private-root.ts";
import { exposureNext, exposureProblem } from "../../state/settings.ts";
import { openStore } from "../../state/store.ts";
import { decodeStore } from "../../state/store-decode.ts";
import { CHECK_ROOT, type CommandContext } from "../context.ts";
import { examineAnchoring } from "./anchoring.ts";
import { type Finding, ok } from "./finding.ts";
import { examineKeyHomes } from "./key-homes.ts";
import { examineNotifications } from "./notifications.ts";
import { examinePaths } from "./paths.ts";
import { examineUsageFiles } from "./usage-files.ts";

/** The finding of a root that this user cannot read; undefined if it can be read, or does not exist yet. */
export function unreadableRoot({ layout }: CommandContext): Finding | undefined {
  try {
    if (lstatSync(layout.root, { throwIfNoEntry: false }) === undefined) return undefined;
    if (statSync(layout.root).isDirectory()) accessSync(layout.root, constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return {
      check: "root",
      status: "bad",
      detail: `reading ${layout.root}: ${messageOf(error)}; the other checks need it`,
      remedy: "run this command as the user that owns the root, or name another root with --root",
    };
  }
}

/** Checks the root, which this user can read. `proxyUrl` is the URL of a named proxy, which has the accounts. */
export function examineRoot(context: CommandContext, proxyUrl: string | undefined): Finding[] {
  const { layout } = context;
  const found = lstatSync(layout.root, { throwIfNoEntry: false });
  if (found === undefined) return [missingRoot(context, proxyUrl)];
  if (!statSync(layout.root).isDirectory())
    return [
      {
        check: "root",
        status: "bad",
        detail: `${layout.root} is not a directory`,
        remedy: "choose another --root",
      },
    ];
  return [
    ok("root", layout.root),
    examinePermissions(layout),
    ...examineConfig(context),
    examineStore(context),
    ...examineUsageFiles(context),
    ...examineLeftovers(layout),
    ...examineKeyHomes(context),
    ...examinePaths(context),
    ...examineNotifications(context),
    ...anchoringFindings(layout),
  ];
}

// --- internal ---

function missingRoot({ layout, rootNamed }: CommandContext, proxyUrl: string | undefined): Finding {
  // `codexlb run` creates only the default root.
  if (proxyUrl !== undefined && !rootNamed)
    return ok("root", `${layout.root} does not exist yet; codexlb run creates it`);
  const create = `create it with: ${advised("account login", "ALIAS")}, or: ${advised("proxy start")}`;
  const remedies = [...(rootNamed ? [CHECK_ROOT] : []), ...(proxyUrl === undefined ? [create] : [])];
  return {
    check: "root",
    status: "warning",
    detail: `${layout.root} does not exist yet`,
    remedy: remedies.join(", or "),
  };
}

function anchoringFindings(layout: Layout): Finding[] {
  try {
    return examineAnchoring(readConfig(layout));
  } catch {
    return []; // the check of the settings reports the problem
  }
}

function examinePermissions(layout: Layout): Finding {
  const unsafe = replaceableBy(layout.root);
  if (unsafe !== undefined)
    return {
      check: "permissions",
      status: "bad",
      detail: unsafe.message,
      remedy: unsafe.next,
    };
  const open = pathsForOthers(layout);
  if (open.length === 0) return ok("permissions", "only you can read it");
  return {
    check: "permissions",
    status: "bad",
    detail: `other users can access ${open.join(", ")}`,
    remedy: `run: ${advised("doctor", "--fix")}, or: chmod go= ${open[0]}`,
    fix: () => open.forEach(makePathPrivate),
  };
}

function examineConfig({ deps, layout }: CommandContext): Finding[] {
  try {
    if (readConfigText(layout.config) === undefined)
      return [ok("config", `${layout.config} does not exist yet; the defaults apply`)];
    const file = readConfigFile(layout);
    const exposure = exposureProblem(effectiveConfig(file, {}, deps.env).config);
    const unknown = file.unknown.map(
      (line): Finding => ({
        check: "config",
        status: "warning",
        detail: line,
        remedy: `correct it in ${layout.config}`,
      }),
    );
    if (exposure !== undefined)
      return [...unknown, { check: "config", status: "bad", detail: exposure, remedy: exposureNext() }];
    return unknown.length > 0 ? unknown : [ok("config", layout.config)];
  } catch (error) {
    return [{ check: "config", status: "bad", detail: messageOf(error), remedy: "correct the file" }];
  }
}

function examineStore({ deps, layout }: CommandContext): Finding {
  let text: string | undefined;
  try {
    text = readTextIfPresent(layout.store);
  } catch (error) {
    return { check: "store", status: "bad", detail: messageOf(error), remedy: "check its permissions" };
  }
  if (text === undefined) return ok("store", `${layout.store} does not exist yet`);
  const decoded = decodeStore(text, "", deps.clock.now());
  switch (decoded.kind) {
    case "ok":
      return ok("store", `${layout.store}, accounts: ${decoded.state.accounts.length}`);
    case "newer":
      return {
        check: "store",
        status: "bad",
        detail: `${layout.store} was written by a newer codexlb (version ${decoded.version})`,
        remedy: "install that version",
      };
    case "damaged":
      return {
        check: "store",
        status: "bad",
        detail: `${layout.store} is damaged: ${decoded.why}`,
        remedy: `run: ${advised("doctor", "--fix")}, which restores it from its backup or from accounts/ and keeps the damaged file`,
        fix: () =>
          owning(layout, () => {
            const store = openStore(layout.store, () => "", deps);
            store.touch();
            store.flush();
          }),
      };
    default:
      return decoded satisfies never;
  }
}

function examineLeftovers(layout: Layout): Finding[] {
  const paths = leftovers(layout);
  const logins = brokenLogins(layout);
  const kept = logins.filter(({ holdsLogin }) => holdsLogin).map(({ path }) => path);
  const check = "leftovers";
  const findings: Finding[] = [];
  if (paths.length > 0)
    findings.push({
      check,
      status: "warning",
      detail: `a killed process left ${paths.join(", ")}`,
      remedy: `run: ${advised("doctor", "--fix")}`,
      fix: () => owning(layout, () => sweepHomes(layout)),
    });
  if (logins.length > kept.length)
    findings.push({
      check,
      status: "warning",
      detail: `homes left by interrupted logins in ${layout.logins}: ${logins.length - kept.length}`,
      remedy: `run: ${advised("doctor", "--fix")}`,
      fix: () => sweepLogins(layout),
    });
  if (kept.length > 0)
    findings.push({
      check,
      status: "warning",
      detail: `logins without an account: ${kept.join(", ")}`,
      remedy: `run: ${advised("account import", "--from", kept[0] ?? "", "ALIAS")}; then delete the directory`,
    });
  return findings;
}

/** Does `work` under the lock of the root. Throws if a proxy is running there. */
function owning(layout: Layout, work: () => void): void {
  const lock = tryLock(layout.lock);
  if (lock === undefined) throw new Error("a proxy runs on this root; stop it first");
  try {
    work();
  } finally {
    lock.release();
  }
}
