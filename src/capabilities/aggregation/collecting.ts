import type { StageSpec } from "../../actors/index.ts"
import { BoundExceeded } from "../errors.ts"
import { ownFunction } from "../wrapFunction.ts"
import { approximateBytes } from "./approximateBytes.ts"

export interface CollectingLimits {
  readonly maxItems: number
  readonly maxBytes: number
  /** How the limits are called in messages: `:max-items`. */
  readonly names: { readonly items: string; readonly bytes: string }
  readonly remedy: (which: string) => string
}

/** What a stage needs that collects all items in its state `collected`, and fails where one would pass a bound. */
export const collecting = (
  capability: string,
  { maxBytes, maxItems, names, remedy }: CollectingLimits
): Pick<StageSpec, "apply" | "state" | "then" | "bound"> => {
  const weigh = (collected: ReadonlyArray<unknown>, bytes: number, item: unknown) => {
    const after = bytes + approximateBytes(item, maxBytes - bytes)
    if (collected.length < maxItems && after <= maxBytes) return after
    const which = collected.length < maxItems ? names.bytes : names.items
    throw new BoundExceeded(
      capability,
      `collected ${collected.length} items (about ${bytes} bytes), and ${which} allows no more`,
      remedy(which),
      collected
    )
  }
  return {
    apply: { fn: ownFunction("collect", 3, weigh), args: ({ state, value }) => [state("collected"), state("bytes"), value] },
    state: { collected: () => [], bytes: () => 0 },
    then: ({ result, state, value }) => `${state("bytes")} = ${result}; ${state("collected")}.push(${value});`,
    bound: {
      kind: "bounded",
      by: `${maxItems} items (${names.items}), ${maxBytes} bytes (${names.bytes})`,
      items: maxItems,
      bytes: maxBytes
    }
  }
}

/** What a branch or a partition that gives many items collects of them. */
export const collectingPart = (capability: string): ReturnType<typeof collecting> =>
  collecting(capability, {
    maxItems: 1_000_000,
    maxBytes: 64 * 1024 * 1024,
    names: { items: "the limit of 1,000,000 items", bytes: "the limit of 64 MB" },
    remedy: () => "Reduce it inside, or write it to a sink."
  })
