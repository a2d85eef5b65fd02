#!/usr/bin/env node
// Starts the codexlb executable that npm installed for this machine, in a package of its own. Runs on Node.js 18 or newer.
"use strict";

const { spawn } = require("node:child_process");
const { accessSync, chmodSync, constants, readFileSync } = require("node:fs");
const { constants: system } = require("node:os");
const { isatty } = require("node:tty");
const { version, homepage, optionalDependencies } = require("../package.json");

/** What a service manager or a user sends; a stopped executable ends only after SIGCONT. */
const FORWARDED = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT"];
/**
 * A terminal sends these to the executable too, and a second SIGINT would end a proxy that finishes its turns. So on a
 * terminal the executable gets them from there alone.
 */
const SENT_BY_TERMINAL = new Set(["SIGINT", "SIGQUIT", "SIGHUP"]);

const executable = findExecutable();
if (typeof process.execve === "function") {
  // Replaces this process, so that signals, job control and the exit status are the executable's own.
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
    // Ends by the same signal, so that the shell sees what it would see without this launcher.
    for (const name of FORWARDED) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    process.exit(128 + system.signals[signal]);
  });
}

/** The path of the executable; ends the process with a message when there is none for this machine. */
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
            .join(", ")}; ${homepage} says how to build it from source`,
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

/** Some package managers drop the mode of files that are not in `bin`. */
function makeExecutable(path) {
  try {
    chmodSync(path, 0o755);
    accessSync(path, constants.X_OK);
  } catch (error) {
    fail(
      `${path} is not executable: ${error.message}`,
      "check its mode, and that its file system allows programs",
    );
  }
}

/** What follows system and processor in the target's name: the C library, or that the processor has no AVX2. */
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

function reinstall() {
  return `run npm install -g codexlb@${version} --include=optional on this machine`;
}

function fail(message, next) {
  process.stderr.write(`codexlb: ${message}\n  ${next}\n`);
  process.exit(1);
}
