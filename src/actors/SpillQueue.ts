import { type Frame, frameFromBytes, frameToBytes, type SegmentLog, type SegmentReader } from "../serialization/index.ts"
import { SpillFailure } from "./errors.ts"
import type { Level } from "./MailboxBounds.ts"
import { Ring } from "./Ring.ts"
import type { SpillDirectory } from "./SpillDirectory.ts"
import type { SpillMemory } from "./SpillMemory.ts"

/**
 * The part of a mailbox's edge that does not fit into memory, in segment files: frames come back in the order in which
 * they went.
 *
 * A frame that was taken is in the mailbox's keeping at once, though it may take a moment until it is in the log; the
 * files are made when the first frame comes and removed when the last one was read back.
 *
 * **Backpressure** `append` takes no more while what was taken waits for the disk: because that is slow, full or broken.
 * After a failure each call of `retry` tries once more.
 * **Bounds** in memory `memoryFor` says; on disk what the directory allows.
 * **Delivery** where writing or reading fails, all frames are where they were, and can be asked for again.
 * **Source** invariants SP-1…4.
 */
export class SpillQueue {
  items = 0
  /** Taken, and not yet in the log. */
  private readonly incoming = new Ring<Frame>()
  private incomingBytes = 0
  /** What is known of the frames in the log that were not yet read back. */
  private readonly stored = new Ring<StoredFrame>()
  private storedBytes = 0
  private log: SegmentLog | undefined
  private reader: SegmentReader | undefined
  private diskBytes = 0
  private sequence = 0
  private writing: Promise<void> | undefined
  /** It takes and writes no more. */
  isClosed = false
  private outage: SpillFailure | undefined
  private readonly directory: SpillDirectory
  private readonly memory: SpillMemory
  private readonly onProgress: () => void
  private readonly onFailure: (failure: SpillFailure) => void

  /**
   * @param options.onProgress a frame has reached the log, so that there is one to read and room for the next
   * @param options.onFailure the disk refused to write (told once until it succeeds again) or to remove
   */
  constructor(options: {
    readonly directory: SpillDirectory
    readonly memory: SpillMemory
    readonly onProgress: () => void
    readonly onFailure: (failure: SpillFailure) => void
  }) {
    this.directory = options.directory
    this.memory = options.memory
    this.onProgress = options.onProgress
    this.onFailure = options.onFailure
  }

  /** Frames that are here, wherever. */
  get length(): number {
    return this.incoming.length + this.stored.length
  }

  /** Whether the oldest frame can be had now. It can't while it is just being written. */
  get isReadable(): boolean {
    return this.stored.length > 0 || (this.incoming.length > 0 && this.writing === undefined)
  }

  /** What lies in the log. */
  get spilled(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.stored.length, bytes: this.storedBytes }
  }

  /** What it keeps in memory: frames on their way and, while there are files, the buffers of the log. */
  get residentBytes(): number {
    return this.incomingBytes + (this.log === undefined ? 0 : this.memory.log)
  }

  get oldestTime(): number | undefined {
    return (this.stored.first() ?? this.incoming.first())?.time
  }

  /** Whether the frame was taken. If not, `onProgress` says when to offer it again. */
  append(frame: Frame): boolean {
    if (this.isClosed || (this.incoming.length > 0 && this.incomingBytes + frame.byteLength > this.memory.incoming)) return false
    this.incoming.push(frame)
    this.incomingBytes += frame.byteLength
    this.items += frame.count
    if (this.outage === undefined) this.retry()
    return true
  }

  /** Writes what waits for the disk, be it for the first time or after that had refused. */
  retry(): void {
    if (this.writing !== undefined || this.isClosed || this.incoming.length === 0) return
    // In a microtask, so that `writing` is set before it is done.
    this.writing = Promise.resolve().then(() => this.writeAll())
  }

  /**
   * Gives the oldest frames back, one after the other: one, and as many more as fit into the room. Not to be called
   * again before it is done, nor while nothing is readable.
   *
   * @param deliver called for each frame in the step in which it leaves
   *
   * **Fails** (rejects) with `SpillFailure`; the frames that were not delivered are still here.
   */
  async read(room: Level, deliver: (frame: Frame) => void): Promise<void> {
    let { frames, items, bytes } = room
    for (let isFirst = true; this.isReadable; isFirst = false) {
      const oldest = this.stored.first() ?? sizeOf(this.incoming.first()!)
      if (!isFirst && (frames < 1 || oldest.items > items || oldest.bytes > bytes)) break
      // With nothing older in the log, what the disk did not take goes back the short way.
      const isStored = this.stored.length > 0
      const frame = isStored ? await this.readOldest() : this.incoming.first()!
      // From here to `deliver` in one step: a frame that is nowhere could be overtaken.
      if (isStored) {
        this.stored.shift()
        this.storedBytes -= oldest.bytes
      } else {
        this.incoming.shift()
        this.incomingBytes -= oldest.bytes
      }
      frames--
      items -= oldest.items
      bytes -= oldest.bytes
      this.items -= oldest.items
      deliver(frame)
    }
    this.dropWhatWasRead()
  }

  /** Completes when nothing is being written. */
  async settle(): Promise<void> {
    await this.writing
  }

  /** Takes and writes no more; what is here can still be read. */
  close(): void {
    this.isClosed = true
  }

  private async readOldest(): Promise<Frame> {
    try {
      this.reader ??= this.log!.read()
      const record = await this.reader.next()
      if (record === undefined) throw new Error("the log has ended before the frames that are in it")
      return frameFromBytes(record.payload)
    } catch (cause) {
      throw new SpillFailure({ operation: "read", cause })
    }
  }

  private async writeAll(): Promise<void> {
    for (let frame = this.incoming.first(); frame !== undefined && !this.isClosed; frame = this.incoming.first()) {
      if (!this.directory.hasRoomFor(frame.byteLength + recordOverhead)) {
        this.directory.callWhenThereIsRoom(this)
        break
      }
      try {
        this.log ??= await this.directory.openLog(this.memory.logBuffer)
        await this.log.append(this.sequence, frameToBytes(frame))
      } catch (cause) {
        const isFirst = this.outage === undefined
        this.outage = new SpillFailure({ operation: "write", cause })
        if (isFirst) this.onFailure(this.outage)
        break
      }
      this.outage = undefined
      this.sequence++
      this.incoming.shift()
      this.stored.push(sizeOf(frame))
      this.incomingBytes -= frame.byteLength
      this.storedBytes += frame.byteLength
      this.countDisk()
      this.onProgress()
    }
    this.writing = undefined
    // What was not written can now be had from here.
    this.onProgress()
  }

  /** Gives disk back as soon as may be: whole segments on the way, the last one when nothing is left. */
  private dropWhatWasRead(): void {
    const { log, reader } = this
    if (log === undefined || reader === undefined) return
    const onFailure = (cause: unknown) => this.onFailure(new SpillFailure({ operation: "remove", cause }))
    if (this.length === 0 && this.writing === undefined) {
      const bytes = this.diskBytes
      this.log = undefined
      this.reader = undefined
      this.diskBytes = 0
      // Where it fails the bytes stay counted: they are still there, and go with the directory.
      this.directory.removeLog(log).then(() => this.directory.count(-bytes), onFailure)
    } else if (reader.position.segment > log.start.segment) {
      log.dropBefore(reader.position).then(() => this.countDisk(), onFailure)
    }
  }

  private countDisk(): void {
    const now = this.log?.byteLength ?? 0
    this.directory.count(now - this.diskBytes)
    this.diskBytes = now
  }
}

interface StoredFrame {
  readonly items: number
  readonly bytes: number
  readonly time: number
}

/** What a record takes beside the frame, generously, with its share of the header of a segment. */
const recordOverhead = 32

const sizeOf = (frame: Frame): StoredFrame => ({ items: frame.count, bytes: frame.byteLength, time: frame.time })
