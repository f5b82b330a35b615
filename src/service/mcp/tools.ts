import type { CapabilityDescription, StreamHost } from "../../host/index.ts"
import type { McpStream } from "./McpStream.ts"
import type { McpStartRequest, McpStreams } from "./McpStreams.ts"
import type { OutputItem } from "./OutputBuffer.ts"
import { ToolProblem } from "./ToolProblem.ts"
import type { ToolName } from "./toolSchemas.ts"

export interface Tool {
  readonly description: string
  readonly annotations: {
    readonly readOnlyHint?: boolean
    readonly idempotentHint?: boolean
    readonly destructiveHint?: boolean
    readonly openWorldHint?: boolean
  }
  /** @param args as the schema of the tool has them */
  readonly call: (args: any, signal: AbortSignal) => Promise<object>
}

/** What a stop by draining may take. */
const drainMs = 20_000

const listed = 50

/** The tools of the server. Each gives plain data, which goes out as structured content and as text. */
export const toolsOf = (streams: McpStreams, host: StreamHost): Readonly<Record<ToolName, Tool>> => ({
  stream_sources: {
    description: "Lists what a stream can be started from with stream_start, with arguments and options.",
    annotations: { readOnlyHint: true },
    call: async ({ cursor, limit = 20, query = "" }) => {
      const words = String(query).toLowerCase().split(/\s+/)
      const sources = host
        .capabilities()
        .filter(({ id, kind, summary }) => kind === "source" && words.every((word) => `${id} ${summary}`.toLowerCase().includes(word)))
      return page(sources.map(shownSource), cursor, limit, "sources")
    }
  },
  stream_start: {
    description:
      "Starts a stream and gives its stream_id at once; read it with stream_read. The stream may do what the policy of this server grants, nothing else. It lives until it ends, stream_stop, or ttl_s without a call about it; over stdio, no longer than this server.",
    annotations: { readOnlyHint: false, idempotentHint: false, openWorldHint: true },
    call: async (args: McpStartRequest) => {
      const stream = await streams.start(args)
      return { ...summaryOf(stream), resource_uri: uriOf(stream.id), next: "stream_read" }
    }
  },
  stream_list: {
    description: "Lists the streams of this server, the newest first: id, what each was started from, state, counters.",
    annotations: { readOnlyHint: true },
    call: async ({ cursor, state }) =>
      page(
        streams.all
          .filter(({ status }) => state === undefined || status === state)
          .toReversed()
          .map(summaryOf),
        cursor,
        listed,
        "streams"
      )
  },
  stream_inspect: {
    description: "Says what one stream is doing: state, counters, errors and, with include_queue, its actors.",
    annotations: { readOnlyHint: true },
    call: async ({ include_queue = false, stream_id }) => {
      const stream = streams.get(stream_id)
      const parts = stream.streams
        .slice(0, 20)
        .map(({ actors, ...part }) => (include_queue ? { ...part, actors: actors.slice(0, 30) } : part))
      return { ...summaryOf(stream), started_at: stream.startedAt, ttl_s: stream.ttlMs / 1000, parts }
    }
  },
  stream_read: {
    description:
      "Reads items that a stream gave, in order. Reading takes nothing away; go on with next_cursor. dropped counts items that were not kept long enough. Use wait_ms in place of calling again and again.",
    annotations: { readOnlyHint: true },
    call: async ({ cursor, max_chars = 8000, max_items = 20, stream_id, tail, wait_ms = 0 }, signal) => {
      const stream = streams.get(stream_id)
      if (cursor !== undefined && tail !== undefined)
        throw new ToolProblem("A page is read from a cursor or from the tail", "Call stream_read with one of them.")
      if (tail === undefined) await stream.outputs.whenMore(cursor, wait_ms, signal)
      stream.touchedAt = streams.now()
      const { dropped, items, more, nextCursor } = stream.outputs.read({ cursor, tail }, { items: max_items, characters: max_chars })
      const isDone = stream.isOver && !more
      return {
        items: items.map((item) => shownItem(item, max_chars, stream.id)),
        next_cursor: nextCursor,
        more,
        dropped,
        ...stateOf(stream),
        ...(isDone ? { done: true } : {})
      }
    }
  },
  stream_pause: {
    description: "Pauses a stream: its sources give no more, what is under way is worked off, what it gave can be read.",
    annotations: { readOnlyHint: false, idempotentHint: true },
    call: async ({ stream_id }) => {
      const stream = streams.get(stream_id)
      await stream.pause()
      return summaryOf(stream)
    }
  },
  stream_resume: {
    description: "Lets a paused stream go on where it was.",
    annotations: { readOnlyHint: false, idempotentHint: true },
    call: async ({ stream_id }) => {
      const stream = streams.get(stream_id)
      if (stream.isOver)
        throw new ToolProblem(
          `The stream has ended (${stream.status}), so it can't go on`,
          "Call stream_read for what it gave, or stream_start for a new one."
        )
      await stream.resume()
      return summaryOf(stream)
    }
  },
  stream_stop: {
    description: "Ends a stream for good. What it gave can be read until its ttl_s is over.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    call: async ({ mode = "drain", stream_id }) => {
      const stream = streams.get(stream_id)
      await (mode === "drain" ? stream.drain(drainMs) : stream.cancel())
      return summaryOf(stream)
    }
  }
})

export const uriOf = (id: string): string => `rtfs-stream:///${id}`

export const summaryOf = (stream: McpStream): object => ({
  stream_id: stream.id,
  endpoint: stream.endpoint,
  ...stateOf(stream),
  items: stream.outputs.count,
  queued: stream.outputs.kept,
  dropped: stream.outputs.dropped
})

const stateOf = ({ error, result, status }: McpStream): object => ({
  state: status,
  ...(error === undefined ? {} : { error: cut(error, 2000) }),
  ...(result === undefined ? {} : { result: cut(result, 2000) })
})

/** An item as a value, or, where it is longer than the page may be, how long it is and where all of it can be had. */
export const shownItem = ({ at, seq, text }: OutputItem, characters: number, id: string): object =>
  text.length <= characters
    ? { seq, at, value: JSON.parse(text) as unknown }
    : {
        seq,
        at,
        truncated: true,
        size: text.length,
        beginning: text.slice(0, Math.floor(characters / 2)),
        resource_uri: `${uriOf(id)}/items/${seq}`
      }

const shownSource = ({ arguments: names, effects, example, id, options, summary }: CapabilityDescription): object => ({
  endpoint: id,
  summary,
  effects,
  arguments: names,
  options: options.map(({ default: byDefault, description, name, required, type }) => ({
    name,
    type,
    required,
    ...(byDefault === undefined ? {} : { default: byDefault }),
    description: cut(description, 160)
  })),
  example
})

/** How much one page may be. */
const mostCharacters = 16_000

const page = (all: ReadonlyArray<object>, cursor: string | undefined, limit: number, name: string): object => {
  const start = cursor === undefined ? 0 : Number(cursor)
  if (!Number.isSafeInteger(start) || start < 0) throw new ToolProblem("The cursor is none of this list", "Call again without a cursor.")
  const shown: Array<object> = []
  let characters = 0
  for (const one of all.slice(start, start + limit)) {
    characters += JSON.stringify(one).length
    if (shown.length > 0 && characters > mostCharacters) break
    shown.push(one)
  }
  const next = start + shown.length
  return { [name]: shown, total: all.length, ...(next < all.length ? { next_cursor: String(next) } : {}) }
}

const cut = (text: string, characters: number): string => (text.length > characters ? `${text.slice(0, characters - 1)}…` : text)
