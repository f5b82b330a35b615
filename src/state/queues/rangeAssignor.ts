export interface Wish {
  readonly memberId: string
  readonly topics: ReadonlyArray<string>
}

export interface Share {
  readonly memberId: string
  readonly assigned: Array<{ readonly topic: string; readonly partitions: Array<number> }>
}

/**
 * Shares the partitions of each topic in ranges among the members that read it, as every client's range assignor does: it depends on
 * the members' ids alone, so that members keep theirs as long as nobody comes or goes.
 *
 * @param counts how many partitions each topic has
 */
export const rangesOf = (wishes: ReadonlyArray<Wish>, counts: ReadonlyMap<string, number>): ReadonlyArray<Share> => {
  const shares = new Map(wishes.map(({ memberId }): [string, Share] => [memberId, { memberId, assigned: [] }]))
  for (const [topic, count] of counts) {
    const readers = wishes
      .filter(({ topics }) => topics.includes(topic))
      .map(({ memberId }) => memberId)
      .toSorted()
    let from = 0
    readers.forEach((memberId, at) => {
      const size = Math.floor(count / readers.length) + (at < count % readers.length ? 1 : 0)
      const first = from
      from += size
      if (size > 0) shares.get(memberId)!.assigned.push({ topic, partitions: Array.from({ length: size }, (_, n) => first + n) })
    })
  }
  return [...shares.values()]
}
