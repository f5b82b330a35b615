/**
 * The known name that a wrong one most likely stands for, or `undefined` when none is close: at most a third of the
 * letters differ (insertions, deletions, replacements, neighbours swapped), or one is a part of the other.
 */
export const nearest = (wrong: string, known: Iterable<string>): string | undefined => {
  const looked = wrong.slice(0, longestName)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(looked.length / 3)) + 1
  let containing: string | undefined
  for (const name of known) {
    if (Math.abs(name.length - looked.length) < bestDistance) {
      const distance = editDistance(looked, name)
      if (distance < bestDistance) {
        best = name
        bestDistance = distance
      }
    }
    if (containing === undefined && looked.length > 3 && (name.includes(looked) || looked.includes(name))) containing = name
  }
  return best ?? containing
}

/** Names come from hostile programs: beyond this they are cut, so that the distance stays cheap. */
const longestName = 100

/** Optimal string alignment distance. */
const editDistance = (left: string, right: string): number => {
  let beforeLast: Array<number> = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let distance = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (swapped) distance = Math.min(distance, beforeLast[column - 2]! + 1)
      current.push(distance)
    }
    beforeLast = last
    last = current
  }
  return last[right.length]!
}
