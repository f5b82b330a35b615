import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AsyncSink, AsyncSinkSpec, OpenContext } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { choice, defaulted, flag, optional, type OptionsOf, required, stream, text } from "../Option.ts"
import { ByteWindow } from "./ByteWindow.ts"
import { type Compression, compressionOfName, compressions, decompressor } from "./Compression.ts"
import { csvParser } from "./CsvParser.ts"
import type { CsvColumns } from "./CsvWriter.ts"
import { defaultMaxRecordBytes } from "./Decoder.ts"
import { encodings } from "./Encoding.ts"
import { FileFailure } from "./errors.ts"
import { type FileOperations, nodeFiles } from "./FileOperations.ts"
import { FileWriter } from "./FileWriter.ts"
import { isSeparator } from "./CsvSeparator.ts"
import { itemFormat, refuseUnencodable } from "./ItemFormat.ts"
import { OutputFile, type OutputPosition } from "./OutputFile.ts"

const id = "stream.file.write"

const options = {
  path: required(text, "the file, in a folder that the host allows to write"),
  "data-source": optional(stream, "the stream to write, when it is not the first argument"),
  format: defaulted(
    choice("text", "lines", "ndjson", "csv", "json"),
    "text",
    "what becomes of an item: text as it is, a line, a JSON value a line, a row, or an element of a JSON array"
  ),
  encoding: defaulted(choice(...encodings), "utf8", "how text becomes bytes; with :binary the items are bytes"),
  compression: defaulted(choice(...compressions), "auto", "how the file is compressed; :auto takes it from the name (.gz, .zst)"),
  mode: defaulted(choice("replace", "append"), "replace", "whether the file is replaced as a whole at the end, or grows"),
  fsync: defaulted(
    flag,
    true,
    "whether the result is on the disk, not only in the system's memory, before the stream completes; that of a checkpointed stream always is"
  ),
  separator: optional(text, "with :csv, the one character between two fields (,)"),
  header: optional(flag, "with :csv, whether the names of the columns are the first row (true)"),
  "escape-formulas": optional(flag, "with :csv, puts ' before text that a spreadsheet would run as a formula (false)")
} as const

/** The options of `file.write` once they are validated. */
export type FileWriteOptions = Omit<OptionsOf<typeof options>, "data-source">

/** Where a write goes on, as `position` tells it. */
interface FileWritePosition {
  readonly output: OutputPosition
  readonly items: number
  /** Whether all of that is on the disk. Otherwise some of the items were in memory, and the position is none to go on from. */
  readonly isSynced: boolean
  readonly isSealed: boolean
  readonly columns: CsvColumns | null
}

/**
 * The sink that writes a file.
 *
 * @param options validated by the capability; combinations that make no sense are refused here
 * @param files the system calls, for tests
 *
 * **Fails** at once with `InvalidCall`; while it runs with `PermissionDenied`, `FileFailure` and, for an item that has
 * no form in the format, an `ItemFailure` with an `UnwritableValue`.
 * **Delivery** the target is replaced, or has grown, as a whole when the stream has ended normally; in every other case
 * it is as it was.
 * **Stopping** removes the part file, or cuts the target back to where it was. A checkpointed stream keeps both, and cuts
 * them back to what the checkpoint has when it goes on: so each item is in the file once.
 */
export const fileWriteSink = (options: FileWriteOptions, files: FileOperations = nodeFiles): AsyncSinkSpec => {
  refuseOptionsWithoutMeaning(options)
  return { kind: "async-sink", capability: id, takesBack: true, open: (context) => open(options, files, context) }
}

const open = (options: FileWriteOptions, files: FileOperations, context: OpenContext): Effect.Effect<AsyncSink, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { encoding, mode, path } = options
    const from = context.position as FileWritePosition | undefined
    if (from !== undefined && !from.isSynced) return yield* Effect.fail(lost(path))
    const access = context.services.files
    const durable = context.durable === undefined ? undefined : { name: context.durable, isSealed: context.isSealed ?? false }
    const target = yield* access.resolveForWriting(path)
    const recheck = () =>
      Effect.runPromise(access.resolveForWriting(path)).then((now) => {
        if (now !== target) throw moved(path)
      })
    const compression = options.compression === "auto" ? compressionOfName(path) : options.compression
    const output = yield* Effect.acquireRelease(
      attempt(() => OutputFile.open({ mode, target, path, fsync: options.fsync, files, recheck, from: from?.output, durable })),
      (made) => Effect.promise(() => made.discard())
    )
    const columns = from?.columns ?? (yield* attempt(() => existingColumns(output, compression, options)))
    const format = itemFormat({
      format: options.format,
      separator: options.separator ?? ",",
      header: options.header ?? true,
      escapeFormulas: options["escape-formulas"] ?? false,
      columns: columns ?? undefined,
      check: (piece) => refuseUnencodable(piece, encoding)
    })
    const writer = yield* Effect.acquireRelease(
      Effect.sync(
        () => new FileWriter({ output, format, encoding, compression, path, items: from?.items ?? 0, isSealed: from?.isSealed ?? false })
      ),
      (made) => Effect.sync(() => made.close())
    )
    if (from === undefined && compression === "none" && options.format !== "text") yield* attempt(() => endLastLine(output, options))
    return {
      // A write that is given up on would go on in the background, past the cut that `discard` makes.
      write: (items) => Effect.uninterruptible(attempt(() => writer.write(items))),
      sync: Effect.uninterruptible(attempt(() => writer.sync())),
      seal: Effect.uninterruptible(attempt(() => writer.seal())),
      finish: Effect.uninterruptible(
        Effect.map(
          attempt(() => writer.finish()),
          () => ({ path, items: writer.items, bytes: output.written })
        )
      ),
      isFinal: () => output.isCommitted,
      position: (): FileWritePosition => ({
        output: output.position,
        items: writer.items,
        isSynced: writer.isSynced,
        isSealed: writer.isSealed,
        columns: format.columns() ?? null
      })
    }
  })

/** The columns of the rows that are there already, so that appended ones match them. */
const existingColumns = async (output: OutputFile, compression: Compression, options: FileWriteOptions): Promise<CsvColumns | null> => {
  if (options.format !== "csv" || output.start === 0) return null
  const { path } = options
  const existing = output.existing()
  const decompressed = compression === "none" ? undefined : decompressor(existing, compression, path)
  try {
    const window = new ByteWindow(decompressed ?? existing)
    const parser = csvParser({
      path,
      encoding: options.encoding === "latin1" ? "latin1" : "utf8",
      maxRecordBytes: defaultMaxRecordBytes,
      separator: options.separator ?? ",",
      header: false
    })
    for (;;) {
      const batch = parser.take(window)
      if (batch === "more") {
        await window.fill()
        continue
      }
      const first = batch !== null && "items" in batch ? (batch.items[0] as ReadonlyArray<string> | undefined) : undefined
      return first === undefined ? null : (options.header ?? true) ? first : first.length
    }
  } finally {
    decompressed?.close()
  }
}

/** A file may end without a line end, and the first record must not become a part of its last line. */
const endLastLine = async (output: OutputFile, options: FileWriteOptions): Promise<void> => {
  if (output.start === 0) return
  const isWide = options.encoding === "utf16le"
  const last = await output.endOfExisting(isWide ? 2 : 1)
  if (last[0] !== 0x0a) await output.write(Buffer.from("\n", isWide ? "utf16le" : "latin1"))
}

/** An option that would be ignored is a mistake of its writer, who should hear of it. */
const refuseOptionsWithoutMeaning = (options: FileWriteOptions): void => {
  const { encoding, format, mode, separator } = options
  const refuse = (option: string, problem: string) => {
    throw new InvalidCall(id, `: :${option} ${problem}.`, option)
  }
  if (format === "json" && mode === "append") refuse("mode", ":append can't make a JSON array longer; use :format :ndjson")
  if (encoding === "binary" && format !== "text") refuse("encoding", `:binary has no text, which :format :${format} makes`)
  for (const option of ["separator", "header", "escape-formulas"] as const) {
    if (options[option] !== undefined && format !== "csv") refuse(option, "is for :format :csv")
  }
  if (format === "csv" && mode === "append" && encoding === "utf16le") refuse("encoding", ":utf16le can't be appended to as :csv")
  if (separator !== undefined && !isSeparator(separator))
    refuse("separator", "must be one ASCII character other than a quote or a line end")
}

const moved = (path: string): FileFailure =>
  new FileFailure({
    path,
    operation: "write",
    problem: "the path leads to another place than when writing began",
    fix: "A folder or link on it was exchanged meanwhile; nothing was written there."
  })

const lost = (path: string): FileFailure =>
  new FileFailure({
    path,
    operation: "go on writing",
    problem: "what was written before was not yet on the disk when writing broke off",
    fix: "The target is as it was: run the stream again from its start or from a checkpoint."
  })

const attempt = <Value>(work: () => Promise<Value>): Effect.Effect<Value, unknown> =>
  Effect.tryPromise({ try: work, catch: (error) => error })

export const fileWrite = defineCapability({
  id,
  summary: "Writes a stream to a file, which is replaced, or has grown, as a whole once the stream has ended.",
  spec: "§2 File Streams",
  kind: "sink",
  subject: { is: "value", name: "path" },
  streams: ["data-source"],
  startsAtOnce: true,
  options,
  effects: [":fs.write"],
  touches: ({ path }) => [{ effect: ":fs.write", path }],
  boundary: () => "it waits for the disk",
  order: "As in the stream.",
  delivery: "The result is a map with :path, :items and :bytes. With :fsync it is given once everything is on the disk.",
  backpressure: "Takes a frame when the one before it is written or fits into its buffer of 256 KiB.",
  example: `(call :stream.file.write "out/orders.ndjson" {:data-source [{:id 1} {:id 2}] :format :ndjson})`,
  notes: [
    ":mode :replace writes a part file beside the target and renames it at the end; a failed or cancelled stream removes it and leaves the target as it was. :mode :append cuts the file back to where it was.",
    ":text takes strings and bytes as they are. :lines refuses text with a line end. :csv takes its columns from the first item, or from the file it appends to; nil is an empty field.",
    'JSON writes keywords as ":name", big integers with all digits and dates as ISO 8601 text. What a format has no form for (functions, streams, NaN in JSON) is a failure of that item, and never written as something else.',
    "Folders are not created."
  ],
  node: (options) => fileWriteSink(options)
})
