import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { StreamValue } from "../StreamValue.ts"

/** Stands for what a branch or a partition is given, while its function makes its stream. Programs can't call it. */
export const partInput = defineCapability({
  id: "stream.part-input",
  summary: "What a branch or a partition is given.",
  spec: "§4, §8",
  kind: "source",
  options: {},
  order: "That of the branch or partition.",
  delivery: "That of the branch or partition.",
  backpressure: "That of the branch or partition.",
  example: "",
  node: () => {
    throw new InvalidCall(
      "stream.part-input",
      "is what a branch or a partition is given: only the stream that its function returns can take from it."
    )
  }
})

export const newPartInput = (): StreamValue => new StreamValue(partInput, {}, [])

/** How many times each of these stands in a stream outside of the function that it was made for; 2 for more. */
const usesOf = (value: StreamValue): ReadonlyMap<StreamValue, number> => {
  if (value.capability === partInput) return new Map([[value, 1]])
  const known = uses.get(value)
  if (known !== undefined) return known
  const found = new Map<StreamValue, number>()
  const add = (inside: StreamValue, but?: StreamValue) => {
    for (const [entry, count] of usesOf(inside)) if (entry !== but) found.set(entry, Math.min(2, count + (found.get(entry) ?? 0)))
  }
  for (const input of value.inputs) add(input)
  for (const { entry, stream } of value.subStreams) add(stream, entry)
  uses.set(value, found)
  return found
}

const uses = new WeakMap<StreamValue, ReadonlyMap<StreamValue, number>>()

/** Whether a stream takes from a branch or partition that is being made: it can't be started on its own. */
export const isPartOfStream = (value: StreamValue): boolean => usesOf(value).size > 0

/** **Fails** by throwing `InvalidCall` unless the stream that a function made takes once from what it was given, and from no other such stream. */
export const checkPart = (capability: string, option: string, entry: StreamValue, stream: StreamValue): void => {
  const found = usesOf(stream)
  const count = found.get(entry) ?? 0
  const problem =
    count === 0
      ? "to give a stream made from the one that it receives, but it does not use that"
      : count > 1
        ? "to use the stream that it receives once; let it go through (call :stream.branch …) for several uses"
        : found.size > 1
          ? "to use only the stream that it receives, but it takes from that of the function around it, too"
          : undefined
  if (problem !== undefined) throw new InvalidCall(capability, `expects :${option} ${problem}.`, option)
}
