import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import { isKeyword, isPlainMap, type Keyword } from "../../serialization/index.ts"
import type { ControlCapability } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { byteSize, count, defaulted, milliseconds, type OptionType } from "../Option.ts"

/** An id as text, or as a keyword. */
export const id: OptionType<string> = {
  type: "string or keyword",
  schema: Schema.declare((value): value is string | Keyword => typeof value === "string" || isKeyword(value), {
    expected: "a string or a keyword"
  }).pipe(
    Schema.decodeTo(
      Schema.String,
      Transformation.transform({
        decode: (value: string | Keyword) => (isKeyword(value) ? value.name : value),
        encode: (value: string): string | Keyword => value
      })
    )
  )
}

/** The options of what comes out of a stream. */
export const outletOptions = {
  "buffer-size": defaulted(count, 512, "how many items may be there that a consumer has not acknowledged; then the stream waits"),
  "replay-items": defaulted(count, 1024, "how many items are kept for consumers that come back"),
  "replay-bytes": defaulted(
    byteSize,
    4 * 1024 ** 2,
    'how many bytes of them, `"4MB"` by default; the stream waits, too, while items that are not acknowledged take more'
  ),
  "replay-ms": defaulted(milliseconds, 300_000, "how long they are kept")
}

/**
 * The options of a call as its table has them: keys may be written with `_` instead of `-`, and a map under `:options` counts
 * as if its entries stood beside it.
 */
export const readOptions = (capability: ControlCapability, map: unknown): any => decodeControlOptions(capability, flat(capability, map))

const flat = (capability: ControlCapability, map: unknown): unknown => {
  if (typeof map !== "object" || map === null || !isPlainMap(map)) return map
  const written: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(map)) {
    const dashed = name.replaceAll("_", "-")
    const isMore = (dashed === "options" || dashed === "callbacks" || dashed === "events") && !Object.hasOwn(capability.options, dashed)
    if (isMore && typeof value === "object" && value !== null && isPlainMap(value)) Object.assign(written, flat(capability, value))
    else if (dashed !== "enable-callbacks") written[dashed] = value
  }
  return written
}
