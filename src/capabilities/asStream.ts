import { isPlainMap } from "../serialization/index.ts"
import { decodeCall } from "./decodeCall.ts"
import { fromCollection, isCollection } from "./sources/from-collection.ts"
import { fromIterable } from "./sources/from-iterable.ts"
import { isAsyncIterable, isIterable } from "./sources/IterableReader.ts"
import { ProvidedStream } from "./providers/ProvidedStream.ts"
import { mcpOutputs } from "./mcp/mcpSource.ts"
import { McpStreamHandle } from "./mcp/McpStreamHandle.ts"
import { StreamValue } from "./StreamValue.ts"

/** The stream that a value stands for: itself, the elements of a collection, the items of an iterable of the host. */
export const asStream = (value: unknown): StreamValue | undefined => {
  if (value instanceof StreamValue) return value
  if (value instanceof McpStreamHandle) return new StreamValue(mcpOutputs, { handle: value }, [])
  if (value instanceof ProvidedStream) return value.asStream()
  if (isCollection(value)) return isMoreLikelyAMistake(value) ? undefined : decodeCall(fromCollection, [value], asStream).value
  return isAsyncIterable(value) || isIterable(value) ? decodeCall(fromIterable, [value], asStream).value : undefined
}

/** A map, a string or bytes are collections, too, but hardly what is meant where a stream is expected. */
const isMoreLikelyAMistake = (value: unknown): boolean =>
  typeof value === "string"
  || (typeof value === "object" && value !== null && (value instanceof Map || ArrayBuffer.isView(value) || isPlainMap(value)))
