import type { IncomingMessage } from "node:http"
import type { ByteSource } from "../files/ByteSource.ts"
import { NetworkFailure } from "./errors.ts"

/**
 * The body of an answer, as it came over the wire.
 *
 * **Fails** with `NetworkFailure` where it is cut off, which is never taken for its end.
 * **Backpressure** the socket is read when bytes are asked for; 64 KiB ahead of that, it rests.
 */
export class BodyBytes implements ByteSource {
  received = 0
  readonly #message: IncomingMessage
  #rest: Buffer | null = null
  #hasEnded = false
  #failure: NetworkFailure | undefined
  #wake: () => void = () => {}

  constructor(message: IncomingMessage, url: string) {
    this.#message = message
    const cutOff = (code?: string) =>
      new NetworkFailure({
        url,
        operation: "read from",
        problem: "the connection ended before the answer did",
        fix: "What came before that has been delivered. Try again.",
        code,
        isTemporary: true
      })
    message.on("readable", () => this.#wake())
    message.on("end", () => {
      this.#hasEnded = message.complete
      if (!message.complete) this.#failure ??= cutOff()
      this.#wake()
    })
    message.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure ??= error.code === "ECONNRESET" ? cutOff(error.code) : NetworkFailure.of("read from", url, error)
      this.#wake()
    })
    message.on("close", () => {
      if (!this.#hasEnded) this.#failure ??= cutOff()
      this.#wake()
    })
  }

  async read(into: Buffer, from: number, to: number): Promise<number> {
    for (;;) {
      let at = from
      // As much as has come: the fewer reads, the less the rest of the way costs.
      while (at < to) {
        this.#rest ??= this.#message.read() as Buffer | null
        if (this.#rest === null) break
        const count = this.#rest.copy(into, at, 0, to - at)
        this.#rest = count === this.#rest.length ? null : this.#rest.subarray(count)
        at += count
      }
      this.received += at - from
      if (at > from) return at - from
      if (this.#failure !== undefined) throw this.#failure
      if (this.#hasEnded) return 0
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

/**
 * All bytes of a source as one.
 *
 * **Fails** with what `tooLong` gives when there are more than `most`.
 */
export const allBytes = async (source: ByteSource, most: number, tooLong: () => Error): Promise<Buffer> => {
  const blocks: Array<Buffer> = []
  let bytes = 0
  for (;;) {
    const block = Buffer.allocUnsafe(65_536)
    const count = await source.read(block, 0, block.length)
    if (count === 0) return Buffer.concat(blocks)
    bytes += count
    if (bytes > most) throw tooLong()
    blocks.push(Buffer.from(block.subarray(0, count)))
  }
}
