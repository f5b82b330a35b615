/**
 * Follows the frames of zstd data without decompressing them, to tell a complete file from one that is cut off or goes
 * on with something else: the decompressor of Node ends quietly in both cases (seen in Node 26: two bytes of a second
 * frame, or text behind the first).
 *
 * **Source** RFC 8878, sections 3.1.1 and 3.1.2.
 */
export class ZstdFrames {
  static readonly magic = 0xfd2fb528
  static readonly isSkippable = (magic: number): boolean => magic >= 0x184d2a50 && magic <= 0x184d2a5f

  #field: "magic" | "skippable-size" | "descriptor" | "block" | "content" = "magic"
  /** The bytes of a small field seen so far, as a little-endian number. */
  #value = 0
  #seen = 0
  /** Bytes to pass over, and what comes behind them. */
  #toSkip = 0
  #hasChecksum = false
  #isLastBlock = false
  #frames = 0

  /** At least one frame was seen, and the last one has ended. */
  get isComplete(): boolean {
    return this.#field === "magic" && this.#seen === 0 && this.#toSkip === 0 && this.#frames > 0
  }

  /** Follows the next bytes; says what is wrong with them, if something is. */
  take(bytes: Uint8Array, length: number): string | undefined {
    let i = 0
    while (i < length) {
      if (this.#toSkip > 0) {
        const count = Math.min(this.#toSkip, length - i)
        this.#toSkip -= count
        i += count
        continue
      }
      if (this.#field === "content") {
        this.#afterContent()
        continue
      }
      this.#value += bytes[i++]! * 2 ** (8 * this.#seen++)
      if (this.#seen < fieldBytes[this.#field]) continue
      const value = this.#value
      this.#value = this.#seen = 0
      const problem = this.#follow(value)
      if (problem !== undefined) return problem
    }
    if (this.#toSkip === 0 && this.#field === "content") this.#afterContent()
    return undefined
  }

  #follow(value: number): string | undefined {
    switch (this.#field) {
      case "magic":
        if (value === ZstdFrames.magic) this.#field = "descriptor"
        else if (ZstdFrames.isSkippable(value)) this.#field = "skippable-size"
        else return this.#frames === 0 ? "it does not start with a frame" : "something else follows the compressed data"
        return undefined
      case "skippable-size":
        this.#toSkip = value
        this.#field = "magic"
        this.#frames++
        return undefined
      case "descriptor": {
        const isSingleSegment = (value & 0x20) !== 0
        const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][value >> 6]!
        const dictionaryId = [0, 1, 2, 4][value & 3]!
        this.#hasChecksum = (value & 4) !== 0
        this.#toSkip = contentSize + dictionaryId + (isSingleSegment ? 0 : 1)
        this.#field = "block"
        return undefined
      }
      default: {
        const type = (value >> 1) & 3
        if (type === 3) return "a block has a type that there is not"
        this.#isLastBlock = (value & 1) === 1
        // A run-length block holds one byte, whatever size it stands for.
        this.#toSkip = type === 1 ? 1 : value >> 3
        this.#field = "content"
        return undefined
      }
    }
  }

  #afterContent(): void {
    this.#field = "block"
    if (!this.#isLastBlock) return
    this.#isLastBlock = false
    this.#field = "magic"
    this.#frames++
    this.#toSkip = this.#hasChecksum ? 4 : 0
  }
}

const fieldBytes = { magic: 4, "skippable-size": 4, descriptor: 1, block: 3, content: 0 } as const
