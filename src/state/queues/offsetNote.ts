import type { Returned } from "./PartitionLedger.ts"

/** What servers take beside an offset unless they are told otherwise (`offset.metadata.max.bytes`). */
const noteBytes = 4096

/** What a committed offset alone does not say. */
export interface OffsetNote {
  /** Acknowledged offsets behind the committed one: from, and behind the last. */
  readonly done: ReadonlyArray<readonly [from: number, to: number]>
  readonly returned: ReadonlyArray<readonly [offset: number, returned: Returned]>
}

const none: OffsetNote = { done: [], returned: [] }

/** Offsets are written as their distance from the committed one; times in seconds. */
interface Written {
  readonly "rtfs-streams": 1
  readonly done: ReadonlyArray<readonly [from: number, count: number]>
  readonly returned: ReadonlyArray<readonly [offset: number, attempts: number, notBefore: number]>
}

/**
 * Writes a note for the commit of an offset, the lowest offsets first and as much as the server takes: what is left out comes again.
 *
 * @returns "" where there is nothing to say
 */
export const writeOffsetNote = (
  committed: number,
  { done, returned }: { readonly [K in keyof OffsetNote]: Iterable<OffsetNote[K][number]> }
): string => {
  // What was given back is rarer, and is written last: the ranges may take three quarters.
  const head = `{"rtfs-streams":1,"done":[`
  const middle = `],"returned":[`
  const tail = "]}"
  const ranges = written(done, ([from, to]) => [from - committed, to - from], (noteBytes * 3) / 4 - head.length)
  const room = noteBytes - head.length - middle.length - tail.length - ranges.length
  const returns = written(
    returned,
    ([offset, { attempts, notBefore }]) => [offset - committed, attempts, Math.ceil(notBefore / 1000)],
    room
  )
  return ranges === "" && returns === "" ? "" : head + ranges + middle + returns + tail
}

const written = <A>(entries: Iterable<A>, numbers: (entry: A) => ReadonlyArray<number>, room: number): string => {
  let text = ""
  for (const entry of entries) {
    const next = `${text === "" ? "" : ","}[${numbers(entry).join(",")}]`
    if (text.length + next.length > room) break
    text += next
  }
  return text
}

/** @returns an empty note where another program wrote it, or nobody did */
export const readOffsetNote = (committed: number, text: string | null): OffsetNote => {
  if (text === null || !text.startsWith(`{"rtfs-streams":1,`)) return none
  try {
    const { done, returned } = JSON.parse(text) as Written
    const numbers = [done, returned].flat(2)
    if (!numbers.every((each) => Number.isSafeInteger(each) && each >= 0)) return none
    return {
      done: done.map(([from, count]) => [committed + from, committed + from + count]),
      returned: returned.map(([offset, attempts, seconds]) => [committed + offset, { attempts, notBefore: seconds * 1000 }])
    }
  } catch {
    return none
  }
}
