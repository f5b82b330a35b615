import type { SourceBatch } from "../../actors/index.ts"
import type { ByteWindow } from "./ByteWindow.ts"
import type { Decoder } from "./Decoder.ts"
import { isBlank, type JsonOptions, type JsonPlace, malformedJson, parseRecord } from "./JsonBatch.ts"
import { JsonRecordReader } from "./JsonRecordReader.ts"
import { JsonScanner } from "./JsonScanner.ts"

/** Where a parser goes on: before the value, inside the array, or behind the value. */
export interface JsonArrayPosition {
  readonly phase: "start" | "elements" | "after"
  readonly place: JsonPlace
}

/**
 * Reads a JSON file: each element of an array is an item, as soon as it is whole; any other value is the only item.
 *
 * **Fails** with `MalformedFile` where no JSON goes on, after the items before it.
 * **Bounds** the longest element, or a value that is no array, may have `maxRecordBytes`.
 */
export const jsonArrayParser = (options: JsonOptions & { readonly from?: JsonArrayPosition | undefined }): Decoder => {
  let phase = options.from?.phase ?? "start"
  let place = options.from?.place ?? { items: 0, lines: 0, lineStart: 0 }
  let elements = new JsonRecordReader("comma", place, options)

  /** Skips white space, keeping count of its lines; whether something else follows. */
  const skipSpace = (window: ByteWindow): boolean => {
    for (; window.start < window.end; window.start++) {
      if (!isBlank(window.bytes, window.start, window.start + 1)) return true
      if (window.bytes[window.start] === 0x0a) {
        place = { ...place, lines: place.lines + 1, lineStart: window.offsetAt(window.start + 1) }
      }
    }
    return false
  }

  const takeStart = (window: ByteWindow): SourceBatch | "more" | null => {
    if (!skipSpace(window)) {
      if (!window.ended) return "more"
      throw malformedJson(window, window.start, "the file holds no JSON value", place, options)
    }
    if (window.bytes[window.start] !== 0x5b) return takeOnlyValue(window)
    window.start++
    phase = "elements"
    elements = new JsonRecordReader("comma", place, options)
    return takeElements(window)
  }

  const takeOnlyValue = (window: ByteWindow): SourceBatch | "more" => {
    const { end, start } = window
    if (end - start > options.maxRecordBytes) {
      const problem =
        `the value is no array and longer than ${options.maxRecordBytes} bytes; `
        + `if there is one value a line use :format :ndjson, else raise :max-record-size`
      throw malformedJson(window, start, problem, place, options).inItem(1)
    }
    if (!window.ended) return "more"
    const scanner = new JsonScanner("comma")
    const special = scanner.scan(window.bytes, start, end, 0) !== "end" || scanner.special
    let value: unknown
    try {
      value = parseRecord(window, start, end, special, place, options)
    } catch (error) {
      throw (error as { inItem?: (item: number) => unknown }).inItem?.(1) ?? error
    }
    window.start = end
    phase = "after"
    place = { ...place, items: 1 }
    return { items: [value], bytes: end - start }
  }

  const takeElements = (window: ByteWindow): SourceBatch | "more" | null => {
    const batch = elements.take(window)
    place = elements.place
    if (elements.closed) phase = "after"
    else if (batch === null) {
      throw malformedJson(window, window.end, 'expected "," or "]", found the end', place, options).inItem(place.items + 1)
    }
    return batch === null ? takeAfter(window) : batch
  }

  const takeAfter = (window: ByteWindow): "more" | null => {
    if (skipSpace(window)) {
      const problem = "something follows the JSON value; a file with one value a line is :format :ndjson"
      throw malformedJson(window, window.start, problem, place, options)
    }
    return window.ended ? null : "more"
  }

  return {
    take: (window) => (phase === "start" ? takeStart(window) : phase === "elements" ? takeElements(window) : takeAfter(window)),
    position: (): JsonArrayPosition => ({ phase, place })
  }
}
