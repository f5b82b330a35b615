import { crc32 } from "node:zlib"

/**
 * The CRC-32 of a row: of the names and numbers that say whose and which it is, and of its bytes. A row that was moved to
 * another name is as damaged as one with another content.
 */
export const checksumOf = (fields: ReadonlyArray<string | number>, bytes: Uint8Array): number => crc32(bytes, crc32(JSON.stringify(fields)))
