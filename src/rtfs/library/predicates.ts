import { isKeyword } from "../../serialization/index.ts"
import { isMap, sizeOf } from "../maps.ts"
import { isInteger, isNumeric } from "../numbers.ts"
import { RtfsSymbol } from "../RtfsSymbol.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin } from "./Builtin.ts"

const is = (name: string, test: (value: unknown) => boolean): Builtin => builtin(name, 1, 1, (_, value) => test(value))

export const predicates: ReadonlyArray<Builtin> = [
  is("nil?", (value) => value === null || value === undefined),
  is("bool?", (value) => typeof value === "boolean"),
  is("boolean?", (value) => typeof value === "boolean"),
  is("int?", isInteger),
  is("integer?", isInteger),
  is("float?", (value) => typeof value === "number" && !Number.isInteger(value)),
  is("number?", isNumeric),
  is("string?", (value) => typeof value === "string"),
  is("keyword?", isKeyword),
  is("symbol?", (value) => value instanceof RtfsSymbol),
  is("vector?", Array.isArray),
  is("list?", Array.isArray),
  is("map?", isMap),
  is("fn?", (value) => typeof value === "function"),
  is(
    "empty?",
    (value) =>
      value === null
      || value === undefined
      || value === ""
      || (Array.isArray(value) ? value.length === 0 : isMap(value) && sizeOf(value) === 0)
  ),
  is("not", (value) => value === null || value === undefined || value === false),
  builtin("type-name", 1, 1, (_, value) => typeName(value))
]
