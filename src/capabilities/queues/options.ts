import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import { choice, defaulted, optional, type OptionType } from "../Option.ts"

/** A name, as text or as a keyword. */
const name: OptionType<string> = {
  type: "keyword or string",
  schema: Schema.declare((value): value is Keyword | string => typeof value === "string" || isKeyword(value), {
    expected: "a keyword or a string"
  }).pipe(
    Schema.decodeTo(
      Schema.String,
      Transformation.transform({
        decode: (value: Keyword | string) => (isKeyword(value) ? value.name : value),
        encode: (value: string): Keyword | string => value
      })
    )
  )
}

/** Seconds, as servers of queues count their leases. */
export const seconds: OptionType<number> = {
  type: "seconds",
  schema: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(1)).check(Schema.isLessThanOrEqualTo(12 * 60 * 60))
}

export const connection = optional(
  name,
  "the server, by the name that the host has for it, or `:embedded` for the queues in the host's own store. By default the host's `queue`, and `:embedded` where it has none"
)

export const format = defaulted(
  choice("auto", "json", "text", "binary", "values"),
  "auto",
  "how values are messages: `:auto` sends text as text, bytes as bytes and anything else as JSON, and reads what a message's type says; `:values` keeps every value as it is"
)
