import { join } from "node:path"
import { DamagedSegment, type SegmentFailed } from "./errors.ts"
import { maxRecordBytes, recordHeaderBytes, segmentHeader, segmentHeaderBytes, writeRecord } from "./SegmentFile.ts"
import { nothing, type Piece, type SegmentPosition, SegmentReader } from "./SegmentReader.ts"
import { attempt, checkHeader, isBefore, repairTail, type Segment, type SegmentRepair } from "./SegmentRepair.ts"
import { fileSegmentStorage, type SegmentStorage } from "./SegmentStorage.ts"

export interface SegmentLogOptions {
  /** Made if there is none. Nobody else may write there meanwhile. */
  readonly directory: string
  /** What its files are called: `name-00000001.seg`. Letters, digits, `.`, `_` and `-`. */
  readonly name: string
  /** A segment ends with the record that reaches this many bytes. */
  readonly segmentBytes?: number
  /** How much is gathered before it is written. Two buffers of this size are held. */
  readonly bufferBytes?: number
  /**
   * Up to where records are known to have been synced, from a checkpoint for example. Damage before it is an error;
   * after it everything from the first damaged record on is cut, since power may have failed.
   */
  readonly syncedTo?: SegmentPosition
  readonly storage?: SegmentStorage
}

/**
 * A sequence of records in files, in the order in which they were appended: what a mailbox spills, what a journal keeps.
 *
 * Records gather in one buffer while the other is being written. They can be read as soon as they are appended, so
 * a full disk keeps nobody from what is still in memory.
 *
 * **Fails** with `SegmentFailed` when the disk refuses, for example because it is full. The record at hand was not
 * accepted then, all before it are kept, and the next call tries again (but for `sync`).
 * **Delivery** after a crash of the process what was flushed is there, after a loss of power what was synced.
 * **Bounds** two buffers of `bufferBytes` (1 MiB), or of the largest record.
 * **Stopping** `close` flushes and keeps the files, `remove` deletes them.
 */
export class SegmentLog {
  readonly #options: Required<Omit<SegmentLogOptions, "syncedTo">>
  readonly #segments: Array<Segment>
  /** What opening had to cut, to be reported. */
  readonly repair: SegmentRepair | undefined
  #filling: Buffer
  #filled = 0
  #spare: Buffer | undefined
  /** A buffer that is being written, or could not be written yet. */
  #pending: Buffer | undefined
  #writing: Promise<void> | undefined
  /** A segment whose file was made but whose header could not be written yet. */
  #unborn: Segment | undefined
  #directoryChanged = true
  #syncFailure: SegmentFailed | undefined
  /** All that changes files happens one after the other. */
  #work: Promise<void> = Promise.resolve()
  #waiting = 0
  #isOpen = true

  private constructor(options: Required<Omit<SegmentLogOptions, "syncedTo">>, segments: Array<Segment>, repair: SegmentRepair | undefined) {
    this.#options = options
    this.#segments = segments
    this.repair = repair
    this.#filling = Buffer.allocUnsafeSlow(options.bufferBytes)
  }

  /**
   * Opens the log of this name with the records that are there, or an empty one.
   *
   * **Fails** with `SegmentFailed`, and with `DamagedSegment` where more is wrong than the end that a crash cut off.
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(options.name))
      throw new RangeError(`A segment log can't be called ${JSON.stringify(options.name)}: use letters, digits, ".", "_" and "-".`)
    const all = {
      storage: fileSegmentStorage,
      ...options,
      segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
      bufferBytes: options.bufferBytes ?? 1024 * 1024
    }
    const { directory, name, storage } = all
    const numbers = segmentNumbers(await attempt("list", directory, () => storage.list(directory)), name)
    const segments: Array<Segment> = []
    let repair: SegmentRepair | undefined
    try {
      for (const [i, number] of numbers.entries()) {
        const file = join(directory, fileName(name, number))
        if (i > 0 && number !== numbers[i - 1]! + 1)
          throw new DamagedSegment({ file, offset: 0, problem: `segment ${numbers[i - 1]! + 1} before it is missing` })
        const handle = await attempt("open", file, () => storage.open(file))
        const segment = { number, file, handle, size: await attempt("read", file, () => handle.size()) }
        segments.push(segment)
        const isLast = i === numbers.length - 1
        const wasSynced = options.syncedTo !== undefined && isBefore({ segment: number, offset: segmentHeaderBytes }, options.syncedTo)
        repair = (await checkHeader(segment, isLast && !wasSynced)) ?? (isLast ? await repairTail(segment, options.syncedTo) : undefined)
      }
      const last = segments.at(-1)
      const end = { segment: last?.number ?? 1, offset: last?.size ?? segmentHeaderBytes }
      if (options.syncedTo !== undefined && isBefore(end, options.syncedTo)) {
        const file = join(directory, fileName(name, options.syncedTo.segment))
        throw new DamagedSegment({
          file,
          offset: end.offset,
          problem: `records up to byte ${options.syncedTo.offset} were synced and are missing`
        })
      }
    } catch (error) {
      await Promise.allSettled(segments.map((segment) => segment.handle.close()))
      throw error
    }
    return new SegmentLog(all, segments, repair)
  }

  /** Where the next record will stand: after all that was appended. */
  get end(): SegmentPosition {
    const last = this.#segments.at(-1)
    return last === undefined
      ? { segment: 1, offset: segmentHeaderBytes }
      : { segment: last.number, offset: last.size + (this.#pending?.length ?? 0) + this.#filled }
  }

  /** Where the oldest record stands that was not dropped. */
  get start(): SegmentPosition {
    return { segment: this.#segments[0]?.number ?? 1, offset: segmentHeaderBytes }
  }

  /** What the log takes on disk, the buffers included. */
  get byteLength(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.size, 0) + (this.#pending?.length ?? 0) + this.#filled
  }

  /**
   * Adds a record.
   *
   * @returns when the record was copied, which is at once while the disk keeps up
   *
   * **Backpressure** waits while both buffers are full.
   */
  append(sequence: number, payload: Uint8Array): Promise<void> {
    if (!this.#isOpen) return Promise.reject(closed(this.#options.name))
    if (payload.length > maxRecordBytes)
      return Promise.reject(
        new RangeError(`A record of ${payload.length} bytes is too long for a segment: ${maxRecordBytes} is the limit.`)
      )
    const size = recordHeaderBytes + payload.length
    // Without a failure to mend and nobody in front, a record that fits is only copied.
    if (this.#waiting === 0 && this.#segments.length > 0 && this.#filled + size <= this.#filling.length && !this.#isSegmentFull()) {
      this.#copy(sequence, payload, size)
      return Promise.resolve()
    }
    return this.#enqueue(async () => {
      if (this.#segments.length === 0 || this.#isSegmentFull()) await this.#roll()
      if (this.#filled + size > this.#filling.length) await this.#turnOver(size)
      this.#copy(sequence, payload, size)
    })
  }

  /** Hands all records to the system, where they survive a crash of this process. */
  flush(): Promise<void> {
    return this.#enqueue(() => this.#flushAll())
  }

  /**
   * Makes all records survive a loss of power.
   *
   * @returns their end, to be kept as `syncedTo`
   *
   * **Fails** with `SegmentFailed`, and from then on always: what the disk dropped can't be told. Start a new log.
   */
  async sync(): Promise<SegmentPosition> {
    let end = this.end
    await this.#enqueue(async () => {
      await this.#flushAll()
      end = this.end
      await this.#syncLast()
    })
    return end
  }

  /** Reads from a position on, by default from the oldest record, as far as the log has come. */
  read(from: SegmentPosition = this.start): SegmentReader {
    return new SegmentReader(from, (position, wanted) => this.#bytesAt(position, wanted))
  }

  /** Deletes the segments that lie wholly before a position; `byteLength` tells what that frees. */
  dropBefore(position: SegmentPosition): Promise<void> {
    return this.#enqueue(async () => {
      while (this.#segments.length > 1 && this.#segments[0]!.number < position.segment) {
        await this.#delete(this.#segments[0]!)
        this.#segments.shift()
      }
    })
  }

  /** Writes what is held and lets go of the files. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isOpen) return this.#work
    await this.flush()
    this.#isOpen = false
    await this.#enqueue(async () => {
      // The next opening repairs the header of an unborn one.
      for (const segment of [...this.#segments, this.#unborn]) await segment?.handle.close()
    })
  }

  /** Deletes the log and all its records. */
  async remove(): Promise<void> {
    const wasOpen = this.#isOpen
    this.#isOpen = false
    await this.#enqueue(async () => {
      await this.#writing?.catch(() => undefined)
      this.#pending = undefined
      this.#filled = 0
      if (this.#unborn !== undefined) this.#segments.push(this.#unborn)
      this.#unborn = undefined
      for (; this.#segments.length > 0; this.#segments.shift()) await this.#delete(this.#segments[0]!, wasOpen)
    })
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#waiting++
    const done = this.#work.then(task).finally(() => this.#waiting--)
    this.#work = done.catch(() => undefined)
    return done
  }

  #isSegmentFull(): boolean {
    return this.end.offset >= this.#options.segmentBytes
  }

  #copy(sequence: number, payload: Uint8Array, size: number): void {
    writeRecord(this.#filling, this.#filled, sequence, payload)
    this.#filled += size
  }

  /** Makes room for a record: starts to write what was gathered and goes on in the other buffer. */
  async #turnOver(size: number): Promise<void> {
    await this.#writePending()
    if (this.#filled > 0) {
      this.#swap()
      // In the background, while records gather in the other buffer. After a failure the buffer is still pending, and
      // whoever needs it written next tries again and hears of it.
      this.#writePending().catch(() => undefined)
    }
    if (size > this.#filling.length) this.#filling = Buffer.allocUnsafeSlow(size)
  }

  #writePending(): Promise<void> {
    if (this.#pending === undefined) return Promise.resolve()
    return (this.#writing ??= this.#writeOnce(this.#pending).finally(() => {
      this.#writing = undefined
    }))
  }

  /** Writes at the place the bytes belong to, so that a half-done attempt is overwritten. */
  async #writeOnce(pending: Buffer): Promise<void> {
    const last = this.#segments.at(-1)!
    await attempt("write", last.file, () => last.handle.write(pending, last.size))
    last.size += pending.length
    this.#pending = undefined
    // One that a large record needed is not kept.
    if (pending.buffer.byteLength === this.#options.bufferBytes) this.#spare = Buffer.from(pending.buffer)
  }

  async #flushAll(): Promise<void> {
    await this.#writePending()
    if (this.#filled === 0) return
    this.#swap()
    await this.#writePending()
  }

  #swap(): void {
    this.#pending = this.#filling.subarray(0, this.#filled)
    this.#filling = this.#spare ?? Buffer.allocUnsafeSlow(this.#options.bufferBytes)
    this.#spare = undefined
    this.#filled = 0
  }

  /**
   * Once a sync has failed, none succeeds any more: the system may have dropped what it could not write, and would
   * call the next sync a success nevertheless.
   */
  async #syncLast(): Promise<void> {
    const last = this.#segments.at(-1)
    if (last === undefined) return
    if (this.#syncFailure !== undefined) throw this.#syncFailure
    const { directory, storage } = this.#options
    try {
      await attempt("sync", last.file, () => last.handle.sync())
      if (this.#directoryChanged) await attempt("sync", directory, () => storage.syncDirectory(directory))
      this.#directoryChanged = false
    } catch (error) {
      this.#syncFailure = error as SegmentFailed
      throw error
    }
  }

  /** Ends the last segment, which is synced so that only the last one can ever be torn, and begins the next. */
  async #roll(): Promise<void> {
    await this.#flushAll()
    // A failure is remembered for whoever asks for a sync. Records that only spill can do without one.
    await this.#syncLast().catch(() => undefined)
    const next = (this.#unborn ??= await this.#create((this.#segments.at(-1)?.number ?? 0) + 1))
    await attempt("write", next.file, () => next.handle.write(segmentHeader(next.number), 0))
    this.#segments.push(next)
    this.#unborn = undefined
  }

  async #create(number: number): Promise<Segment> {
    const { directory, name, storage } = this.#options
    const file = join(directory, fileName(name, number))
    const handle = await attempt("create", file, () => storage.create(file))
    this.#directoryChanged = true
    return { number, file, handle, size: segmentHeaderBytes }
  }

  async #delete(segment: Segment, isOpen = true): Promise<void> {
    const { storage } = this.#options
    await attempt("remove", segment.file, () => storage.remove(segment.file))
    this.#directoryChanged = true
    if (isOpen) await segment.handle.close().catch(() => undefined)
  }

  /** Bytes from a position on, from disk or from the buffers; none at the end. */
  async #bytesAt({ offset, segment: number }: SegmentPosition, wanted: number): Promise<Piece> {
    const segment = this.#segments.find((one) => one.number === number)
    if (segment === undefined) {
      if (number >= this.end.segment) return { bytes: nothing, file: "", isLast: true }
      const file = join(this.#options.directory, fileName(this.#options.name, number))
      throw new DamagedSegment({ file, offset, problem: "the segment was dropped or is missing" })
    }
    const { file, handle, size } = segment
    const isLast = segment === this.#segments.at(-1)
    if (offset < size) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, size - offset))
      const read = await attempt("read", file, () => handle.read(bytes, offset))
      if (read < bytes.length)
        throw new DamagedSegment({ file, offset: offset + read, problem: "the file is shorter than what was written to it" })
      return { bytes, file, isLast: isLast && offset + read === size }
    }
    if (!isLast) return { bytes: nothing, file, isLast }
    // Copied, since the buffer will be used again.
    const pending = this.#pending ?? nothing
    const held =
      offset < size + pending.length
        ? pending.subarray(offset - size)
        : this.#filling.subarray(offset - size - pending.length, this.#filled)
    return { bytes: Buffer.from(held), file, isLast: true }
  }
}

const fileName = (name: string, number: number): string => `${name}-${String(number).padStart(8, "0")}.seg`

const segmentNumbers = (files: ReadonlyArray<string>, name: string): ReadonlyArray<number> =>
  files
    .filter((file) => file.startsWith(`${name}-`) && /^\d{8,}\.seg$/.test(file.slice(name.length + 1)))
    .map((file) => Number(file.slice(name.length + 1, -4)))
    .sort((a, b) => a - b)

const closed = (name: string): Error => new Error(`The segment log ${name} is closed. Open it again before appending.`)
