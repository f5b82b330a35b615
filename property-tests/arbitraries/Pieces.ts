import fc from "fast-check"
import type { WindowSizes } from "../../src/capabilities/files/ByteWindow.ts"

/** How a file reaches a decoder: in which pieces, and how small the buffers are that they go through. */
export interface Pieces {
  readonly pieces: ReadonlyArray<number>
  readonly sizes: WindowSizes
}

export const pieces: fc.Arbitrary<Pieces> = fc.record({
  pieces: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
  sizes: fc.record({ block: fc.integer({ min: 1, max: 12 }), headroom: fc.integer({ min: 0, max: 12 }) })
})
