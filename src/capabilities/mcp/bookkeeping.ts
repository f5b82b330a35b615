import { isPlainMap } from "../../serialization/index.ts"

/** How many of the last chunks are kept in the state of a stream without a processor. */
const mostKept = 100

/** The state of a stream that has no processor: how many chunks came, the last one, and the last hundred. */
export const bookkeeping = (state: unknown, chunk: unknown, metadata: unknown): unknown => {
  const before: Readonly<Record<string, unknown>> = typeof state === "object" && state !== null && isPlainMap(state) ? state : {}
  const count = typeof before["count"] === "number" ? before["count"] : 0
  return {
    ...before,
    count: count + 1,
    "last-chunk": chunk,
    "last-metadata": metadata,
    messages: appended(before["messages"], chunk),
    metadata: appended(before["metadata"], metadata)
  }
}

const appended = (list: unknown, value: unknown): ReadonlyArray<unknown> => [
  ...(Array.isArray(list) ? list.slice(1 - mostKept) : []),
  value
]
