import { DamagedSegment, SegmentFailed } from "./errors.ts"
import { scanRecords, segmentHeader, segmentHeaderBytes, segmentHeaderProblem } from "./SegmentFile.ts"
import type { SegmentPosition } from "./SegmentReader.ts"
import type { SegmentHandle } from "./SegmentStorage.ts"

/** What opening found at the end of the last segment. */
export interface SegmentRepair {
  readonly file: string
  /** Bytes of a record that was not whole, which are cut. */
  readonly cutBytes: number
}

export interface Segment {
  readonly number: number
  readonly file: string
  readonly handle: SegmentHandle
  /** How long it is on disk, of which the records behind it may still be in the buffers. */
  size: number
}

export const isBefore = (a: SegmentPosition, b: SegmentPosition): boolean =>
  a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)

/** Runs an operation of the storage; its failure says what was attempted on which file. */
export const attempt = async <A>(operation: string, file: string, run: () => Promise<A>): Promise<A> => {
  try {
    return await run()
  } catch (cause) {
    throw new SegmentFailed({ operation, file, cause })
  }
}

/** Checks that a file is the segment it is called. Only the last one, which a crash may have cut, is given a new header. */
export const checkHeader = async (segment: Segment, mayRepair: boolean): Promise<SegmentRepair | undefined> => {
  const { file, handle, number, size } = segment
  const header = Buffer.alloc(segmentHeaderBytes)
  await attempt("read", file, () => handle.read(header, 0))
  const problem = segmentHeaderProblem(header, number)
  if (problem === undefined && size >= segmentHeaderBytes) return undefined
  // Cut within its header, or never more than zeros because power failed before anything reached the disk.
  if (!mayRepair || (size >= segmentHeaderBytes && !header.every((byte) => byte === 0)))
    throw new DamagedSegment({ file, offset: 0, problem: problem ?? "it ends within its header" })
  await attempt("repair", file, async () => {
    await handle.truncate(0)
    await handle.write(segmentHeader(number), 0)
  })
  segment.size = segmentHeaderBytes
  return { file, cutBytes: size }
}

/** Cuts what a crash left of a record at the end of the last segment. */
export const repairTail = async (segment: Segment, syncedTo: SegmentPosition | undefined): Promise<SegmentRepair | undefined> => {
  const { file, handle, number, size } = segment
  const bytes = Buffer.allocUnsafeSlow(size)
  await attempt("read", file, () => handle.read(bytes, 0))
  const { end, laterRecord } = scanRecords(bytes, segmentHeaderBytes)
  if (end === size) return undefined
  const isKnownGood = syncedTo !== undefined && (number < syncedTo.segment || (number === syncedTo.segment && end < syncedTo.offset))
  if (isKnownGood || (syncedTo === undefined && laterRecord >= 0))
    throw new DamagedSegment({
      file,
      offset: end,
      problem: isKnownGood
        ? "a record that was synced is cut or changed"
        : `a record is cut or changed, but there are whole ones from byte ${laterRecord} on`
    })
  await attempt("repair", file, () => handle.truncate(end))
  segment.size = end
  return { file, cutBytes: size - end }
}
