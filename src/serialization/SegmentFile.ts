import { crc32 } from "node:zlib"

/*
 * A segment file is a header of 16 bytes (`RTFSSEG`, the version, the number of the segment, 4 zero bytes) and records:
 *
 *   u32 length of the payload · u32 CRC-32 of the 12 bytes beside it and the payload · u64 sequence · payload
 *
 * All numbers are big-endian. The CRC covers the length and the sequence, so that no damaged header is believed.
 */

export const segmentVersion = 1
export const segmentHeaderBytes = 16
export const recordHeaderBytes = 16
const magic = "RTFSSEG"

/** The largest payload that a record may have. A length beyond it is damage. */
export const maxRecordBytes = 1024 * 1024 * 1024

export interface SegmentRecord {
  readonly sequence: number
  readonly payload: Uint8Array
}

export const segmentHeader = (segment: number): Buffer => {
  const header = Buffer.alloc(segmentHeaderBytes)
  header.write(magic, "latin1")
  header[7] = segmentVersion
  header.writeUInt32BE(segment, 8)
  return header
}

/** @returns what is wrong with the header of a segment file, or `undefined` */
export const segmentHeaderProblem = (bytes: Buffer, segment: number): string | undefined => {
  if (bytes.length < segmentHeaderBytes || bytes.toString("latin1", 0, 7) !== magic) return "it does not begin as a segment file does"
  if (bytes[7] !== segmentVersion) return `its version is ${bytes[7]} and this release reads ${segmentVersion}`
  return bytes.readUInt32BE(8) === segment && bytes.readUInt32BE(12) === 0 ? undefined : "it was written as another segment"
}

/** Writes one record at `offset`, where there is room for it. */
export const writeRecord = (into: Buffer, offset: number, sequence: number, payload: Uint8Array): void => {
  into.writeUInt32BE(payload.length, offset)
  into.writeUInt32BE(Math.floor(sequence / 2 ** 32), offset + 8)
  into.writeUInt32BE(sequence % 2 ** 32, offset + 12)
  into.set(payload, offset + recordHeaderBytes)
  into.writeUInt32BE(checksum(into, offset, payload.length), offset + 4)
}

const checksum = (bytes: Buffer, offset: number, length: number): number =>
  crc32(bytes.subarray(offset + 8, offset + recordHeaderBytes + length), crc32(bytes.subarray(offset, offset + 4)))

/**
 * What stands at `offset`: a record, only the start of one (`"cut"`, with the bytes that a whole one would take), or
 * something that is none (`"damaged"`).
 */
export const readRecord = (
  bytes: Buffer,
  offset: number
):
  | { readonly kind: "record"; readonly sequence: number; readonly size: number }
  | { readonly kind: "cut"; readonly size: number }
  | { readonly kind: "damaged" } => {
  if (bytes.length - offset < recordHeaderBytes) return { kind: "cut", size: recordHeaderBytes }
  const length = bytes.readUInt32BE(offset)
  if (length > maxRecordBytes) return { kind: "damaged" }
  const size = recordHeaderBytes + length
  if (bytes.length - offset < size) return { kind: "cut", size }
  const sequence = bytes.readUInt32BE(offset + 8) * 2 ** 32 + bytes.readUInt32BE(offset + 12)
  return checksum(bytes, offset, length) === bytes.readUInt32BE(offset + 4) && Number.isSafeInteger(sequence)
    ? { kind: "record", sequence, size }
    : { kind: "damaged" }
}

/** Where the whole records from `from` on end, and whether a whole one follows after that: then the gap is damage. */
export const scanRecords = (
  bytes: Buffer,
  from: number
): { readonly end: number; readonly records: number; readonly lastSequence: number | undefined; readonly laterRecord: number } => {
  let end = from
  let records = 0
  let lastSequence: number | undefined
  for (;;) {
    const found = readRecord(bytes, end)
    if (found.kind !== "record") break
    end += found.size
    lastSequence = found.sequence
    records++
  }
  return { end, records, lastSequence, laterRecord: laterRecord(bytes, end, lastSequence ?? -1) }
}

/**
 * The first place after `from` where a whole record stands, or −1. A crash cuts the end off, so there is none after
 * it; where there is one, a length or a record before it was damaged.
 *
 * **Cost** looks at each byte, but computes a CRC only where the sequence goes on from `after` within a million.
 */
const laterRecord = (bytes: Buffer, from: number, after: number): number => {
  for (let offset = from + 1; offset + recordHeaderBytes <= bytes.length; offset++) {
    const sequence = bytes.readUInt32BE(offset + 8) * 2 ** 32 + bytes.readUInt32BE(offset + 12)
    if (sequence <= after || sequence > after + 1_000_000) continue
    if (readRecord(bytes, offset).kind === "record") return offset
  }
  return -1
}
