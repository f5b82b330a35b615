import type { StreamHost } from "../../host/index.ts"
import type { McpStream } from "./McpStream.ts"
import type { Asker } from "./makeServer.ts"
import { inspected } from "./inspected.ts"
import type { McpStartRequest, McpStreams } from "./McpStreams.ts"
import { shownItem, stateOf, summaryOf, uriOf } from "./shown.ts"
import { namedSources, offeredBy, ownSources } from "./sources.ts"
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
  readonly call: (args: any, asker: Asker) => Promise<object>
}

/** What a stop by draining may take. */
const drainMs = 20_000

const listed = 50

/** The tools of the server. Each gives plain data, which goes out as structured content and as text. */
export const toolsOf = (streams: McpStreams, host: StreamHost): Readonly<Record<ToolName, Tool>> => ({
  stream_sources: {
    description:
      "Lists what a stream can be started from with stream_start, with arguments and options: MCP servers and endpoints that this host has named, then its own sources. With server, the tools and resources of one of those servers.",
    annotations: { readOnlyHint: true, openWorldHint: true },
    call: async ({ cursor, limit = 20, query = "", server }, { signal }) => {
      const words = String(query).toLowerCase().split(/\s+/)
      const all = server === undefined ? [...namedSources(host.mcp), ...ownSources(host)] : await offeredBy(host.mcp, server, signal)
      const sources = all.filter(({ endpoint, summary }) => words.every((word) => `${endpoint} ${summary}`.toLowerCase().includes(word)))
      return page(sources, cursor, limit, "sources")
    }
  },
  stream_start: {
    description: `Starts a stream and gives its stream_id at once; read it with stream_read. The stream may do what the policy of this server grants, nothing else. It lives until it ends, stream_stop, or ttl_s without a call about it. ${
      streams.areDurable
        ? "It goes on after a restart of this server, under the same stream_id; what it gave and was not read is lost then."
        : "It lives no longer than this server, which keeps nothing."
    }`,
    annotations: { readOnlyHint: false, idempotentHint: false, openWorldHint: true },
    call: async (args: McpStartRequest, { principal }) => {
      const stream = await streams.start(args, principal)
      return { ...summaryOf(stream), resource_uri: uriOf(stream.id), next: "stream_read" }
    }
  },
  stream_list: {
    description: "Lists your streams on this server, the newest first: id, what each was started from, state, counters.",
    annotations: { readOnlyHint: true },
    call: async ({ cursor, state }, { principal }) => {
      const all = streams.of(principal).filter(({ status }) => state === undefined || status === state)
      // Streams come and go between two pages, so a page begins behind a stream and not at a place.
      const before = cursor === undefined ? Infinity : numberOf(cursor)
      const older = all.filter(({ ordinal }) => ordinal < before).toReversed()
      const shown = firstOf(older.map(summaryOf), listed)
      const next = older.length > shown.length ? { next_cursor: String(older[shown.length - 1]!.ordinal) } : {}
      return { streams: shown, total: all.length, ...next }
    }
  },
  stream_inspect: {
    description:
      "Says what one stream is doing: state, counters, errors, why it was paused; with include_state and include_queue what its processor holds and what waits.",
    annotations: { readOnlyHint: true },
    call: async ({ include_queue = false, include_state = false, stream_id }, { principal }) =>
      inspected(streams.get(stream_id, principal), { state: include_state, queue: include_queue })
  },
  stream_read: {
    description:
      "Reads items that a stream gave, in order. Reading takes nothing away; go on with next_cursor. dropped counts items that were not kept long enough. Use wait_ms in place of calling again and again.",
    annotations: { readOnlyHint: true },
    call: async (
      { cursor, from = "outputs", max_chars = 8000, max_items, stream_id, tail, wait_ms = 0 },
      { principal, progress, signal }
    ) => {
      const stream = streams.get(stream_id, principal)
      if (cursor !== undefined && tail !== undefined)
        throw new ToolProblem("A page is read from a cursor or from the tail", "Call stream_read with one of them.")
      const buffer = from === "chunks" ? stream.chunks : stream.outputs
      if (buffer === undefined) {
        throw new ToolProblem("The stream has no chunks: only those of MCP endpoints have", "Call stream_read with from: outputs.")
      }
      const stopTelling = tellWaiting(stream, wait_ms, progress)
      stream.waiting++
      try {
        await buffer.whenMore(cursor, wait_ms, signal)
      } finally {
        stopTelling()
        stream.waiting--
        stream.touchedAt = streams.now()
      }
      const count = max_items ?? tail ?? 20
      const newest = tail === undefined ? undefined : Math.min(tail, count)
      const { dropped, items, more, nextCursor } = buffer.read({ cursor, tail: newest }, { items: count, characters: max_chars })
      const isDone = stream.isOver && !more
      return {
        items: items.map((item) => shownItem(item, max_chars, `${uriOf(stream.id)}/${from === "chunks" ? "chunks" : "items"}`)),
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
    call: async ({ reason, stream_id }, { principal }) => {
      const stream = streams.get(stream_id, principal)
      if (stream.isOver)
        throw new ToolProblem(`The stream has ended (${stream.status}), so there is nothing to pause`, "Call stream_read for what it gave.")
      await stream.pause(reason)
      return summaryOf(stream)
    }
  },
  stream_resume: {
    description: "Lets a paused stream go on where it was.",
    annotations: { readOnlyHint: false, idempotentHint: true },
    call: async ({ reason, stream_id }, { principal }) => {
      const stream = streams.get(stream_id, principal)
      if (stream.isOver)
        throw new ToolProblem(
          `The stream has ended (${stream.status}), so it can't go on`,
          "Call stream_read for what it gave, or stream_start for a new one."
        )
      await stream.resume(reason)
      return summaryOf(stream)
    }
  },
  stream_stop: {
    description: "Ends a stream for good. What it gave can be read until its ttl_s is over.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    call: async ({ mode = "drain", stream_id }, { principal }) => {
      const stream = streams.get(stream_id, principal)
      await (mode === "drain" ? stream.drain(drainMs) : stream.cancel())
      return summaryOf(stream)
    }
  }
})

/** How often whoever waits is told that the call goes on. */
const tellingMs = 2000

/** @returns ends it */
const tellWaiting = (stream: McpStream, waitMs: number, progress: Asker["progress"]): (() => void) => {
  let told = 0
  const timer = setInterval(() => {
    told += tellingMs
    // Who has gone needs to be told nothing.
    if (told < waitMs) progress(told, waitMs, `${stream.id} is ${stream.status}; no new item yet`).catch(() => {})
  }, tellingMs)
  return () => clearInterval(timer)
}

/** How much one page may be. */
const mostCharacters = 16_000

const page = (all: ReadonlyArray<object>, cursor: string | undefined, limit: number, name: string): object => {
  const start = cursor === undefined ? 0 : numberOf(cursor)
  const shown = firstOf(all.slice(start), limit)
  const next = start + shown.length
  return { [name]: shown, total: all.length, ...(next < all.length ? { next_cursor: String(next) } : {}) }
}

const firstOf = (all: ReadonlyArray<object>, limit: number): ReadonlyArray<object> => {
  const shown: Array<object> = []
  let characters = 0
  for (const one of all.slice(0, limit)) {
    characters += JSON.stringify(one).length
    if (shown.length > 0 && characters > mostCharacters) break
    shown.push(one)
  }
  return shown
}

const numberOf = (cursor: string): number => {
  if (!/^\d{1,15}$/.test(cursor)) throw new ToolProblem("The cursor is none of this list", "Call again without a cursor.")
  return Number(cursor)
}
