/**
 * The known name that a misspelt one most likely stands for, or `undefined` when none is close: at most a third of the
 * letters differ (insertions, deletions, replacements, neighbours swapped). One letter is near to every other, so names
 * that short have no neighbours.
 *
 * **Cost** one edit distance for each name of similar length.
 */
export const nearest = (wrong: string, known: Iterable<string>): string | undefined => {
  // Names come from hostile programs: one that long stands for nothing, and must not make this expensive.
  if (wrong.length > longestName) return undefined
  let best: string | undefined
  let bestDistance = (wrong.length < 3 ? 0 : Math.max(1, Math.floor(wrong.length / 3))) + 1
  for (const name of known) {
    if (name === wrong || name.length > longestName || Math.abs(name.length - wrong.length) >= bestDistance) continue
    const distance = editDistance(wrong, name, bestDistance)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** The same, where names are few and made of parts: failing that, a name that is a part of the wrong one, or of which it is one. */
export const nearestOrPart = (wrong: string, known: Iterable<string>): string | undefined => {
  const names = [...known]
  const near = nearest(wrong, names)
  if (near !== undefined || wrong.length <= 3) return near
  const looked = wrong.slice(0, longestName)
  return names.find((name) => name.includes(looked) || looked.includes(name))
}

const longestName = 100

/** Optimal string alignment distance; `limit` or more is cut off. */
const editDistance = (left: string, right: string, limit: number): number => {
  let beforeLast: Array<number> = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    let least = row
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let distance = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (swapped) distance = Math.min(distance, beforeLast[column - 2]! + 1)
      current.push(distance)
      if (distance < least) least = distance
    }
    if (least >= limit) return limit
    beforeLast = last
    last = current
  }
  return last[right.length]!
}
