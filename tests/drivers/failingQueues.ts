import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type HostOptions, StreamHost } from "../../src/index.ts"
import { openQueueBackend } from "../../src/state/index.ts"

export interface FailingQueue {
  /** `undefined`: the embedded queue. */
  readonly url: string | undefined
  readonly queue: string
  readonly messages: number
  /** One in so many fails for ever. */
  readonly failsEach: number
}

/** Each counts message ids, but for what says otherwise. */
export interface FailingReport {
  readonly accepted: number
  readonly processed: number
  readonly deadLettered: number
  /** Neither worked off nor a dead letter. */
  readonly lost: number
  /** Both, or in the wrong one of them. */
  readonly misplaced: number
  /** How many more times than once something was worked off, in sum. */
  readonly repeated: number
  /** Dead letters of the host beyond the first of an item. */
  readonly repeatedLetters: number
  /** Messages that were told as acknowledged, and how many more times than once in sum. */
  readonly acknowledged: number
  readonly acknowledgedAgain: number
  /** What the queue still holds. */
  readonly left: number
}

const program = (queue: string, batch: number) => `
  (call :stream.for-each
    (call :stream.map (call :stream.queue.consume "${queue}" {:batch-size ${batch} :wait 2500 :on-ack acknowledged})
      {:transform work :on-failure :dead-letter :dead-letter-queue "given-up"})
    {:callback done})`

/** Produces, works off with a function that throws on some, and looks where each message went. */
export const failingQueue = async ({ failsEach, messages, queue, url }: FailingQueue): Promise<FailingReport> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-failing-queue-"))
  try {
    const options: HostOptions = { dataDir: folder, policy: { queue: ["*"] }, log: () => {} }
    return await runs(url === undefined ? options : { ...options, connections: { queue: url } }, { failsEach, messages, queue, url })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const runs = async (options: HostOptions, { failsEach, messages, queue, url }: FailingQueue): Promise<FailingReport> => {
  const isBad = (n: number) => n % failsEach === failsEach - 1
  const processed = new Map<number, number>()
  const acknowledged = new Map<string, number>()
  const count = <Key>(counts: Map<Key, number>, key: Key) => void counts.set(key, (counts.get(key) ?? 0) + 1)
  await using host = await StreamHost.start({
    ...options,
    bindings: {
      data: Array.from({ length: messages }, (_, n) => ({ n, text: `message ${n}` })),
      work: ({ body }: { readonly body: { readonly n: number } }) => {
        if (isBad(body.n)) throw new Error(`${body.n} fails`)
        return body.n
      },
      done: (n: number) => count(processed, n),
      acknowledged: (ids: ReadonlyArray<string>) => ids.forEach((id) => count(acknowledged, id))
    }
  })
  const { value } = await host.run(`(call :stream.await (call :stream.queue.produce "${queue}" {:data-stream data :batch-size 500}))`)
  await host.run(program(queue, 100))
  const letters = new Map<number, number>()
  for await (const { item } of host.deadLetters.each({ queue: "given-up" }))
    if ("value" in item) count(letters, (item.value as { readonly body: { readonly n: number } }).body.n)
  const all = Array.from({ length: messages }, (_, n) => n)
  const again = (counts: ReadonlyMap<unknown, number>) => [...counts.values()].reduce((sum, times) => sum + times - 1, 0)
  return {
    accepted: (value as { readonly sent: number }).sent,
    processed: processed.size,
    deadLettered: letters.size,
    lost: all.filter((n) => !processed.has(n) && !letters.has(n)).length,
    misplaced: all.filter((n) => (processed.has(n) && letters.has(n)) || (isBad(n) ? processed.has(n) : letters.has(n))).length,
    repeated: again(processed),
    repeatedLetters: again(letters),
    acknowledged: acknowledged.size,
    acknowledgedAgain: again(acknowledged),
    left: url === undefined ? await leftInStore(host, queue) : await leftAt(url, queue)
  }
}

const leftInStore = async (host: StreamHost, queue: string): Promise<number> =>
  (await host.queues.queues()).find((found) => found.queue === queue)?.messages ?? 0

const leftAt = (url: string, queue: string): Promise<number> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openQueueBackend(url), (backend) => Effect.map(backend.depth(queue), ({ held = 0, waiting }) => held + waiting))
    )
  )

/** What has to be of so many messages, without crashes: nothing more than once. */
export const expectedOf = ({ failsEach, messages }: Pick<FailingQueue, "failsEach" | "messages">): FailingReport => {
  const bad = Math.floor(messages / failsEach)
  const none = { lost: 0, misplaced: 0, repeated: 0, repeatedLetters: 0, acknowledgedAgain: 0, left: 0 }
  return { accepted: messages, processed: messages - bad, deadLettered: bad, acknowledged: messages, ...none }
}
