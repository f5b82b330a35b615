import type { ByteSource } from "./ByteSource.ts"

export interface WindowSizes {
  /** One read of a file. Measured best for lines: 64 KiB costs a quarter more, 1 MiB falls out of the cache. */
  readonly block: number
  /** Room in front of a block for the unfinished record of the block before it. */
  readonly headroom: number
}

const defaultSizes: WindowSizes = { block: 256 * 1024, headroom: 64 * 1024 }

/**
 * A view of a byte source that grows at its end and shrinks at its start, reading one block ahead.
 *
 * A decoder takes whole records from `bytes` between `start` and `end` and moves `start` behind them. When no whole
 * record is left, `fill` brings more; what was not taken stays in front of it.
 *
 * **Bounds** two blocks of 256 KiB, and the longest record where that is longer than 64 KiB.
 */
export class ByteWindow {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  /** The source has no more: what the window holds is the rest. */
  ended = false
  /** The offset of `end` in the source. */
  #endOffset: number
  readonly #source: ByteSource
  readonly #sizes: WindowSizes
  readonly #slots: Array<Buffer> = []
  #ahead: { readonly slot: Buffer; readonly count: Promise<number> } | undefined
  #filling: Promise<void> | undefined

  /**
   * @param options.offset where in the whole input the source begins
   * @param options.expectedBytes how many there are, if it is known: small inputs get small buffers
   * @param options.sizes for tests, which want the borders between blocks everywhere
   */
  constructor(
    source: ByteSource,
    options: { readonly offset?: number; readonly expectedBytes?: number | undefined; readonly sizes?: WindowSizes } = {}
  ) {
    const { expectedBytes = Infinity, offset = 0, sizes = defaultSizes } = options
    this.#source = source
    this.#endOffset = offset
    this.#sizes = { ...sizes, block: Math.min(sizes.block, expectedBytes + 1) }
  }

  /** The offset in the source of an index into `bytes`. */
  offsetAt(index: number): number {
    return this.#endOffset - (this.end - index)
  }

  /**
   * Appends at least one byte, or sets `ended`.
   *
   * Bytes below `start` are gone afterwards, and the memory they were in is read into: what was handed out as a view
   * of them must have been worked off.
   *
   * **Stopping** giving up on the promise loses nothing: the next call waits for the same read.
   */
  fill(): Promise<void> {
    return (this.#filling ??= this.#advance().finally(() => (this.#filling = undefined)))
  }

  async #advance(): Promise<void> {
    if (this.ended) return
    const { slot, count: reading } = this.#ahead ?? this.#readInto(this.#freeSlot())
    const count = await reading
    this.#ahead = undefined
    this.#endOffset += count
    if (count === 0) {
      this.ended = true
      return
    }
    const rest = this.end - this.start
    const { headroom } = this.#sizes
    if (rest <= headroom) {
      this.bytes.copy(slot, headroom - rest, this.start, this.end)
      this.bytes = slot
      this.start = headroom - rest
      this.end = headroom + count
    } else {
      this.#append(slot, count)
    }
    this.#ahead = this.#readInto(this.#freeSlot())
  }

  /** A record longer than the headroom moves to a buffer of its own, which doubles, so that copying stays linear. */
  #append(slot: Buffer, count: number): void {
    if (this.#slots.includes(this.bytes) || this.end + count > this.bytes.length) {
      const rest = this.end - this.start
      const larger = Buffer.allocUnsafeSlow(2 * (rest + count))
      this.bytes.copy(larger, 0, this.start, this.end)
      this.bytes = larger
      this.start = 0
      this.end = rest
    }
    slot.copy(this.bytes, this.end, this.#sizes.headroom, this.#sizes.headroom + count)
    this.end += count
  }

  #readInto(slot: Buffer): { readonly slot: Buffer; readonly count: Promise<number> } {
    const count = this.#source.read(slot, this.#sizes.headroom, slot.length)
    // Its failure is due when the block is asked for, not before.
    count.catch(() => {})
    return { slot, count }
  }

  #freeSlot(): Buffer {
    const free = this.#slots.find((slot) => slot !== this.bytes)
    if (free !== undefined) return free
    const slot = Buffer.allocUnsafeSlow(this.#sizes.headroom + this.#sizes.block)
    this.#slots.push(slot)
    return slot
  }
}
