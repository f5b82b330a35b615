import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  createZstdCompress,
  createZstdDecompress,
  type Gzip,
  type ZstdCompress
} from "node:zlib"
import type { ByteSource } from "./ByteSource.ts"
import { MalformedFile } from "./errors.ts"
import { ZstdFrames } from "./ZstdFrames.ts"

export const compressions = ["auto", "gzip", "zstd", "none"] as const
export type Compression = Exclude<(typeof compressions)[number], "auto">

/** What the name of a file says of its compression. */
export const compressionOfName = (path: string): Compression => (/\.gz$/i.test(path) ? "gzip" : /\.zst$/i.test(path) ? "zstd" : "none")

/** What the first bytes of a file say of its compression. */
export const compressionOfBytes = (first: Uint8Array): Compression => {
  if (first.length >= 2 && first[0] === 0x1f && first[1] === 0x8b) return "gzip"
  if (first.length < 4) return "none"
  const magic = new DataView(first.buffer, first.byteOffset).getUint32(0, true)
  return magic === ZstdFrames.magic || ZstdFrames.isSkippable(magic) ? "zstd" : "none"
}

/** A decompressor, to be closed when it is given up on before its end. */
export interface Decompressor extends ByteSource {
  readonly close: () => void
}

/** Where the decompressed bytes are cut: one read of the window. */
const outputBytes = 256 * 1024
const inputBytes = 64 * 1024

/**
 * The bytes that compressed ones stand for. Several members (gzip) or frames (zstd) in a row are one input.
 *
 * @param options.damaged the failure, where it is not that of a file
 * @param options.windowLog the largest window of zstd, as a power of 2
 *
 * **Fails** with `MalformedFile` where the data is damaged, ends before it is complete, or is followed by something
 * else; a cut-off file is never taken for its end.
 * **Backpressure** compressed bytes are read when decompressed ones are asked for.
 * **Bounds** one block of 64 KiB in, two of 256 KiB out, however much they expand to; and the window of zstd, up to
 * 128 MiB in files that were compressed with `--ultra`.
 */
export const decompressor = (
  source: ByteSource,
  compression: "gzip" | "zstd" | "br" | "deflate" | "deflate-raw",
  path: string,
  { damaged, windowLog }: { readonly damaged?: (problem: string) => Error; readonly windowLog?: number } = {}
): Decompressor => {
  const stream = engines[compression](windowLog)
  const input = Buffer.allocUnsafeSlow(inputBytes)
  const frames = compression === "zstd" ? new ZstdFrames() : undefined
  let output: Buffer | null = null
  let fed = 0
  let feeding = false
  let exhausted = false
  /** The engine has left input alone: its data has ended, whether or not the stream has said so yet. */
  let satisfied = false
  let ended = false
  let failure: unknown
  let held = 0
  let wake: () => void = () => {}
  /** A write is through; at the end of the data the rest of the input is left alone and the write never answered. */
  let written: () => void = () => {}

  stream.on("readable", () => wake())
  stream.on("close", () => written())
  stream.on("end", () => {
    ended = true
    written()
    wake()
  })
  stream.on("error", (error) => {
    failure ??= malformed(error.message)
    wake()
  })

  const malformed = (problem: string) =>
    damaged?.(problem)
    ?? new MalformedFile({
      path,
      problem: `the ${compression} data is damaged or cut off: ${problem}`,
      fix: "Fetch or compress the file again; what stood before the damage has been read."
    })

  const feed = async (): Promise<void> => {
    held = await source.read(input, 0, input.length)
    if (held === 0) {
      exhausted = true
      if (frames !== undefined && !frames.isComplete) throw malformed("it ends inside a frame")
      stream.end()
      return
    }
    fed += held
    const problem = frames?.take(input, held)
    if (problem !== undefined) throw malformed(problem)
    await new Promise<void>((resolve) => {
      written = resolve
      stream.write(input.subarray(0, held), () => resolve())
    })
    satisfied = stream.bytesWritten < fed
  }

  const startFeeding = (): void => {
    feeding = true
    feed()
      .catch((error: unknown) => (failure ??= error))
      .finally(() => {
        feeding = false
        wake()
      })
  }

  /** Behind the last gzip member only zero bytes may stand, as tapes and some tools leave them. */
  const checkRest = async (): Promise<void> => {
    let from = held - (fed - stream.bytesWritten)
    while (!exhausted) {
      for (let i = from; i < held; i++) if (input[i] !== 0) throw malformed("something else follows the compressed data")
      held = await source.read(input, 0, input.length)
      from = 0
      exhausted = held === 0
    }
  }

  return {
    read: async (into, from, to) => {
      for (;;) {
        output ??= stream.read() as Buffer | null
        if (output !== null) {
          const count = output.copy(into, from, 0, to - from)
          output = count === output.length ? null : output.subarray(count)
          return count
        }
        if (failure !== undefined) throw failure
        if (ended && !feeding) {
          await checkRest()
          return 0
        }
        if (!feeding && !exhausted && !satisfied) startFeeding()
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    close: () => stream.destroy()
  }
}

const options = { chunkSize: outputBytes, readableHighWaterMark: outputBytes }

const engines = {
  gzip: () => createGunzip(options),
  deflate: () => createInflate(options),
  "deflate-raw": () => createInflateRaw(options),
  br: () => createBrotliDecompress(options),
  zstd: (windowLog: number | undefined) =>
    createZstdDecompress({ ...options, ...(windowLog === undefined ? {} : { params: { [constants.ZSTD_d_windowLogMax]: windowLog } }) })
}

/** Compresses blocks; each `endMember` leaves output that can be read by itself. */
export class Compressor {
  readonly #compression: "gzip" | "zstd"
  #stream: Gzip | ZstdCompress | undefined
  #output: Array<Buffer> = []

  constructor(compression: "gzip" | "zstd") {
    this.#compression = compression
  }

  /** What has come out of the compressor so far; most of the block may still be inside. */
  compress(block: Uint8Array): Promise<ReadonlyArray<Buffer>> {
    const stream = (this.#stream ??= this.#start())
    return new Promise((resolve, reject) => stream.write(block, (error) => (error ? reject(error) : resolve(this.#taken()))))
  }

  /** Everything that is still inside, and the end of the member. Without input since the last member, nothing. */
  endMember(): Promise<ReadonlyArray<Buffer>> {
    const stream = this.#stream
    if (stream === undefined) return Promise.resolve([])
    this.#stream = undefined
    return new Promise((resolve, reject) => {
      stream.once("error", reject)
      stream.once("end", () => resolve(this.#taken()))
      stream.end()
    })
  }

  close(): void {
    this.#stream?.destroy()
    this.#stream = undefined
  }

  #taken(): ReadonlyArray<Buffer> {
    const taken = this.#output
    this.#output = []
    return taken
  }

  #start(): Gzip | ZstdCompress {
    const stream =
      this.#compression === "gzip"
        ? createGzip()
        : // With a checksum, so that damage is noticed, as gzip always does.
          createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } })
    stream.on("data", (chunk: Buffer) => this.#output.push(chunk))
    // The write that failed reports it.
    stream.on("error", () => {})
    return stream
  }
}
