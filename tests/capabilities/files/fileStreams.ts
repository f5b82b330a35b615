import * as Effect from "effect/Effect"
import type { AsyncSink, AsyncSource, SourceBatch } from "../../../src/actors/index.ts"
import type { ByteSource } from "../../../src/capabilities/files/ByteSource.ts"
import { ByteWindow, type WindowSizes } from "../../../src/capabilities/files/ByteWindow.ts"
import type { Decoder } from "../../../src/capabilities/files/Decoder.ts"
import { type FileReadOptions, fileReadSource } from "../../../src/capabilities/files/file-read.ts"
import { type FileWriteOptions, fileWriteSink } from "../../../src/capabilities/files/file-write.ts"
import type { FileOperations } from "../../../src/capabilities/files/FileOperations.ts"
import { makeFileAccess } from "../../../src/host/FilePolicy.ts"
import { makeNetworkAccess } from "../../../src/host/NetworkPolicy.ts"
import { decodeFrame, FrameEncoder } from "../../../src/serialization/index.ts"

/** What the sink of `file.write` has beside what every sink has. */
type FileSink = AsyncSink & Required<Pick<AsyncSink, "sync" | "seal">>

/** Opens files as a host that grants everything does. */
export const contextOf = (position?: unknown) => ({
  address: "/test",
  services: { files: makeFileAccess({ all: true }), print: () => {}, progress: () => {}, network: makeNetworkAccess({}), databases: { find: () => { throw new Error("not here") } }, queues: { open: () => { throw new Error("not here") } } },
  position
})

/** The items of a batch, and what a frame of raw lines gives its receiver. */
export const itemsOf = (batch: SourceBatch): ReadonlyArray<unknown> => {
  if ("items" in batch) return batch.items
  return decodeFrame(new FrameEncoder({ stream: "/test" }).encodeLines(batch, 0, batch.lineEnds.length, 0))
}

/** What came before the end or the failure, and the failure. */
export interface Outcome {
  readonly items: ReadonlyArray<unknown>
  readonly failure: unknown
}

export const drain = (source: AsyncSource): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const items: Array<unknown> = []
    for (;;) {
      const batch = yield* Effect.result(source.read)
      if (batch._tag === "Failure") return { items, failure: batch.failure }
      if (batch.success === null) return { items, failure: undefined }
      items.push(...itemsOf(batch.success))
    }
  })

type ReadOptions = Partial<FileReadOptions> & { readonly path: string }
type WriteOptions = Partial<FileWriteOptions> & { readonly path: string }

export const readSource = (options: ReadOptions) =>
  fileReadSource({ format: "text", encoding: "utf8", compression: "auto", ...absent, ...options })

export const readFile = (options: ReadOptions, position?: unknown): Promise<Outcome> =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(readSource(options).open(contextOf(position)), drain)).pipe(
      Effect.catch((failure) => Effect.succeed({ items: [], failure }))
    )
  )

const absent = {
  "chunk-size": undefined,
  "max-record-size": undefined,
  separator: undefined,
  header: undefined,
  "escape-formulas": undefined
} as const

/** Opens the sink, lets `use` write, and finishes; the scope closes either way. */
export const writeFile = <Result>(
  options: WriteOptions,
  use: (sink: FileSink) => Effect.Effect<Result, unknown>,
  settings: { readonly files?: FileOperations; readonly position?: unknown } = {}
): Promise<Result> => {
  const spec = fileWriteSink(
    { format: "text", encoding: "utf8", compression: "auto", mode: "replace", fsync: true, ...absent, ...options },
    settings.files
  )
  return Effect.runPromise(Effect.scoped(Effect.flatMap(spec.open(contextOf(settings.position)), (sink) => use(sink as FileSink))))
}

/** Writes batches and finishes. */
export const writeBatches = (
  options: WriteOptions,
  batches: ReadonlyArray<ReadonlyArray<unknown>>,
  settings: { readonly files?: FileOperations; readonly position?: unknown } = {}
): Promise<unknown> =>
  writeFile(options, (sink) => Effect.andThen(Effect.forEach(batches, sink.write, { discard: true }), sink.finish), settings)

/** Bytes that arrive in pieces of the given sizes, over and over. */
export const inPieces = (bytes: Uint8Array, sizes: ReadonlyArray<number>): ByteSource => {
  let at = 0
  let turn = 0
  return {
    read: async (into, from, to) => {
      const size = Math.min(sizes[turn++ % sizes.length]!, to - from, bytes.length - at)
      into.set(bytes.subarray(at, at + size), from)
      at += size
      return size
    }
  }
}

/** What a decoder makes of a source, and the fault it ends with. */
export const decodeAll = async (source: ByteSource, decoder: Decoder, sizes: WindowSizes): Promise<Outcome> => {
  const window = new ByteWindow(source, { sizes })
  const items: Array<unknown> = []
  for (;;) {
    try {
      const batch = decoder.take(window)
      if (batch === null) return { items, failure: undefined }
      if (batch === "more") await window.fill()
      else items.push(...itemsOf(batch))
    } catch (failure) {
      return { items, failure }
    }
  }
}
