import type * as Effect from "effect/Effect"
import type { DeadLetterStore, StoredDeadLetter } from "../state/index.ts"
import type { DeadLetterAccess, DeadLetterRecord, DeadLetterSelection } from "./DeadLetterAccess.ts"
import { decodeDeadLetter } from "./deadLetter.ts"
import type { HostStores } from "./HostStores.ts"

/** The dead letters of a host's store, which is opened when they are first asked for. */
export const accessDeadLetters = (host: {
  readonly stateStore: HostStores["stateStore"]
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}): DeadLetterAccess => {
  const letters = async (): Promise<DeadLetterStore> => (await host.promise(host.stateStore)).deadLetters
  const list = async ({ after = 0, limit = 100, queue }: NonNullable<Parameters<DeadLetterAccess["list"]>[0]>) =>
    host.promise((await letters()).list({ after, limit, ...(queue === undefined ? {} : { queue }) }))
  const get = async (id: number) => {
    const letter = await host.promise((await letters()).get(id))
    return letter && record(letter)
  }
  const idsOf = async ({ ids, queue }: DeadLetterSelection): Promise<ReadonlyArray<number>> => {
    if (ids !== undefined) return ids
    const found: Array<number> = []
    for (
      let page = await list({ queue, limit: pageSize });
      page.length > 0;
      page = await list({ queue, after: found.at(-1), limit: pageSize })
    ) {
      for (const { id } of page) found.push(id)
    }
    return found
  }
  return {
    list: async (options = {}) => (await list(options)).map(record),
    get,
    queues: async () => host.promise((await letters()).queues),
    async *each(selection = {}) {
      for (const id of await idsOf(selection)) {
        const letter = await get(id)
        if (letter !== undefined) yield letter
      }
    },
    remove: async (selection) => {
      const ids = await idsOf(selection)
      let removed = 0
      for (let from = 0; from < ids.length; from += pageSize) {
        removed += await host.promise((await letters()).remove(ids.slice(from, from + pageSize)))
      }
      return removed
    }
  }
}

const pageSize = 500

/** A letter that can't be read must not hide the others. */
const record = (letter: StoredDeadLetter): DeadLetterRecord => {
  const { id, queue, stream, time } = letter
  try {
    return { id, queue, ...decodeDeadLetter(letter) }
  } catch (error) {
    const message = `This letter is damaged: ${error instanceof Error ? error.message : String(error)}`
    const stage = { node: "", capability: "", actor: "" }
    const damage = { name: "Damaged", type: "damaged", message }
    return { id, queue, stream, time, item: { printed: "" }, error: damage, stage, why: "policy", attempts: 0, sequence: 0 }
  }
}
