/** Bytes in order: a file, what a decompressor makes of one, another encoding's bytes as UTF-8. */
export interface ByteSource {
  /** Fills `into` from index `from`, below `to`, with at least one byte and says how many; 0 at the end. One call at a time. */
  readonly read: (into: Buffer, from: number, to: number) => Promise<number>
}

/** Reads and forgets: where a position can't be sought because the bytes are derived from others. */
export const skip = async (source: ByteSource, bytes: number): Promise<number> => {
  const scratch = Buffer.allocUnsafe(Math.min(bytes, 65_536))
  let left = bytes
  while (left > 0) {
    const count = await source.read(scratch, 0, Math.min(left, scratch.length))
    if (count === 0) break
    left -= count
  }
  return bytes - left
}
