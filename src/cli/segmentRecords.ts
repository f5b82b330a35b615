import { basename, dirname } from "node:path"
import { type SegmentHandle, SegmentLog, type SegmentRecord, type SegmentStorage } from "../serialization/index.ts"

/** Whether a file is one of the segments of a log. */
export const isSegment = (bytes: Buffer): boolean => bytes.toString("latin1", 0, 7) === "RTFSSEG"

/**
 * The records of one segment file.
 *
 * They are read by the log's own reader, on a copy in memory: opening a log mends its end, and a look must change nothing.
 *
 * @returns `cutBytes`: how much of a record that was not written to its end stands behind the last one
 *
 * **Fails** with `DamagedSegment`.
 */
export const segmentRecords = async (
  file: string,
  bytes: Buffer
): Promise<{ readonly records: AsyncIterable<SegmentRecord>; readonly cutBytes: number }> => {
  const [, name = "segment"] = /^([A-Za-z0-9._-]{1,128})-\d{8}\.seg$/.exec(basename(file)) ?? []
  const number = bytes.length >= 12 ? bytes.readUInt32BE(8) : 1
  const log = await SegmentLog.open({
    directory: dirname(file),
    name,
    storage: copyInMemory(bytes, `${name}-${String(number).padStart(8, "0")}.seg`)
  })
  const reader = log.read()
  const records = async function* () {
    for (let record = await reader.next(); record !== undefined; record = await reader.next()) yield record
  }
  return { records: records(), cutBytes: log.repair?.cutBytes ?? 0 }
}

/** A disk with one file, whose changes nobody sees. */
const copyInMemory = (bytes: Buffer, file: string): SegmentStorage => {
  let content = Buffer.from(bytes)
  const handle: SegmentHandle = {
    read: async (into, position) => content.copy(into, 0, position, position + into.length),
    size: async () => content.length,
    truncate: async (size) => {
      content = content.subarray(0, size)
    },
    write: async (written, position) => {
      content = Buffer.concat([content.subarray(0, position), written, content.subarray(position + written.length)])
    },
    sync: async () => {},
    close: async () => {}
  }
  return {
    list: async () => [file],
    open: async () => handle,
    create: async () => handle,
    remove: async () => {},
    syncDirectory: async () => {}
  }
}
