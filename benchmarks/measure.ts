// CPU time of this thread for several ways to do the same work, in turn: what the benchmarks have in common.

/** One way to do the work; all ways of one work give the same number. */
export interface Variant {
  readonly name: string
  readonly once: () => number | Promise<number>
}

const cpuMs = () => {
  const { system, user } = process.threadCpuUsage()
  return (user + system) / 1000
}

const sampleMs = 100
const warmUpMs = 500

/** Runs it often enough for the clock, which ticks in 4 ms. @returns ms for one pass */
const sample = async ({ once }: Variant, passes: number): Promise<number> => {
  const before = cpuMs()
  for (let i = 0; i < passes; i++) await once()
  return (cpuMs() - before) / passes
}

export const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
export const p99 = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!
export const geometricMean = (values: ReadonlyArray<number>): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

/** The times of each variant, round by round. */
export const measure = async (variants: ReadonlyArray<Variant>, rounds: number): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const passes = new Map<string, number>()
  let expected: number | undefined
  for (const variant of variants) {
    const before = cpuMs()
    const sum = await variant.once()
    if (expected !== undefined && Math.abs(sum - expected) > 1e-6 * Math.abs(expected))
      throw new Error(`${variant.name} gave ${sum} instead of ${expected}`)
    expected = sum
    // Warm up by work: half a second each, of which the first pass is a part. The last pass tells how many make a sample.
    let spent = cpuMs() - before
    let last = spent
    let done = 1
    for (; spent < warmUpMs; done++) spent += (last = await sample(variant, 1)) || 1
    if (done > 1) last = await sample(variant, Math.min(done, Math.ceil(sampleMs / Math.max(1, last))))
    passes.set(variant.name, Math.max(1, Math.ceil(sampleMs / Math.max(0.05, last))))
  }
  const times = new Map<string, Array<number>>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) times.get(variant.name)!.push(await sample(variant, passes.get(variant.name)!))
  }
  return times
}

export const ratioOf = (times: ReadonlyMap<string, ReadonlyArray<number>>, of: string, against: string): number =>
  median(times.get(of)!.map((time, round) => times.get(against)![round]! / time))
