import * as Schema from "effect/Schema"
import type { SyncSource } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { isPlainMap } from "../../serialization/index.ts"
import { count, fn, optional, type OptionType, required } from "../Option.ts"
import { isAsyncIterable, isIterable } from "./IterableReader.ts"

/** Whether a value has elements that lie at hand. A generator is none: reading it takes its items away. */
export const isCollection = (value: unknown): boolean =>
  value === null
  || typeof value === "string"
  || (typeof value === "object"
    && (Array.isArray(value)
      || value instanceof Map
      || value instanceof Set
      || ArrayBuffer.isView(value)
      || (isPlainMap(value) && !isIterable(value) && !isAsyncIterable(value))))

const collectionType: OptionType<unknown> = {
  type: "collection",
  schema: Schema.declare((value): value is unknown => isCollection(value), { expected: "a vector, list, map or string" })
}

export const fromCollection = defineCapability({
  id: "stream.from-collection",
  summary: "Emits the elements of a collection, one by one or in chunks of :chunk-size.",
  spec: "§2 In-Memory Streams",
  kind: "source",
  subject: { is: "value", name: "collection" },
  consuming: ["on-chunk"],
  options: {
    collection: required(collectionType, "a vector or list; a map gives its entries `[key value]`, a string its characters"),
    "chunk-size": optional(count, "items per chunk; without it, items come one by one"),
    "on-chunk": optional(fn, "receives each chunk (or item) in order, and starts the stream")
  },
  order: "The order of the collection.",
  delivery: "A restarted actor goes on at the item where it stopped.",
  backpressure: "Elements are taken only on demand; the collection itself is not copied.",
  notes: ["The last chunk may be shorter than `:chunk-size`, and is never empty. An empty collection gives an empty stream."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.from-collection [1 2 3 4 5] {:chunk-size 2})}))",
  node: ({ "chunk-size": chunkSize, collection }) => ({
    kind: "sync-source",
    capability: "stream.from-collection",
    open: () => {
      const items = elementsOf(collection)
      return chunkSize === undefined ? itemsOf(items) : chunksOf(items, chunkSize)
    }
  })
})

/** The elements of a collection, in order. */
const elementsOf = (collection: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(collection)) return collection
  if (collection === null) return []
  if (typeof collection === "string" || isIterable(collection)) return Array.from(collection)
  return Object.entries(collection as object)
}

const itemsOf = (items: ReadonlyArray<unknown>): SyncSource => {
  let next = 0
  return {
    items,
    total: items.length,
    pull: (into, max) => {
      const end = Math.min(items.length, next + max)
      const given = end - next
      while (next < end) into.push(items[next++])
      return given
    },
    position: () => next,
    seek: (position) => {
      next = position as number
    }
  }
}

const chunksOf = (items: ReadonlyArray<unknown>, size: number): SyncSource => {
  let next = 0
  return {
    total: Math.ceil(items.length / size),
    pull: (into, max) => {
      let given = 0
      for (; given < max && next < items.length; given++, next += size) into.push(items.slice(next, next + size))
      return given
    },
    position: () => next,
    seek: (position) => {
      next = position as number
    }
  }
}
