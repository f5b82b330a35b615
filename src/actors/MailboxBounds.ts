import { InvalidMailboxBounds } from "./errors.ts"

/** How much one edge of a mailbox may hold, and at which levels its sender is told to pause and to go on. */
export interface MailboxBounds {
  /** Frames held and not yet worked off, the one in work included; at least 1. */
  readonly maxFrames: number
  readonly maxItems: number
  readonly maxBytes: number
  /** The level that calls for a pause; by default four fifths of the bound. */
  readonly highWaterMark?: number
  /** The level at which that is over; by default one fifth of the bound. */
  readonly lowWaterMark?: number
  /** What the two levels count; `frames` by default. The other measures take the same share of their bound. */
  readonly marksIn?: "frames" | "items"
}

/** A quantity in all three measures. */
export interface Level {
  readonly frames: number
  readonly items: number
  readonly bytes: number
}

/** The bounds of an edge and its two marks, each in all three measures. */
export interface Levels {
  readonly full: Level
  readonly high: Level
  readonly low: Level
}

/**
 * The levels that bounds stand for. High and low differ in every measure, so that there is always a stretch between
 * pausing and going on.
 *
 * **Throws** `InvalidMailboxBounds` unless every bound is at least 1 and 0 ≤ low < high ≤ bound.
 * **Source** invariant BP-7.
 */
export const levelsOf = (address: string, bounds: MailboxBounds): Levels => {
  for (const name of ["maxFrames", "maxItems", "maxBytes"] as const) {
    if (!Number.isSafeInteger(bounds[name]) || bounds[name] < 1) {
      throw new InvalidMailboxBounds({ address, problem: `${name} is ${bounds[name]}, not a whole number of at least 1` })
    }
  }
  const unit = bounds.marksIn ?? "frames"
  const size = unit === "frames" ? bounds.maxFrames : bounds.maxItems
  const high = bounds.highWaterMark ?? Math.ceil((size * 4) / 5)
  const low = bounds.lowWaterMark ?? Math.min(Math.floor(size / 5), high - 1)
  if (!Number.isSafeInteger(high) || !Number.isSafeInteger(low) || low < 0 || low >= high || high > size) {
    throw new InvalidMailboxBounds({
      address,
      problem: `0 ≤ low-water-mark (${low}) < high-water-mark (${high}) ≤ ${size} ${unit} does not hold`
    })
  }
  const { maxFrames: frames, maxItems: items, maxBytes: bytes } = bounds
  // Multiplied before dividing, so that a share that is a whole number stays one. Rounded apart, so that high > low.
  const share = (round: (value: number) => number, of: number) => ({
    frames: round((frames * of) / size),
    items: round((items * of) / size),
    bytes: round((bytes * of) / size)
  })
  return { full: { frames, items, bytes }, high: share(Math.ceil, high), low: share(Math.floor, low) }
}
