import type { Decoder } from "./Decoder.ts"
import type { JsonOptions, JsonPlace } from "./JsonBatch.ts"
import { JsonRecordReader } from "./JsonRecordReader.ts"

/**
 * Reads one JSON value a line. Blank lines are skipped.
 *
 * **Fails** with `MalformedFile` at the first line that is no JSON value, after the items before it.
 */
export const ndjsonParser = (options: JsonOptions & { readonly from?: JsonPlace | undefined }): Decoder => {
  const reader = new JsonRecordReader("line-feed", options.from ?? { items: 0, lines: 0, lineStart: 0 }, options)
  return { take: (window) => reader.take(window), position: () => reader.place }
}
