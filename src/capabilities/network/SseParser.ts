import type { SourceBatch } from "../../actors/index.ts"
import type { ByteWindow } from "../files/ByteWindow.ts"
import { batchBytes, type Decoder } from "../files/Decoder.ts"
import { decodeText } from "../files/Encoding.ts"
import { MalformedFile } from "../files/errors.ts"

/** Where a stream of events goes on. */
export interface SsePosition {
  /** The last id that a complete event had, for `Last-Event-ID`; `null` while there was none. */
  readonly lastId: string | null
  /** How long the peer asked to wait before it is asked again. */
  readonly retryMs: number | null
}

/**
 * Reads server-sent events: maps with `event`, `data`, and `id` where one was given.
 *
 * An event that is cut off by the end is dropped, as the standard has it; whoever goes on asks for it again by its id.
 *
 * **Fails** with `MalformedFile` for an event over `maxRecordBytes` and for text that is not UTF-8.
 * **Source** HTML standard, section 9.2.6.
 */
export class SseParser implements Decoder {
  readonly #path: string
  readonly #maxRecordBytes: number
  #position: SsePosition
  #event = ""
  #data: Array<string> = []
  #id: string | null
  /** Bytes of the event under way. */
  #bytes = 0
  /** Bytes of the window, from its start, that hold no line end. */
  #searched = 0
  /** The line before ended with CR: an LF in front of the next one belongs to it. */
  #afterCr = false

  constructor(options: { readonly path: string; readonly maxRecordBytes: number; readonly from?: SsePosition | undefined }) {
    this.#path = options.path
    this.#maxRecordBytes = options.maxRecordBytes
    this.#position = options.from ?? { lastId: null, retryMs: null }
    this.#id = this.#position.lastId
  }

  position(): SsePosition {
    return this.#position
  }

  take(window: ByteWindow): SourceBatch | "more" | null {
    const items: Array<unknown> = []
    const start = window.start
    while (window.start - start < batchBytes) {
      const line = this.#takeLine(window)
      if (line === undefined) break
      const event = line === "" ? this.#dispatch() : this.#field(line)
      if (event !== undefined) items.push(event)
    }
    if (items.length > 0) return { items, bytes: window.start - start }
    // A batch of comments and blank lines is none: the rest of the window comes next.
    if (window.start > start) return this.take(window)
    return window.ended ? null : "more"
  }

  /** The next whole line without its end; the rest at the end of the input is none. */
  #takeLine(window: ByteWindow): string | undefined {
    const { bytes, end } = window
    if (this.#afterCr && window.start < end) {
      if (bytes[window.start] === lineFeed) window.start++
      this.#afterCr = false
    }
    const start = window.start
    let at = start + this.#searched
    while (at < end && bytes[at] !== lineFeed && bytes[at] !== carriageReturn) at++
    if (this.#bytes + at - start > this.#maxRecordBytes) throw this.#tooLong(window)
    if (at === end) {
      this.#searched = at - start
      return undefined
    }
    this.#searched = 0
    this.#bytes += at - start
    this.#afterCr = bytes[at] === carriageReturn
    window.start = at + 1
    return decodeText(window, start, at, "utf8", this.#path)
  }

  #field(line: string): undefined {
    const colon = line.indexOf(":")
    if (colon === 0) {
      // A comment keeps the connection alive, and is no part of an event.
      this.#bytes -= Buffer.byteLength(line)
      return
    }
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (name === "data") this.#data.push(value)
    else if (name === "event") this.#event = value
    else if (name === "id" && !value.includes("\0")) this.#id = value
    else if (name === "retry" && /^\d{1,9}$/.test(value)) this.#position = { ...this.#position, retryMs: Number(value) }
  }

  #dispatch(): unknown {
    const [data, event, id] = [this.#data, this.#event, this.#id]
    this.#position = { ...this.#position, lastId: id }
    this.#data = []
    this.#event = ""
    this.#bytes = 0
    if (data.length === 0) return undefined
    return { event: event === "" ? "message" : event, data: data.join("\n"), ...(id === null || id === "" ? {} : { id }) }
  }

  #tooLong(window: ByteWindow): MalformedFile {
    return new MalformedFile({
      path: this.#path,
      byte: window.offsetAt(window.start),
      problem: `an event is longer than ${this.#maxRecordBytes} bytes`,
      fix: "Raise :max-record-size if it is meant to be."
    })
  }
}

const lineFeed = 10
const carriageReturn = 13
