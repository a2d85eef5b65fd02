// Reads the parts of a macOS executable that its signature depends on.

import { CodexlbError } from "../../src/errors.ts";

/** The processor types that codexlb is built for. */
export type MachCpu = "x64" | "arm64";

/** A segment of the file; all numbers in bytes from the start of the file. */
export interface Segment {
  /** The position of the load command that describes the segment. */
  readonly command: number;
  readonly offset: number;
  readonly size: number;
}

export interface MachO {
  readonly cpu: MachCpu;
  /** The program's code. */
  readonly text: Segment;
  /** The last segment. It ends with the signature. */
  readonly linkEdit: Segment;
  readonly signature: Segment;
}

/**
 * Reads the header of `file`, a 64-bit Mach-O executable for one processor type. Throws `file_unusable` if the file is
 * not such an executable, or has no place for a signature at its end.
 */
export function readMachO(file: Buffer): MachO {
  if (file.length < HEADER_BYTES || file.readUInt32LE(0) !== MAGIC)
    throw unusable("it is not a 64-bit Mach-O file for one processor type");
  const cpu = CPU_TYPES.get(file.readUInt32LE(4));
  if (cpu === undefined || file.readUInt32LE(12) !== TYPE_EXECUTABLE)
    throw unusable("it is not an executable for x64 or arm64");
  const found = new Map<string, Segment>();
  let command = HEADER_BYTES;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    const kind = file.readUInt32LE(command);
    if (kind === COMMAND_SEGMENT_64) {
      const [offset, size] = [file.readBigUInt64LE(command + 40), file.readBigUInt64LE(command + 48)];
      const name = textUpToZero(file.subarray(command + 8, command + 24));
      found.set(name, { command, offset: Number(offset), size: Number(size) });
    } else if (kind === COMMAND_CODE_SIGNATURE) {
      const [offset, size] = [file.readUInt32LE(command + 8), file.readUInt32LE(command + 12)];
      found.set(SIGNATURE, { command, offset, size });
    }
    command += file.readUInt32LE(command + 4);
  }
  const [text, linkEdit, signature] = [found.get("__TEXT"), found.get("__LINKEDIT"), found.get(SIGNATURE)];
  if (text === undefined || linkEdit === undefined || signature === undefined)
    throw unusable("it has no code, no __LINKEDIT or no signature");
  const end = signature.offset + signature.size;
  if (end !== file.length || end !== linkEdit.offset + linkEdit.size)
    throw unusable("its signature is not at the end of __LINKEDIT and of the file");
  return { cpu, text, linkEdit, signature };
}

/** Sets the size of the signature in the load commands of `file` to `size` bytes. */
export function writeSignatureSize(file: Buffer, { linkEdit, signature }: MachO, size: number): void {
  const linkEditBytes = signature.offset + size - linkEdit.offset;
  file.writeBigUInt64LE(BigInt(Math.ceil(linkEditBytes / PAGE_BYTES) * PAGE_BYTES), linkEdit.command + 32);
  file.writeBigUInt64LE(BigInt(linkEditBytes), linkEdit.command + 48);
  file.writeUInt32LE(size, signature.command + 12);
}

/** The text of `bytes` up to their first zero byte. */
export function textUpToZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString("latin1");
}

// --- internal ---

// <mach-o/loader.h>; little endian on both processor types.
const MAGIC = 0xfeedfacf;
const HEADER_BYTES = 32;
const TYPE_EXECUTABLE = 2;
const CPU_TYPES: ReadonlyMap<number, MachCpu> = new Map([
  [0x01000007, "x64"],
  [0x0100000c, "arm64"],
]);
const COMMAND_SEGMENT_64 = 0x19;
const COMMAND_CODE_SIGNATURE = 0x1d;
/** The key of the signature. Names of segments begin with two underscores, so none can equal it. */
const SIGNATURE = "signature";
/** The larger of the two page sizes. The size of a segment in memory is a multiple of it. */
const PAGE_BYTES = 0x4000;

function unusable(problem: string): CodexlbError {
  return new CodexlbError("file_unusable", `reading a macOS executable: ${problem}`, {
    next: "inspect the file that this version of Bun writes: otool -l shows the load commands",
  });
}
