#!/usr/bin/env node
// Starts the codexlb executable for this machine, which npm installed as a separate package. Runs on Node.js 18 or
// newer.
"use strict";

const { spawn } = require("node:child_process");
const { accessSync, chmodSync, constants, readFileSync } = require("node:fs");
const { constants: system } = require("node:os");
const { isatty } = require("node:tty");
const { version, homepage, optionalDependencies } = require("../package.json");

/**
 * The signals that a service manager or a user sends. SIGCONT is included, because a stopped executable exits only after
 * it.
 */
const FORWARDED = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT"];
/**
 * The signals that a terminal also sends to the executable. On a terminal the launcher does not forward them, because a
 * second SIGINT would kill a proxy that waits for its turns to finish.
 */
const SENT_BY_TERMINAL = new Set(["SIGINT", "SIGQUIT", "SIGHUP"]);

const executable = findExecutable();
if (typeof process.execve === "function") {
  // Replaces this process, so that the executable itself gets the signals and returns the exit status.
  process.execve(executable, [executable, ...process.argv.slice(2)], process.env);
} else {
  runAsChild();
}

function runAsChild() {
  const onTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  const child = spawn(executable, process.argv.slice(2), { stdio: "inherit" });
  for (const signal of FORWARDED)
    process.on(signal, () => {
      if (!onTerminal || !SENT_BY_TERMINAL.has(signal)) child.kill(signal);
    });
  child.on("error", (error) => fail(`starting ${executable} failed: ${error.message}`, reinstall()));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    // Exit by the same signal, so that the shell sees the same result as without this launcher.
    for (const name of FORWARDED) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    process.exit(128 + system.signals[signal]);
  });
}

/** Returns the path of the executable. If there is none for this machine, prints a message and exits. */
function findExecutable() {
  const target = `${process.platform}-${process.arch}${variant()}`;
  const name = Object.keys(optionalDependencies).find((candidate) => candidate.endsWith(`/${target}`));
  if (name === undefined)
    fail(
      `there is no build for ${target}`,
      process.platform === "win32"
        ? "install it inside WSL"
        : `builds exist for ${Object.keys(optionalDependencies)
            .map((candidate) => candidate.split("/")[1])
            .join(", ")}; to build from source, see ${homepage}`,
    );
  let path;
  try {
    path = require.resolve(`${name}/bin/codexlb`);
  } catch {
    fail(`the package ${name} is missing; npm installs it together with codexlb`, reinstall());
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    makeExecutable(path);
  }
  return path;
}

/** Sets the mode of the executable, because some package managers drop that of files not listed in `bin`. */
function makeExecutable(path) {
  try {
    chmodSync(path, 0o755);
    accessSync(path, constants.X_OK);
  } catch (error) {
    fail(
      `${path} is not executable: ${error.message}`,
      "make it executable, and check that its file system is not mounted with noexec",
    );
  }
}

/** Returns the last part of the target's name: `-musl`, `-baseline` for a processor without AVX2, or nothing. */
function variant() {
  if (process.platform !== "linux") return "";
  const musl = process.report.getReport().header.glibcVersionRuntime === undefined;
  if (process.arch !== "x64" || hasAvx2()) return musl ? "-musl" : "";
  if (musl)
    fail(
      "this processor has no AVX2, which the build for musl needs",
      "use a system with glibc on this machine",
    );
  return "-baseline";
}

function hasAvx2() {
  try {
    return /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return true;
  }
}

/** Returns the advice for reinstalling this copy: in its project if it is part of one, otherwise globally. */
function reinstall() {
  const at = __dirname.indexOf("/node_modules/");
  const project = __dirname.slice(0, Math.max(at, 0));
  // npm's global directory is PREFIX/lib/node_modules. The directories of npx are temporary.
  const isGlobal = at < 0 || project.endsWith("/lib") || project.includes("/_npx/");
  const place = isGlobal ? "-g" : `--prefix '${project.replaceAll("'", "'\\''")}'`;
  return `run npm install ${place} codexlb@${version} --include=optional on this machine`;
}

function fail(message, next) {
  process.stderr.write(`codexlb: ${message}\n  ${next}\n`);
  process.exit(1);
}
