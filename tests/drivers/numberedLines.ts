import { createHash } from "node:crypto"

/** A line that says by itself which one it is, and whether it is whole. */
export const lineOf = (number: number): string => `${number}:${createHash("md5").update(String(number)).digest("hex").slice(0, 12)}`

/**
 * The lines 1 to `count`, and among them repeats of lines that came shortly before: `distinct` has to remember, over
 * every crash, what it has seen.
 */
export const numberedLines = (count: number, random: () => number): string => {
  const lines: Array<string> = []
  for (let number = 1; number <= count; number++) {
    lines.push(lineOf(number))
    if (random() < 0.1) lines.push(lineOf(Math.max(1, number - Math.floor(random() * repeatDistance))))
  }
  return `${lines.join("\n")}\n`
}

/** How far behind its line a repeat may stand. */
export const repeatDistance = 500

/** What became of the lines 1 to `count`. */
export interface LineCheck {
  readonly lost: number
  readonly doubled: number
  readonly torn: number
  readonly reordered: number
}

export const checkLines = (lines: ReadonlyArray<string>, count: number): LineCheck => {
  const seen = new Uint8Array(count + 1)
  const found = { lost: 0, doubled: 0, torn: 0, reordered: 0 }
  let last = 0
  for (const line of lines) {
    const number = Number.parseInt(line, 10)
    if (!(number >= 1 && number <= count) || line !== lineOf(number)) {
      found.torn++
      continue
    }
    if (seen[number]!++ > 0) found.doubled++
    else if (number < last) found.reordered++
    last = number
  }
  for (let number = 1; number <= count; number++) if (seen[number] === 0) found.lost++
  return found
}

/** The same numbers for the same seed: mulberry32. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
