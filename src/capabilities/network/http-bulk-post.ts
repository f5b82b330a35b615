import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AsyncSinkSpec } from "../../actors/index.ts"
import { keyword } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { anyMap, choice, count, defaulted, duration, fn, optional, type OptionsOf, required, stream, text } from "../Option.ts"
import { BatchPoster } from "./BatchPoster.ts"
import { Agents } from "./HttpCall.ts"
import { readHeaders, readUrl, touchedPeer } from "./requestTarget.ts"
import type { RetryPolicy } from "./Retry.ts"

const id = "stream.http.bulk-post"

const options = {
  url: required(text, "the address, http:// or https://, of a peer that the host allows"),
  "data-stream": optional(stream, "the stream to send"),
  "batch-size": defaulted(count, 100, "how many items one request has; the last one may have fewer"),
  "batch-timeout": optional(
    duration,
    "how long an item waits for its batch to be full (1000); a checkpointed stream has no such limit unless it is given"
  ),
  format: defaulted(choice("json", "ndjson"), "json", "the body: a JSON array, or a JSON value a line"),
  headers: optional(
    anyMap,
    "headers of each request: a map of names and texts, in which `{{secret:NAME}}` stands for a secret of the host"
  ),
  timeout: defaulted(duration, 30_000, "how long the peer may take to answer"),
  "retry-policy": optional(
    anyMap,
    "a map with `:max-attempts` in all (3), `:backoff` `:exponential`, `:linear` or `:constant`, `:base-delay` (500) and `:max-delay` (10000) in ms, and `:total-timeout` of a batch with all its attempts (120000)"
  ),
  "on-success": optional(
    fn,
    "called after each request that succeeded, with a map of :status, :body and the number of :items; it only observes"
  ),
  "on-error": optional(
    fn,
    "takes the error and the vector of the items that were given up on, once after the last attempt; the stream then goes on. Without it each of the items fails, as :on-failure says"
  )
} as const

/** The options of `http.bulk-post` once they are validated. */
export type HttpBulkPostOptions = Omit<OptionsOf<typeof options>, "data-stream">

/**
 * The sink that posts batches of items.
 *
 * **Fails** at once with `InvalidCall`; while it runs with `PermissionDenied`, with `NetworkFailure` for a batch that
 * nobody takes, and for an item that JSON has no form for with an `ItemFailure`.
 * **Delivery** at least once; see `BatchPoster` for the key by which the peer can tell.
 */
export const httpBulkPostSink = (options: HttpBulkPostOptions): AsyncSinkSpec => {
  readUrl(id, options.url, ["https:", "http:"])
  const headers = readHeaders(id, options.headers)
  const retry = retryPolicy(options["retry-policy"])
  return {
    kind: "async-sink",
    capability: id,
    open: (context) =>
      Effect.gen(function* () {
        const agents = yield* Effect.acquireRelease(
          Effect.sync(() => new Agents()),
          (made) => Effect.sync(() => made.close())
        )
        const poster = {
          url: options.url,
          headers,
          format: options.format,
          batchSize: options["batch-size"],
          batchTimeoutMs: options["batch-timeout"] ?? (context.durable === undefined ? 1000 : undefined),
          timeoutMs: options.timeout,
          retry,
          onSuccess: options["on-success"],
          onError: options["on-error"]
        }
        return new BatchPoster(poster, context, { clock: yield* Clock.Clock, agents })
      })
  }
}

const backoffs = ["exponential", "linear", "constant"] as const

const retryPolicy = (written: Readonly<Record<string, unknown>> = {}): RetryPolicy & { readonly totalTimeoutMs: number } => {
  const known = ["max-attempts", "backoff", "base-delay", "max-delay", "total-timeout"]
  for (const name of Object.keys(written)) {
    if (!known.includes(name))
      throw new InvalidCall(id, `: :retry-policy has no :${name}; it takes ${known.map((each) => `:${each}`).join(" ")}.`, "retry-policy")
  }
  const whole = (name: string, otherwise: number): number => {
    const value = written[name] ?? otherwise
    if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value
    throw new InvalidCall(
      id,
      `expects :${name} of :retry-policy to be a whole number of at least 1, but got ${shown(value)}.`,
      "retry-policy"
    )
  }
  const backoff = backoffs.find((name) => (written["backoff"] ?? keyword("exponential")) === keyword(name) || written["backoff"] === name)
  if (backoff === undefined)
    throw new InvalidCall(
      id,
      `expects :backoff of :retry-policy to be :exponential, :linear or :constant, but got ${shown(written["backoff"])}.`,
      "retry-policy"
    )
  return {
    backoff,
    maxAttempts: whole("max-attempts", 3),
    baseDelayMs: whole("base-delay", 500),
    maxDelayMs: whole("max-delay", 10_000),
    totalTimeoutMs: whole("total-timeout", 120_000)
  }
}

export const httpBulkPost = defineCapability({
  id,
  summary: "Posts a stream to a web server in batches, which are tried again, and known by a key.",
  spec: "§10 External Service Integration",
  kind: "sink",
  subject: { is: "value", name: "url" },
  streams: ["data-stream"],
  startsAtOnce: true,
  options,
  effects: [":network"],
  touches: ({ url }) => touchedPeer(url),
  boundary: () => "it waits for a peer",
  order: "As in the stream: a batch is sent when the one before it is done with.",
  delivery:
    "At least once. Each request has an Idempotency-Key, made of the stream, the place of the batch and its content: the same on each attempt and after a crash, so that a peer which heeds it takes each batch once. The result is a map with :batches, :items, :failed and :retries.",
  backpressure: "One request at a time; beside it the items of one batch are held. The stream waits with the peer.",
  example: '(call :stream.await (call :stream.http.bulk-post "https://api.example.com/batch" {:data-stream [] :batch-size 100}))',
  notes: [
    "2xx is success. Failures of the network, 408, 425, 429 and 5xx are tried again, after waits of random length up to a growing bound; Retry-After is honoured, up to a minute. Other statuses are not tried again.",
    "After 207 only the items with such a status are sent again, alone; those with any other status that is no success are given up on.",
    "An item that JSON has no form for fails alone, as :on-failure says. A batch that fails goes to :on-error with its error; without that its items fail, as :on-failure says, and the stream with them.",
    "Under checkpointing the items that wait for their batch are part of the checkpoint. With :batch-timeout the same items may come in other batches after a crash, which then have other keys."
  ],
  prepare: (call) => {
    httpBulkPostSink(call.options as unknown as HttpBulkPostOptions)
    return call
  },
  node: (options) => httpBulkPostSink(options)
})
