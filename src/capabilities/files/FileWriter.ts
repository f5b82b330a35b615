import { ItemFailure } from "../../actors/index.ts"
import { Compressor } from "./Compression.ts"
import type { Compression } from "./Compression.ts"
import type { Encoding } from "./Encoding.ts"
import { UnwritableValue } from "./errors.ts"
import type { ItemFormat } from "./ItemFormat.ts"
import type { OutputFile } from "./OutputFile.ts"

/** Bytes gathered before they are written. */
const blockBytes = 256 * 1024

/**
 * Turns items into the bytes of an output file: format, encoding, compression.
 *
 * **Bounds** one block of 256 KiB and the items of one `write`.
 */
export class FileWriter {
  items: number
  /** Nothing was taken since everything was put on the disk. */
  isSynced = false
  /** The end of the file is written. */
  isSealed: boolean
  readonly #output: OutputFile
  readonly #format: ItemFormat
  readonly #encoding: Encoding
  readonly #path: string
  readonly #compressor: Compressor | undefined
  #text: Array<string> = []
  #chunks: Array<Uint8Array> = []
  /** In characters or bytes, whichever a piece is made of. */
  #held = 0

  constructor(options: {
    readonly output: OutputFile
    readonly format: ItemFormat
    readonly encoding: Encoding
    readonly compression: Compression
    readonly path: string
    readonly items: number
    readonly isSealed?: boolean
  }) {
    this.#output = options.output
    this.#format = options.format
    this.#encoding = options.encoding
    this.#path = options.path
    this.#compressor = options.compression === "none" ? undefined : new Compressor(options.compression)
    this.items = options.items
    this.isSealed = options.isSealed ?? false
  }

  /**
   * Takes items, in order.
   *
   * **Fails** with `ItemFailure` (of an `UnwritableValue`) at an item that has no form in the format; the ones before it are taken.
   */
  async write(items: ReadonlyArray<unknown>): Promise<void> {
    for (let index = 0; index < items.length; index++) {
      try {
        this.#append(items[index])
      } catch (error) {
        throw error instanceof UnwritableValue ? new ItemFailure({ index, cause: error.at(this.#path, this.items + 1) }) : error
      }
      this.items++
      if (this.#held >= blockBytes) await this.#flush()
    }
  }

  /** Everything taken so far is on the disk and can be read by itself. */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#endMember()
    await this.#output.sync()
    this.isSynced = true
  }

  /** Writes what the end of the file needs and puts everything on the disk. Nothing more is taken. */
  async seal(): Promise<void> {
    await this.#end()
    await this.#output.sync()
    this.isSynced = true
  }

  async finish(): Promise<void> {
    await this.#end()
    await this.#output.commit()
  }

  async #end(): Promise<void> {
    if (this.isSealed) return
    const end = this.#format.end(this.items)
    if (end !== "") this.#hold(end)
    // Nothing at all is no compressed file: a file without items has one empty member.
    if (this.items === 0 && end === "") this.#hold(Buffer.alloc(0))
    await this.#flush()
    await this.#endMember()
    this.isSealed = true
  }

  close(): void {
    this.#compressor?.close()
  }

  #append(item: unknown): void {
    const piece = this.#format.append(item, this.items === 0)
    this.isSynced = false
    this.#hold(piece)
  }

  #hold(piece: string | Uint8Array): void {
    if (typeof piece === "string") this.#text.push(piece)
    else {
      this.#encodeText()
      // A copy: the item may be a view of a frame, whose memory is used again.
      this.#chunks.push(Buffer.from(piece))
    }
    this.#held += piece.length
  }

  #encodeText(): void {
    if (this.#text.length === 0) return
    this.#chunks.push(Buffer.from(this.#text.join(""), nodeEncoding[this.#encoding]))
    this.#text = []
  }

  async #flush(): Promise<void> {
    this.#encodeText()
    const chunks = this.#chunks
    this.#chunks = []
    this.#held = 0
    for (const chunk of chunks) {
      for (const bytes of this.#compressor === undefined ? [chunk] : await this.#compressor.compress(chunk)) await this.#output.write(bytes)
    }
  }

  async #endMember(): Promise<void> {
    for (const bytes of (await this.#compressor?.endMember()) ?? []) await this.#output.write(bytes)
  }
}

// What ASCII lacks has been refused before; Node's own "ascii" would cut it off silently.
const nodeEncoding = { utf8: "utf8", utf16le: "utf16le", latin1: "latin1", ascii: "latin1", binary: "latin1" } as const
