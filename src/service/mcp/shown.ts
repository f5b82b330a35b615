import type { McpStream } from "./McpStream.ts"
import type { OutputItem } from "./OutputBuffer.ts"

export const uriOf = (id: string): string => `rtfs-stream:///${id}`

/** What lists and answers say of a stream. */
export const summaryOf = (stream: McpStream): object => ({
  stream_id: stream.id,
  endpoint: stream.endpoint,
  ...stateOf(stream),
  items: stream.outputs.count,
  queued: stream.outputs.kept,
  dropped: stream.outputs.dropped,
  ...(stream.restarts === 0 ? {} : { restarts: stream.restarts })
})

export const stateOf = ({ error, result, status }: McpStream): object => ({
  state: status,
  ...(error === undefined ? {} : { error: cut(error, 2000) }),
  ...(result === undefined ? {} : { result: cut(result, 2000) })
})

/**
 * An item with its value; a value that is longer than the page may be is how long it is, its beginning, and where all of it
 * can be had.
 *
 * @param at the URI below which items are found by their numbers
 */
export const shownItem = ({ at: addedAt, seq, text }: OutputItem, characters: number, at: string): object => ({
  seq,
  at: addedAt,
  value: text.length <= characters ? (JSON.parse(text) as unknown) : truncated(text, Math.floor(characters / 2), `${at}/${seq}`)
})

/** What stands for a value that is too long. */
export const truncated = (text: string, characters: number, resourceUri?: string): object => ({
  truncated: true,
  size: text.length,
  beginning: text.slice(0, characters),
  ...(resourceUri === undefined ? {} : { resource_uri: resourceUri })
})

export const cut = (text: string, characters: number): string => (text.length > characters ? `${text.slice(0, characters - 1)}…` : text)
