import { toJson } from "../../rtfs/index.ts"
import type { McpStream } from "./McpStream.ts"
import { summaryOf, truncated } from "./shown.ts"

/** How long the state of a processor may be, the queue in front of it, and the rest. */
const mostCharacters = { state: 4000, queue: 6000, mcp: 3000, parts: 6000 }

/** How many streams of a program are shown, and how many actors of each. */
const mostParts = 20
const mostActors = 30

/**
 * What one stream is doing.
 *
 * **Bounds** 16,000 characters and the summary: of what is longer the beginning is there, and how long it is.
 */
export const inspected = async (stream: McpStream, wanted: { readonly state: boolean; readonly queue: boolean }): Promise<object> => {
  const { createdAt, owner, steering } = stream.record
  const { "current-state": state, queue, ...mcp } = (await stream.inspectMcp(wanted)) ?? {}
  const parts = stream.streams
    .slice(0, mostParts)
    .map(({ actors, ...part }) => (wanted.queue ? { ...part, actors: actors.slice(0, mostActors) } : part))
  return {
    ...summaryOf(stream),
    owner,
    started_at: createdAt,
    ttl_s: stream.ttlMs / 1000,
    ...(steering === undefined ? {} : { last_asked: steering }),
    parts: within(parts, mostCharacters.parts),
    ...(Object.keys(mcp).length === 0 ? {} : { resolved: within(mcp["resolved"], mostCharacters.mcp) }),
    ...(wanted.state ? { processor_state: stream.chunks === undefined ? null : within(state, mostCharacters.state) } : {}),
    ...(wanted.queue && queue !== undefined ? { queue: within(queue, mostCharacters.queue) } : {}),
    ...(wanted.state && Object.keys(mcp).length > 0 ? { mcp: within(mcp, mostCharacters.mcp) } : {})
  }
}

const within = (value: unknown, characters: number): unknown => {
  const text = toJson(value ?? null)
  return text.length <= characters ? (JSON.parse(text) as unknown) : truncated(text, characters)
}
