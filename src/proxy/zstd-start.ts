// Finds the first block of a zstd frame (RFC 8878), which contains up to 128 KiB of text and can be decompressed alone.

/** The end of the first block of the frame `bytes`; undefined if `bytes` does not start such a frame. */
export function firstBlockEnd(bytes: Uint8Array): number | undefined {
  const descriptor = bytes[4];
  if (descriptor === undefined || !MAGIC.every((byte, at) => bytes[at] === byte)) return undefined;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0;
  const block =
    5 +
    (isSingleSegment ? 0 : 1) +
    (DICTIONARY_BYTES[descriptor & 3] ?? 0) +
    (contentSizeBytes === 0 && isSingleSegment ? 1 : contentSizeBytes);
  const [first, second, third] = bytes.subarray(block, block + BLOCK_HEADER_BYTES);
  if (first === undefined || second === undefined || third === undefined) return undefined;
  // A run-length block takes one byte, whatever the length of its text.
  const isRunLength = ((first >> 1) & 3) === 1;
  const size = isRunLength ? 1 : (first | (second << 8) | (third << 16)) >> 3;
  return block + BLOCK_HEADER_BYTES + size;
}

// --- internal ---

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const BLOCK_HEADER_BYTES = 3;
