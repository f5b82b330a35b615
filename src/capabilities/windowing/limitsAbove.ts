import type { Cover } from "../Capability.ts"

/** How long ago (ms) a rate limit last held an item back. */
type SinceHeldBack = () => number

/**
 * The rate limits above a window operator. A source is not silent because its items wait for their tokens, so the operator asks
 * them before it takes a silence for one.
 *
 * A cover is made before the nodes above are, and the operator's own stage after them, both from the same options.
 */
const above = new WeakMap<object, Array<SinceHeldBack>>()

export const noteLimitsAbove = (options: { readonly "idle-timeout": number | undefined }): Cover => {
  if (options["idle-timeout"] === undefined) return {}
  const found: Array<SinceHeldBack> = []
  above.set(options, found)
  return {
    spec: (spec) => {
      if (spec.kind === "stage" && spec.sinceHeldBack !== undefined) found.push(spec.sinceHeldBack)
      return spec
    }
  }
}

export const limitsAbove = (options: object): ReadonlyArray<SinceHeldBack> => above.get(options) ?? []
