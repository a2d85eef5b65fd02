// Checks and writes the signature in a macOS executable. The kernel hashes every page before it runs the page, and
// kills an executable that does not match its signature. macOS on arm64 also refuses an executable without a signature.
// This file writes ad-hoc signatures (without a certificate), like the linkers of Apple and Go.

import { createHash } from "node:crypto";
import { CodexlbError } from "../../src/errors.ts";
import { type MachCpu, readMachO, textUpToZero, writeSignatureSize } from "./mach-o.ts";

/** The contents of a signature. */
export interface CodeSignature {
  readonly cpu: MachCpu;
  /** The name that the signature gives the executable. */
  readonly identifier: string;
  /** True if the signature was made without a certificate. */
  readonly isAdHoc: boolean;
  /** True if the signature asks for the hardened runtime, which allows a JIT only with the entitlement for it. */
  readonly isHardened: boolean;
  /** The names of the granted entitlements, sorted. */
  readonly entitlements: readonly string[];
  /** The number of page hashes that were compared. */
  readonly pages: number;
}

/**
 * Reads the signature of `file` and compares it with the file. Throws `file_unusable` if it does not match, or if
 * `file` is not a macOS executable.
 */
export function checkSignature(file: Buffer): CodeSignature {
  const { cpu, signature } = readMachO(file);
  const blobs = readBlobs(file.subarray(signature.offset));
  const directories = blobs.filter(({ magic }) => magic === MAGIC_CODE_DIRECTORY).map(readCodeDirectory);
  const [main] = directories;
  if (main === undefined) throw invalid("it has no code directory");
  for (const directory of directories) {
    if (directory.codeLimit !== signature.offset)
      throw invalid(`it covers ${directory.codeLimit} bytes, not the ${signature.offset} before it`);
    checkPages(file, directory);
    checkSpecialSlots(blobs, directory);
  }
  return {
    cpu,
    identifier: main.identifier,
    isAdHoc: (main.flags & FLAG_AD_HOC) !== 0,
    isHardened: (main.flags & FLAG_RUNTIME) !== 0,
    entitlements: readEntitlements(blobs),
    pages: directories.reduce((sum, { codeSlots }) => sum + codeSlots, 0),
  };
}

/**
 * Returns `file`, a macOS executable, with its signature replaced by an ad-hoc one in the name of `identifier`. The new
 * signature does not ask for the hardened runtime, so the JIT needs no entitlement. Throws `file_unusable` if `file` is
 * not a macOS executable.
 */
export function signAdHoc(file: Buffer, identifier: string): Buffer {
  const machO = readMachO(file);
  const { offset } = machO.signature;
  const pages = Math.ceil(offset / PAGE_BYTES);
  const name = Buffer.from(`${identifier}\0`, "latin1");
  const hashOffset = DIRECTORY_HEADER_BYTES + name.length;
  const directory = Buffer.alloc(hashOffset + pages * SHA256_BYTES);
  directory.writeUInt32BE(MAGIC_CODE_DIRECTORY, 0);
  directory.writeUInt32BE(directory.length, 4);
  directory.writeUInt32BE(VERSION_EXECUTABLE_SEGMENT, 8);
  directory.writeUInt32BE(FLAG_AD_HOC | FLAG_LINKER_SIGNED, 12);
  directory.writeUInt32BE(hashOffset, 16);
  directory.writeUInt32BE(DIRECTORY_HEADER_BYTES, 20);
  directory.writeUInt32BE(pages, 28);
  directory.writeUInt32BE(offset, 32);
  directory.writeUInt8(SHA256_BYTES, 36);
  directory.writeUInt8(HASH_SHA256, 37);
  directory.writeUInt8(Math.log2(PAGE_BYTES), 39);
  directory.writeBigUInt64BE(BigInt(machO.text.offset), 64);
  directory.writeBigUInt64BE(BigInt(machO.text.size), 72);
  directory.writeBigUInt64BE(EXECUTABLE_SEGMENT_MAIN, 80);
  name.copy(directory, DIRECTORY_HEADER_BYTES);

  const head = Buffer.alloc(SUPER_BLOB_HEADER_BYTES + SUPER_BLOB_ENTRY_BYTES);
  head.writeUInt32BE(MAGIC_SUPER_BLOB, 0);
  head.writeUInt32BE(head.length + directory.length, 4);
  head.writeUInt32BE(1, 8);
  head.writeUInt32BE(SLOT_CODE_DIRECTORY, 12);
  head.writeUInt32BE(head.length, 16);
  const padding = Buffer.alloc(-(head.length + directory.length) & (ALIGNMENT - 1));

  const signed = Buffer.concat([file.subarray(0, offset), head, directory, padding]);
  writeSignatureSize(signed, machO, signed.length - offset);
  // Hash the pages last, because the first page contains the load commands.
  const hashes = signed.subarray(offset + head.length + hashOffset);
  for (let page = 0; page < pages; page++)
    createHash("sha256")
      .update(signed.subarray(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, offset)))
      .digest()
      .copy(hashes, page * SHA256_BYTES);
  return signed;
}

/**
 * Throws `file_unusable` if macOS would refuse the signature, or deny the executable its JIT. The signature must be ad
 * hoc, and with the hardened runtime it must grant the entitlement `com.apple.security.cs.allow-jit`.
 */
export function requireAdHocWithJit({ isAdHoc, isHardened, entitlements }: CodeSignature): void {
  if (!isAdHoc) throw invalid("it was made with a certificate, but must be ad hoc");
  if (isHardened && !entitlements.includes("com.apple.security.cs.allow-jit"))
    throw invalid("it asks for the hardened runtime without the entitlement for a JIT");
}

// --- internal ---

// <kern/cs_blobs.h>; big endian.
const MAGIC_SUPER_BLOB = 0xfade0cc0;
const MAGIC_CODE_DIRECTORY = 0xfade0c02;
const SUPER_BLOB_HEADER_BYTES = 12;
const SUPER_BLOB_ENTRY_BYTES = 8;
const DIRECTORY_HEADER_BYTES = 88;
const SLOT_CODE_DIRECTORY = 0;
const SLOT_ENTITLEMENTS = 5;
/** Slots above this one contain more code directories and the certificate's signature, which are not hashed. */
const LAST_SPECIAL_SLOT = 0xfff;
const FLAG_AD_HOC = 0x2;
const FLAG_RUNTIME = 0x10000;
/** `codesign` replaces such a signature without `--force`. */
const FLAG_LINKER_SIGNED = 0x20000;
const EXECUTABLE_SEGMENT_MAIN = 1n;
/** The first versions with a 64-bit code limit, and with the segment that contains the code. */
const VERSION_CODE_LIMIT_64 = 0x20300;
const VERSION_EXECUTABLE_SEGMENT = 0x20400;
const HASH_SHA256 = 2;
const HASHES: Readonly<Record<number, string>> = { 1: "sha1", [HASH_SHA256]: "sha256" };
const SHA256_BYTES = 32;
const PAGE_BYTES = 4096;
const ALIGNMENT = 16;

interface Blob {
  readonly slot: number;
  readonly magic: number;
  readonly bytes: Buffer;
}

interface CodeDirectory {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly identifier: string;
  readonly hash: string;
  readonly hashBytes: number;
  /** The offset of the first page's hash. The hashes of the special slots come before it. */
  readonly hashOffset: number;
  readonly specialSlots: number;
  readonly codeSlots: number;
  readonly codeLimit: number;
  readonly pageBytes: number;
}

function readBlobs(bytes: Buffer): Blob[] {
  if (bytes.readUInt32BE(0) !== MAGIC_SUPER_BLOB) throw invalid("it has an unknown format");
  return Array.from({ length: bytes.readUInt32BE(8) }, (_, index) => {
    const entry = SUPER_BLOB_HEADER_BYTES + index * SUPER_BLOB_ENTRY_BYTES;
    const offset = bytes.readUInt32BE(entry + 4);
    const blob = bytes.subarray(offset, offset + bytes.readUInt32BE(offset + 4));
    return { slot: bytes.readUInt32BE(entry), magic: blob.readUInt32BE(0), bytes: blob };
  });
}

function readCodeDirectory({ bytes }: Blob): CodeDirectory {
  const hash = HASHES[bytes.readUInt8(37)];
  if (hash === undefined) throw invalid(`it uses the unknown hash ${bytes.readUInt8(37)}`);
  const hasLimit64 = bytes.readUInt32BE(8) >= VERSION_CODE_LIMIT_64;
  const limit64 = hasLimit64 ? Number(bytes.readBigUInt64BE(56)) : 0;
  return {
    bytes,
    flags: bytes.readUInt32BE(12),
    hashOffset: bytes.readUInt32BE(16),
    identifier: textUpToZero(bytes.subarray(bytes.readUInt32BE(20))),
    specialSlots: bytes.readUInt32BE(24),
    codeSlots: bytes.readUInt32BE(28),
    codeLimit: limit64 === 0 ? bytes.readUInt32BE(32) : limit64,
    hashBytes: bytes.readUInt8(36),
    hash,
    pageBytes: 2 ** bytes.readUInt8(39),
  };
}

function checkPages(file: Buffer, directory: CodeDirectory): void {
  const { codeLimit, pageBytes, codeSlots } = directory;
  const pages = Math.ceil(codeLimit / pageBytes);
  if (codeSlots !== pages) throw invalid(`it has ${codeSlots} hashes for ${pages} pages`);
  for (let page = 0; page < pages; page++) {
    const bytes = file.subarray(page * pageBytes, Math.min((page + 1) * pageBytes, codeLimit));
    if (!hashOf(bytes, directory).equals(slotHash(directory, page)))
      throw invalid(`page ${page} of ${pages} does not match it`);
  }
}

/** Checks the hashes of the special slots (such as requirements and entitlements), which have negative numbers. */
function checkSpecialSlots(blobs: readonly Blob[], directory: CodeDirectory): void {
  for (const { slot, bytes } of blobs) {
    if (slot === SLOT_CODE_DIRECTORY || slot > LAST_SPECIAL_SLOT) continue;
    if (slot > directory.specialSlots || !hashOf(bytes, directory).equals(slotHash(directory, -slot)))
      throw invalid(`its part ${slot} does not match the hash of that part`);
  }
}

function slotHash({ bytes, hashOffset, hashBytes }: CodeDirectory, slot: number): Buffer {
  const at = hashOffset + slot * hashBytes;
  return bytes.subarray(at, at + hashBytes);
}

function hashOf(bytes: Buffer, { hash, hashBytes }: CodeDirectory): Buffer {
  return createHash(hash).update(bytes).digest().subarray(0, hashBytes);
}

function readEntitlements(blobs: readonly Blob[]): string[] {
  const list =
    blobs
      .find(({ slot }) => slot === SLOT_ENTITLEMENTS)
      ?.bytes.subarray(8)
      .toString("utf8") ?? "";
  return [...list.matchAll(/<key>([^<]+)<\/key>\s*<true\s*\/>/g)].map(([, name]) => name ?? "").sort();
}

function invalid(problem: string): CodexlbError {
  return new CodexlbError("file_unusable", `checking the signature of a macOS executable: ${problem}`, {
    next: "build the executable again, or sign it with codesign or rcodesign",
  });
}
