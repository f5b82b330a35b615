import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AsyncSourceSpec } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { type CsvPosition, csvParser } from "../files/CsvParser.ts"
import { isSeparator } from "../files/CsvSeparator.ts"
import { type Decoder, defaultMaxRecordBytes, type RecordPosition } from "../files/Decoder.ts"
import { type JsonArrayPosition, jsonArrayParser } from "../files/JsonArrayParser.ts"
import type { JsonPlace } from "../files/JsonBatch.ts"
import { lineBlocks } from "../files/LineBlocks.ts"
import { ndjsonParser } from "../files/NdjsonParser.ts"
import { textChunks } from "../files/TextChunks.ts"
import { anyMap, byteSize, choice, count, defaulted, duration, flag, fn, optional, type OptionsOf, required, text } from "../Option.ts"
import { shownUrl } from "./errors.ts"
import { HttpReading } from "./HttpReading.ts"
import { readHeaders, readUrl, touchedPeer } from "./requestTarget.ts"
import { type SsePosition, SseParser } from "./SseParser.ts"

const id = "stream.http.get"

const options = {
  url: required(text, "the address, http:// or https://, of a peer that the host allows"),
  headers: optional(anyMap, "headers of the request: a map of names and texts, in which `{{secret:NAME}}` stands for a secret of the host"),
  format: defaulted(
    choice("text", "lines", "ndjson", "json", "csv", "sse", "binary"),
    "text",
    "what an item is: a chunk of text, a line, a JSON value a line, an element of a JSON array, a row, a server-sent event, or a chunk of bytes"
  ),
  "chunk-size": optional(byteSize, "with :text and :binary, how many bytes a chunk has; without it a chunk is what has come, up to 64 KiB"),
  "max-record-size": optional(byteSize, "the longest line, row, event or JSON item; a longer one is an error (1 MiB)"),
  "max-body-size": optional(
    byteSize,
    "the most bytes after decompression; without it there is no bound but that compressed data may expand 200 times"
  ),
  separator: optional(text, "with :csv, the one character between two fields (,)"),
  header: optional(flag, "with :csv, whether the first row names the columns, so that rows are maps; otherwise they are vectors (true)"),
  timeout: defaulted(duration, 30_000, "how long the peer may be silent, before its headers and between two pieces of the body"),
  "connect-timeout": optional(duration, "how long connecting may take (10000, or :timeout where that is shorter)"),
  "headers-timeout": optional(duration, "how long the peer may take to answer, in place of :timeout"),
  "idle-timeout": optional(duration, "how long the peer may be silent in the body, in place of :timeout; with :sse 300000 by default"),
  "total-timeout": optional(duration, "how long all of it may take; without it there is no such limit"),
  "max-attempts": defaulted(count, 3, "how often it is tried as long as nothing comes; 1 never tries again"),
  "on-data": optional(fn, "receives each item in order, and starts the stream"),
  "on-end": optional(fn, "called once at the normal end, after the last item")
} as const

/** The options of `http.get` once they are validated. */
export type HttpGetOptions = Omit<OptionsOf<typeof options>, "on-data" | "on-end">

/**
 * The source that reads what a web server answers to a GET.
 *
 * **Fails** at once with `InvalidCall`; while it runs with `PermissionDenied`, `NetworkFailure`, and `MalformedFile` for
 * data that is not what the format says.
 * **Backpressure** the socket is read when items are asked for, at most 600 KiB ahead.
 * **Delivery** a connection that breaks off is made again where nothing is lost or doubled by that; see `HttpReading`.
 */
export const httpGetSource = (options: HttpGetOptions): AsyncSourceSpec => {
  refuseOptionsWithoutMeaning(options)
  const url = options.url
  readUrl(id, url, ["https:", "http:"])
  const headers = readHeaders(id, options.headers)
  const isEvents = options.format === "sse"
  const { timeout } = options
  return {
    kind: "async-source",
    capability: id,
    open: (context) =>
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const reading = {
          url,
          headers:
            isEvents && !Object.keys(headers).some((name) => /^accept$/i.test(name))
              ? { Accept: "text/event-stream", ...headers }
              : headers,
          isEvents,
          decoder: (from: unknown) => decoderOf(options, from),
          connectTimeoutMs: options["connect-timeout"] ?? Math.min(timeout, 10_000),
          headersTimeoutMs: options["headers-timeout"] ?? timeout,
          idleTimeoutMs: options["idle-timeout"] ?? (isEvents ? Math.max(timeout, 300_000) : timeout),
          totalTimeoutMs: options["total-timeout"],
          mostBytes: options["max-body-size"],
          maxAttempts: options["max-attempts"]
        }
        return new HttpReading(reading, context, yield* Clock.Clock, scope)
      })
  }
}

const decoderOf = (options: HttpGetOptions, from: unknown): Decoder => {
  const path = shownUrl(options.url)
  const maxRecordBytes = options["max-record-size"] ?? defaultMaxRecordBytes
  const common = { path, encoding: "utf8", maxRecordBytes } as const
  switch (options.format) {
    case "text":
      return textChunks({
        path,
        encoding: "utf8",
        chunkBytes: options["chunk-size"] ?? mostChunkBytes,
        isEager: options["chunk-size"] === undefined
      })
    case "binary":
      return textChunks({
        path,
        encoding: "binary",
        chunkBytes: options["chunk-size"] ?? mostChunkBytes,
        isEager: options["chunk-size"] === undefined
      })
    case "lines":
      return lineBlocks({ ...common, from: from as RecordPosition | undefined })
    case "ndjson":
      return ndjsonParser({ ...common, from: from as JsonPlace | undefined })
    case "json":
      return jsonArrayParser({ ...common, from: from as JsonArrayPosition | undefined })
    case "csv":
      return csvParser({
        ...common,
        separator: options.separator ?? ",",
        header: options.header ?? true,
        from: from as CsvPosition | undefined
      })
    case "sse":
      return new SseParser({ path, maxRecordBytes, from: from as SsePosition | undefined })
  }
}

const mostChunkBytes = 64 * 1024

/** An option that would be ignored is a mistake of its writer, who should hear of it. */
const refuseOptionsWithoutMeaning = (options: HttpGetOptions): void => {
  const { format, separator } = options
  const isChunks = format === "text" || format === "binary"
  const refuse = (option: string, problem: string) => {
    throw new InvalidCall(id, `: :${option} ${problem}.`, option)
  }
  if (options["chunk-size"] !== undefined && !isChunks)
    refuse("chunk-size", `is for :format :text and :binary; with :${format} the items are records`)
  if (options["max-record-size"] !== undefined && isChunks)
    refuse("max-record-size", `is for formats with records; :${format} has :chunk-size`)
  if (separator !== undefined && format !== "csv") refuse("separator", "is for :format :csv")
  if (options.header !== undefined && format !== "csv") refuse("header", "is for :format :csv")
  if (separator !== undefined && !isSeparator(separator))
    refuse("separator", "must be one ASCII character other than a quote or a line end")
}

export const httpGet = defineCapability({
  id,
  summary: "Reads what a web server answers as it comes: chunks of text or bytes, lines, rows, JSON values or server-sent events.",
  spec: "§2 Network Streams",
  kind: "source",
  subject: { is: "value", name: "url" },
  consuming: ["on-data"],
  options,
  effects: [":network"],
  touches: ({ url }) => touchedPeer(url),
  boundary: () => "it waits for a peer",
  order: "As in the answer.",
  delivery:
    "A connection that fails is tried again as long as nothing came; after that only where it can go on behind the last item: :sse by Last-Event-ID, all others by Range and a strong ETag, or from the start where the ETag is still the same. Under checkpointing it goes on in the same way; where the peer offers none of it, going on is refused.",
  backpressure:
    "The socket is read when items are asked for, at most 600 KiB ahead. The wait for a slow consumer is not the peer's and counts for no timeout but :total-timeout.",
  example:
    '(:state (call :stream.status (call :stream.create (call :stream.http.get "https://api.example.com/orders" {:format :ndjson}))))',
  notes: [
    "An answer that is cut off is an error, never its end; so are damaged compressed data, and text that is not UTF-8. gzip, deflate, br and zstd are undone, at most two of them.",
    "Statuses other than 2xx are errors. 408, 425, 429 and 5xx are tried again, with growing waits of random length and what Retry-After asks for, up to a minute.",
    "Up to 5 redirects are followed, and each peer on the way must be granted. Only Accept, Accept-Language, Content-Type and User-Agent go along to another origin. See [the network](../network.md).",
    "An item of :sse is a map with :event, :data and, where it has one, :id. The normal end of the answer is the end of the stream."
  ],
  prepare: ({ inputs, options: { "on-end": onEnd, ...rest } }) => {
    if (onEnd !== undefined && rest["on-complete"] !== undefined)
      throw new InvalidCall(id, "has :on-end and :on-complete, which are the same here; give one.", "on-end")
    const given = onEnd === undefined ? rest : { ...rest, "on-complete": onEnd }
    // What is wrong with them is said by the call, not by the stream.
    httpGetSource(given as HttpGetOptions)
    return { inputs, options: given }
  },
  node: (options) => httpGetSource(options)
})
