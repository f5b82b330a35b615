import { keyword } from "../../serialization/index.ts"

/** One piece of what a peer streams, as the processor gets it. */
export interface Chunk {
  /** The payload alone. */
  readonly value: unknown
  /** What is known about it; never headers or tokens. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** How large it was on the wire, about. */
  readonly bytes: number
  /** What the peer has to be told to go on behind it; `null` where there is no such thing. */
  readonly cursor: string | null
}

export type ChunkKind = "progress" | "result" | "resource" | "sse" | "error"

/** Text as it is meant: the JSON value where it is one, else the text; `nil` for blank text. */
export const payloadOfText = (text: string): unknown => {
  if (text.trim() === "") return null
  try {
    return plainKeys(JSON.parse(text))
  } catch {
    return text
  }
}

/** `{":name": 1}` is how some peers write keywords; to a program both are the key `name`. */
export const plainKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plainKeys)
  if (value === null || typeof value !== "object") return value
  const entries = Object.entries(value).map(
    ([key, entry]) => [key.length > 1 && key.startsWith(":") ? key.slice(1) : key, plainKeys(entry)] as const
  )
  // A key `__proto__` of a peer must not become a prototype.
  return Object.fromEntries(entries.filter(([key]) => key !== "__proto__"))
}

interface ProgressParams {
  readonly progress: number
  readonly total?: number | undefined
  readonly message?: string | undefined
  readonly _meta?: Readonly<Record<string, unknown>> | undefined
}

/** What a progress notification carries: its own payload where the peer puts one there, else its message, else its numbers. */
export const progressChunk = (params: ProgressParams): Chunk => {
  const { _meta: meta, message, progress, total } = params
  const payload = Object.fromEntries(Object.entries(meta ?? {}).filter(([key]) => !key.startsWith("io.modelcontextprotocol/")))
  const value =
    Object.keys(payload).length > 0
      ? plainKeys("payload" in payload && Object.keys(payload).length === 1 ? payload["payload"] : payload)
      : message === undefined
        ? { progress, total: total ?? null, message: null }
        : payloadOfText(message)
  return { value, metadata: { kind: keyword("progress"), progress, total: total ?? null }, bytes: sizeOf(params), cursor: null }
}

interface ToolResult {
  readonly content?: ReadonlyArray<unknown> | undefined
  readonly structuredContent?: unknown
  readonly isError?: boolean | undefined
}

/** The last chunk of a tool: its structured content, else its texts. */
export const resultChunk = (result: ToolResult): Chunk => {
  const value =
    result.structuredContent === undefined ? single((result.content ?? []).map(contentValue)) : plainKeys(result.structuredContent)
  return { value, metadata: { kind: keyword(result.isError === true ? "error" : "result") }, bytes: sizeOf(result), cursor: null }
}

/** What a resource holds now. */
export const resourceChunk = (uri: string, contents: ReadonlyArray<unknown>): Chunk => ({
  value: single(contents.map(contentValue)),
  metadata: { kind: keyword("resource"), uri },
  bytes: sizeOf(contents),
  cursor: null
})

/** That a resource has changed, without what it holds. */
export const changeChunk = (uri: string): Chunk => ({
  value: { uri },
  metadata: { kind: keyword("resource"), uri },
  bytes: uri.length,
  cursor: null
})

const single = (values: ReadonlyArray<unknown>): unknown => (values.length === 0 ? null : values.length === 1 ? values[0] : values)

/** Texts as they are meant; everything else (images, links) as the map that it is. */
const contentValue = (content: unknown): unknown => {
  const { text } = content as { readonly text?: unknown }
  return typeof text === "string" ? payloadOfText(text) : plainKeys(content)
}

const sizeOf = (value: unknown): number => JSON.stringify(value)?.length ?? 0
