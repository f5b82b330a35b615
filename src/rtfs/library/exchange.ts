import { failure } from "../errors.ts"
import { isError } from "../errorValue.ts"
import { parseJson, stringifyJson } from "../json.ts"
import { fieldOf } from "../maps.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin, type Context } from "./Builtin.ts"
import { chargeText, requireString } from "./strings.ts"

const parsing = (name: string): Builtin =>
  builtin(name, 1, 1, (context: Context, value: unknown) => {
    const text = requireString(name, value)
    context.meter.charge(text.length >> 2)
    context.meter.allocate(text.length * 4)
    return parseJson(text)
  })

const writing = (name: string): Builtin =>
  builtin(name, 1, 1, (context: Context, value: unknown) => stringifyJson(value, (length) => chargeText(context, length)))

/** JSON, and what a caught error tells. */
export const exchange: ReadonlyArray<Builtin> = [
  ...["parse-json", "json/parse", "tool/parse-json"].map(parsing),
  ...["serialize-json", "json/stringify", "tool/serialize-json"].map(writing),
  builtin("getMessage", 1, 1, (_, error) => {
    if (isError(error)) return error.message
    const message = fieldOf(error, "message")
    if (typeof message === "string") return message
    if (typeof error === "string") return error
    throw failure.type(`Type error in getMessage: expected error, got ${typeName(error)}`)
  })
]
