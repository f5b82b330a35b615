import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AsyncSource, AsyncSourceSpec, OpenContext, SourceBatch } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { byteSize, choice, defaulted, flag, fn, optional, type OptionsOf, required, text } from "../Option.ts"
import type { ByteSource } from "./ByteSource.ts"
import { skip } from "./ByteSource.ts"
import { ByteWindow } from "./ByteWindow.ts"
import { compressionOfBytes, compressionOfName, compressions, decompressor } from "./Compression.ts"
import { type CsvPosition, csvParser } from "./CsvParser.ts"
import { isSeparator } from "./CsvSeparator.ts"
import type { Decoder, RecordPosition } from "./Decoder.ts"
import { defaultMaxRecordBytes } from "./Decoder.ts"
import { encodings, type RecordEncoding, skipByteOrderMark, utf8OfUtf16 } from "./Encoding.ts"
import { FileFailure, MalformedFile } from "./errors.ts"
import { type FileReader, openFileReader } from "./FileReader.ts"
import { type JsonArrayPosition, jsonArrayParser } from "./JsonArrayParser.ts"
import type { JsonPlace } from "./JsonBatch.ts"
import { lineBlocks } from "./LineBlocks.ts"
import { ndjsonParser } from "./NdjsonParser.ts"
import { textChunks } from "./TextChunks.ts"

const id = "stream.file.read"

const options = {
  path: required(text, "the file, below a folder that the host allows to read"),
  format: defaulted(
    choice("text", "lines", "ndjson", "csv", "json"),
    "text",
    "what an item is: a chunk of text, a line, a JSON value a line, a row, or an element of a JSON array"
  ),
  "chunk-size": optional(byteSize, "with :text, how many bytes of the file a chunk is made of; no character is cut (64 KiB)"),
  encoding: defaulted(choice(...encodings), "utf8", "how bytes are text; with :binary a chunk is bytes"),
  compression: defaulted(choice(...compressions), "auto", "how the file is compressed; :auto sees it by its first bytes"),
  "max-record-size": optional(byteSize, "the longest line, row or JSON item; a longer one is an error (1 MiB)"),
  separator: optional(text, "with :csv, the one character between two fields (,)"),
  header: optional(flag, "with :csv, whether the first row names the columns, so that rows are maps; otherwise they are vectors (true)"),
  "on-chunk": optional(fn, "receives each item in order, and starts the stream")
} as const

/** The options of `file.read` once they are validated. */
export type FileReadOptions = Omit<OptionsOf<typeof options>, "on-chunk">

/** Where a read goes on, as `position` tells it. */
interface FileReadPosition {
  /** Bytes of the decompressed input that have become items. */
  readonly offset: number
  readonly decoder: unknown
}

/**
 * The source that reads a file.
 *
 * @param options validated by the capability; combinations that make no sense are refused here
 *
 * **Fails** at once with `InvalidCall`; while it runs with `PermissionDenied`, `FileFailure` and `MalformedFile`, after
 * the items before the failure.
 * **Backpressure** reads when asked, one block of 256 KiB ahead.
 * **Delivery** an interrupted read is made again. A resumed one begins behind the last batch; compressed files and
 * UTF-16 records are read over from their start and skipped up to there.
 * **Stopping** closes the file on every way out.
 */
export const fileReadSource = (options: FileReadOptions): AsyncSourceSpec => {
  refuseOptionsWithoutMeaning(options)
  return { kind: "async-source", capability: id, open: (context) => open(options, context) }
}

const open = (options: FileReadOptions, context: OpenContext): Effect.Effect<AsyncSource, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { encoding, path } = options
    const position = context.position as FileReadPosition | undefined
    const from = position?.offset ?? 0
    const file = yield* openFileReader(context.services.files, path)
    const { derived, source } = yield* sourceOf(file, options)
    if (derived) {
      const skipped = yield* attempt(() => skip(source, from))
      if (skipped < from) return yield* Effect.fail(shrunk(path))
    } else {
      if (file.size < from) return yield* Effect.fail(shrunk(path))
      file.offset = from
    }
    const window = new ByteWindow(source, { offset: from, expectedBytes: derived ? undefined : file.size - from })
    const decoder = decoderOf(options, position?.decoder)
    let started = from > 0 || encoding === "binary"

    const fill = Effect.flatMap(
      attempt(() => window.fill()),
      () => read
    )
    const read: Effect.Effect<SourceBatch | null, unknown> = Effect.suspend(() => {
      if (!started) {
        // A byte order mark has up to three bytes.
        if (window.end - window.start < 3 && !window.ended) return fill
        skipByteOrderMark(window, encoding)
        started = true
      }
      try {
        const batch = decoder.take(window)
        if (batch === "more") return fill
        context.services.progress(context.address, Math.min(file.offset, file.size), file.size, "bytes")
        return Effect.succeed(batch)
      } catch (error) {
        return error instanceof MalformedFile ? Effect.fail(error) : Effect.die(error)
      }
    })
    return { read, position: (): FileReadPosition => ({ offset: window.offsetAt(window.start), decoder: decoder.position() }) }
  })

/** The decompressed, for record formats at least ASCII-compatible bytes, and whether they are other than the file's. */
const sourceOf = (
  file: FileReader,
  options: FileReadOptions
): Effect.Effect<{ readonly source: ByteSource; readonly derived: boolean }, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { path } = options
    const compression = options.compression === "auto" ? yield* attempt(() => detectCompression(file, path)) : options.compression
    let source: ByteSource = file
    if (compression !== "none") {
      source = yield* Effect.acquireRelease(
        Effect.sync(() => decompressor(file, compression, path)),
        (made) => Effect.sync(() => made.close())
      )
    }
    if (options.encoding === "utf16le" && options.format !== "text") source = utf8OfUtf16(source, path)
    return { source, derived: source !== file }
  })

const detectCompression = async (file: FileReader, path: string) => {
  const first = Buffer.alloc(4)
  const count = await file.read(first, 0, first.length)
  file.offset = 0
  const found = compressionOfBytes(first.subarray(0, count))
  const named = compressionOfName(path)
  if (found !== "none" || named === "none") return found
  throw new MalformedFile({
    path,
    problem: `its name says ${named}, but that is not how it begins`,
    fix: "The file is cut off or damaged; read it with :compression :none if it is not compressed at all."
  })
}

const decoderOf = (options: FileReadOptions, from: unknown): Decoder => {
  const { path } = options
  const maxRecordBytes = options["max-record-size"] ?? defaultMaxRecordBytes
  const encoding: RecordEncoding = options.encoding === "latin1" || options.encoding === "ascii" ? options.encoding : "utf8"
  switch (options.format) {
    case "text":
      return textChunks({ path, encoding: options.encoding, chunkBytes: options["chunk-size"] ?? defaultChunkBytes })
    case "lines":
      return lineBlocks({ path, encoding, maxRecordBytes, from: from as RecordPosition | undefined })
    case "ndjson":
      return ndjsonParser({ path, encoding, maxRecordBytes, from: from as JsonPlace | undefined })
    case "json":
      return jsonArrayParser({ path, encoding, maxRecordBytes, from: from as JsonArrayPosition | undefined })
    case "csv":
      return csvParser({
        path,
        encoding,
        maxRecordBytes,
        separator: options.separator ?? ",",
        header: options.header ?? true,
        from: from as CsvPosition | undefined
      })
  }
}

const defaultChunkBytes = 64 * 1024

/** An option that would be ignored is a mistake of its writer, who should hear of it. */
const refuseOptionsWithoutMeaning = (options: FileReadOptions): void => {
  const { encoding, format, separator } = options
  const refuse = (option: string, problem: string) => {
    throw new InvalidCall(id, `: :${option} ${problem}.`, option)
  }
  if (options["chunk-size"] !== undefined && format !== "text")
    refuse("chunk-size", `is for :format :text; with :${format} the items are records`)
  if (options["max-record-size"] !== undefined && format === "text")
    refuse("max-record-size", "is for formats with records; :text has :chunk-size")
  if (encoding === "binary" && format !== "text") refuse("encoding", `:binary has no text, which :format :${format} needs`)
  if (separator !== undefined && format !== "csv") refuse("separator", "is for :format :csv")
  if (options.header !== undefined && format !== "csv") refuse("header", "is for :format :csv")
  if (separator !== undefined && !isSeparator(separator))
    refuse("separator", "must be one ASCII character other than a quote or a line end")
}

const shrunk = (path: string): FileFailure =>
  new FileFailure({
    path,
    operation: "read",
    problem: "it is shorter than where reading is to go on",
    fix: "It was replaced since the checkpoint: start over without the checkpoint, or bring the old file back."
  })

const attempt = <Value>(work: () => Promise<Value>): Effect.Effect<Value, unknown> =>
  Effect.tryPromise({ try: work, catch: (error) => error })

export const fileRead = defineCapability({
  id,
  summary: "Reads a file as it is consumed: as chunks of text or bytes, lines, rows or JSON values.",
  spec: "§2 File Streams",
  kind: "source",
  subject: { is: "value", name: "path" },
  consuming: ["on-chunk"],
  options,
  effects: [":fs.read"],
  touches: ({ path }) => [{ effect: ":fs.read", path }],
  boundary: () => "it waits for the disk",
  order: "As in the file.",
  delivery: "Under checkpointing it goes on behind the last item of the checkpoint.",
  backpressure: "Reads when items are asked for, one block of 256 KiB ahead.",
  example: `(call :stream.file.read "data/orders.ndjson" {:format :ndjson})`,
  notes: [
    "Text that is not in the stated :encoding, a broken record and a compressed file that ends too early are errors that say line, item and byte; the items before them have been delivered. A byte order mark is dropped.",
    ":json gives the elements of a top-level array one by one, without holding the file; any other value is one item. Integers outside ±2^53 stay exact. :ndjson skips blank lines.",
    ":csv follows RFC 4180; fields stay strings. Rows of another length than the header, a quote in an unquoted field and an unclosed quote are errors.",
    "gzip (also of several members) and zstd are decompressed as they are read, so memory stays flat however much they expand to."
  ],
  node: (options) => fileReadSource(options)
})
