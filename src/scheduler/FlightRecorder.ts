/**
 * Memory shared with the workers, in which each frame under way has its record: which thread works on it and where in
 * it the thread is. It outlives the thread, so it tells which item ended a worker and which item one hangs in.
 *
 * The alternative, halving the frame until the item is found, ends a worker for each half and blames the wrong frame
 * where two were posted to one worker.
 */
export class FlightRecorder {
  readonly words: Int32Array<SharedArrayBuffer>

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.words = words
  }

  static ofSize(records: number): FlightRecorder {
    return new FlightRecorder(new Int32Array(new SharedArrayBuffer(records * wordsPerRecord * Int32Array.BYTES_PER_ELEMENT)))
  }

  /** Before the frame is posted: no thread has it. */
  clear(record: number): void {
    this.enter(record, 0)
    this.move(record, position.waiting)
  }

  /** A thread begins with the frame. */
  enter(record: number, thread: number): void {
    Atomics.store(this.words, record * wordsPerRecord, thread)
  }

  /** The thread begins with the item of this index, or with one of the phases in `position`. Some 10 ns. */
  move(record: number, to: number): void {
    Atomics.store(this.words, record * wordsPerRecord + 1, to)
  }

  threadOf(record: number): number {
    return Atomics.load(this.words, record * wordsPerRecord)
  }

  positionOf(record: number): number {
    return Atomics.load(this.words, record * wordsPerRecord + 1)
  }
}

const wordsPerRecord = 2

/** Where a frame is when it is at none of its items. */
export const position = {
  /** Posted, not yet begun: it lies in the queue of a thread. */
  waiting: -3,
  /** Its function is being made, its items are being decoded. */
  loading: -2,
  /** Its results are being encoded. */
  answering: -1
} as const
