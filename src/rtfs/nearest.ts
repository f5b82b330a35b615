/**
 * The known name that comes nearest to a misspelt one, or undefined when none is near.
 *
 * **Cost** one edit distance for each candidate of similar length.
 */
export const nearest = (name: string, candidates: Iterable<string>): string | undefined => {
  // One letter is near to every other: names that short have no neighbours.
  const allowed = name.length < 3 ? 0 : Math.max(1, Math.floor(name.length / 3))
  let best: string | undefined
  let bestDistance = allowed + 1
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) >= bestDistance) continue
    const distance = editDistance(name, candidate, bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one name into the other; `limit` or more is cut off. */
const editDistance = (a: string, b: string, limit: number): number => {
  if (a.length > 100 || b.length > 100) return limit
  let beforePrevious: Array<number> = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforePrevious[j - 2]! + 1)
      current.push(cost)
      if (cost < least) least = cost
    }
    if (least >= limit) return limit
    beforePrevious = previous
    previous = current
  }
  return previous[b.length]!
}
