import { DamagedSegment } from "./errors.ts"
import { readRecord, recordHeaderBytes, segmentHeaderBytes, type SegmentRecord } from "./SegmentFile.ts"

/** A place between two records. */
export interface SegmentPosition {
  readonly segment: number
  readonly offset: number
}

/** Some bytes of a log, that begin with a record and may end within one. */
export interface Piece {
  readonly bytes: Buffer
  readonly file: string
  readonly isLast: boolean
}

/**
 * Reads a log record by record. A reader that has come to the end goes on when more was appended.
 *
 * **Fails** with `DamagedSegment` at a record whose CRC is wrong, and goes no further.
 */
export class SegmentReader {
  /** Behind the record that was read last. */
  position: SegmentPosition
  readonly #bytesAt: (position: SegmentPosition, wanted: number) => Promise<Piece>
  #piece: Piece = { bytes: nothing, file: "", isLast: true }
  #at = 0

  /** @internal Use `SegmentLog.read`. */
  constructor(from: SegmentPosition, bytesAt: (position: SegmentPosition, wanted: number) => Promise<Piece>) {
    this.position = from
    this.#bytesAt = bytesAt
  }

  /** The next record, with a payload of its own memory, or `undefined` at the end. */
  async next(): Promise<SegmentRecord | undefined> {
    let wanted = readBytes
    for (;;) {
      const { bytes } = this.#piece
      const found = readRecord(bytes, this.#at)
      if (found.kind === "record") return this.#take(found.sequence, found.size)
      if (found.kind === "damaged") throw this.#damage("the CRC of a record is wrong")
      const left = bytes.length - this.#at
      // Asked for all that the record needs and given less: it reaches beyond the end of its file.
      if (left > 0 && wanted > readBytes) throw this.#damage("a record is longer than its segment")
      if (left > 0) wanted = Math.max(found.size, readBytes + 1)
      this.#piece = await this.#bytesAt(this.position, wanted)
      this.#at = 0
      if (this.#piece.bytes.length > 0) continue
      if (this.#piece.isLast) return undefined
      this.position = { segment: this.position.segment + 1, offset: segmentHeaderBytes }
      wanted = readBytes
    }
  }

  #take(sequence: number, size: number): SegmentRecord {
    const payload = new Uint8Array(this.#piece.bytes.subarray(this.#at + recordHeaderBytes, this.#at + size))
    this.#at += size
    this.position = { segment: this.position.segment, offset: this.position.offset + size }
    return { sequence, payload }
  }

  #damage(problem: string): DamagedSegment {
    return new DamagedSegment({ file: this.#piece.file, offset: this.position.offset, problem })
  }
}

const readBytes = 256 * 1024
export const nothing = Buffer.alloc(0)
