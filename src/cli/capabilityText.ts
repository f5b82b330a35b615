import type { CapabilityDescription } from "../host/index.ts"
import { print } from "../rtfs/index.ts"
import { alignedRows } from "./alignedRows.ts"

/** Everything about one capability, as a reference page for a terminal. */
export const capabilityText = (capability: CapabilityDescription): string => {
  const { arguments: taken, backpressure, delivery, effects, example, id, kind, notes, options, order, short, spec, summary } = capability
  const facts: ReadonlyArray<readonly [string, string | undefined]> = [
    ["kind", kind],
    ["spec", spec],
    ["arguments", taken.length === 0 ? undefined : taken.join(" ")],
    ["short form", short],
    ["effects", effects.length === 0 ? "none" : effects.join(" ")],
    ["order", order],
    ["delivery", delivery],
    ["backpressure", backpressure]
  ]
  return [
    `:${id}`,
    `  ${summary}`,
    "",
    ...alignedRows(
      facts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      "  "
    ),
    ...(options.length === 0 ? [] : ["", "options", ...alignedRows(options.map(optionRow), "  ")]),
    ...notes.flatMap((note) => ["", `  ${note}`]),
    "",
    "example",
    ...example.split("\n").map((line) => `  ${line}`)
  ].join("\n")
}

const optionRow = (option: CapabilityDescription["options"][number]): ReadonlyArray<string> => [
  `:${option.name}`,
  option.type,
  option.required ? "required" : option.default === undefined ? "" : `default ${print(option.default)}`,
  option.description
]
