/** A record as the benchmark streams them. `rounds` says how much work it is. */
export interface WorkItem {
  readonly id: number
  readonly rounds: number
}

/** Work on registers only, so that nothing but the processor's speed decides how long it takes. */
export const work = (item: WorkItem): { readonly id: number; readonly digest: number } => {
  let digest = item.id | 1
  for (let round = 0; round < item.rounds; round++) {
    digest = Math.imul(digest ^ (digest >>> 15), 0x2c1b3c6d)
    digest = Math.imul(digest ^ (digest >>> 12), 0x297a2d39)
  }
  return { id: item.id, digest: digest >>> 0 }
}
