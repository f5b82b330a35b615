import type { StreamValue } from "./StreamValue.ts"

/** Whether a stream gives exactly one item, at its end. */
export const givesOneItem = (value: StreamValue | undefined): boolean =>
  value !== undefined && value.capability.single(value.options, givesOneItem(value.inputs[0]))
