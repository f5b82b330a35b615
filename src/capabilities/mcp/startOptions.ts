import { anyMap, anything, count, defaulted, duration, flag, optional, required, text } from "../Option.ts"
import { schema } from "../types/schemaOption.ts"

/** What a stream is started with, and can be started with again in another process. */
export const startOptions = {
  endpoint: required(
    anything,
    'what streams: `{:server "weather" :tool "watch"}`, `{:server "weather" :resource "weather://paris"}`, `{:sse "https://…"}`, or a text, see below'
  ),
  processor: optional(
    anything,
    "takes the state, a chunk and its metadata, and gives a map with `:state`, `:action` and `:output`: a function, or the name of one; without it, chunks are counted and the last 100 kept"
  ),
  "initial-state": defaulted(anything, {}, "the state before the first chunk"),
  config: defaulted(anyMap, {}, "the arguments of a tool; of a resource `{:read false}` where its changes are enough"),
  "queue-capacity": defaulted(count, 32, "how many chunks may wait for the processor; when they do, the peer is not read"),
  "output-schema": optional(schema, "what each `:output` must be; then there must be one each time"),
  timeout: defaulted(duration, 30_000, "how long the peer may take to connect, and to answer all but the call itself"),
  "idle-timeout": optional(duration, "how long the peer may say nothing (300000; without limit for a resource)"),
  reissue: defaulted(
    flag,
    false,
    "whether a call that broke off is made again, if the tool says that it only reads or does the same each time"
  ),
  "stream-id": optional(text, "the stream's name; by default made of the endpoint and a random part")
} as const
