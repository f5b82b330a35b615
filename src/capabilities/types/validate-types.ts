import { offer, type StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { defaulted, flag, fn, optional, required } from "../Option.ts"
import { compileSchema, type SchemaError, type Validator } from "../schemas/index.ts"
import { ownFunction, whenSettled, wrapFunction } from "../wrapFunction.ts"
import { problemOfSchema, schema } from "./schemaOption.ts"

export const validateTypes = defineCapability({
  id: "stream.validate-types",
  summary: "Lets only items through that satisfy a schema, and hands the others with all their errors to :on-invalid.",
  spec: "§7 Type Validation",
  kind: "operator",
  consuming: ["on-valid"],
  short: ["schema"],
  options: {
    schema: required(
      schema,
      "what an item must be: `{:type :map :required [:id] :properties {:id {:type :integer}}}`, or a type expression such as `[:map [:id :int]]`"
    ),
    "on-valid": optional(fn, "receives each valid item in order, and starts the stream"),
    "on-invalid": optional(
      fn,
      "takes the vector of errors and the item. It only observes: with it alone nothing starts, and its result is not used"
    ),
    closed: defaulted(flag, false, "whether maps may have only the keys that their schema lists")
  },
  order: "Kept. `:on-invalid` is called in the order of the items, too, and is awaited.",
  delivery:
    "Each item is either valid and passed on, or invalid and done with; both are counted. A refinement or an `:on-invalid` that throws is an item failure, never a verdict.",
  backpressure: "Nothing is held.",
  notes: [
    'An error is `{:path [:user :age] :expected :integer :actual :string :got "\\"old\\"" :message "user.age: expected integer, got string"}`. All errors of an item come at once, at most 1000.',
    "The keys of a schema map are `:type`, `:required`, `:properties`, `:items` and `:enum`. A property is checked where it is present; keys that are not listed may be anything, unless `:closed true`. Types and predicates are those of the language's annotations, in both forms; a function in the place of a type (`[:and :int even?]`) is a refinement, which must be pure and give its verdict at once, because it may be called more than once for an item.",
    "A schema that can't be read is an error of the call, with the place in the schema. It is compiled to one function of JavaScript once it has seen 200 items."
  ],
  example:
    '(call :stream.await (call :stream.to-collection {:source (call :stream.validate-types [{:id 1} {:id "x"}] {:schema {:type :map :required [:id] :properties {:id {:type :integer}}}})}))',
  check: ({ closed, schema }) => problemOfSchema("schema", schema, { closed }),
  node: ({ closed, "on-invalid": onInvalid, schema }) => ({
    kind: "stage",
    capability: "stream.validate-types",
    apply: { fn: validated(compileSchema(schema, { closed }), onInvalid) },
    state: { valid: () => 0, invalid: () => 0 },
    then: ({ emit, result, state, value }) =>
      `if (${result}.length > 0) ${state("invalid")}++; else { ${state("valid")}++; ${emit(value)} }`,
    counters: ({ invalid, valid }) => ({ valid: valid as number, invalid: invalid as number }),
    bound: { kind: "none" }
  })
})

/** The errors of an item, once whoever asked for them has seen them. */
const validated = (validate: Validator, onInvalid: StreamFunction | undefined): StreamFunction => {
  if (onInvalid === undefined) return ownFunction("validate", 1, validate)
  return wrapFunction(onInvalid, 1, (item: unknown): unknown => {
    const errors: ReadonlyArray<SchemaError> = validate(item)
    return errors.length === 0 ? errors : whenSettled(offer(onInvalid, errors, item), () => errors)
  })
}
