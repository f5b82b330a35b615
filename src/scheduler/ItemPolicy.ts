import type { StreamFunction } from "./StreamFunction.ts"

/** What happens to an item that a node failed on: it is tried again, and when that is no use, given up on in one of three ways. */
export interface ItemPolicy {
  /** How often it is tried again; 0: not at all. */
  readonly retries: number
  /** The wait before the first retry, in ms; each further one is twice as long, up to `longestRetryMs`. */
  readonly backoffMs: number
  /** After the last try. */
  readonly then: "fail" | "skip" | "dead-letter"
  /** Where dead letters go; `defaultQueue` where none is named. */
  readonly queue?: string
  /** Error → whether another try may help; without it every error is taken to be worth one. */
  readonly isRecoverable?: StreamFunction
  /** (item, error), once a letter is stored. */
  readonly onDeadLetter?: StreamFunction
  /** (error, item) → `:retry`, `:skip`, `:dead-letter`, `:fail` or `{:replace value}`: decides in place of `then`. */
  readonly handler?: StreamFunction
  /** Who set it: the node's own options, or the capability of the decorator; nobody, and it is the default. */
  readonly setBy?: string
}

export const longestRetryMs = 30_000
export const defaultBackoffMs = 200
export const defaultQueue = "dead-letters"

/** The share by which a wait may be longer, so that what failed together is not tried again together. */
const jitter = 0.2

export const failItems: ItemPolicy = { retries: 0, backoffMs: defaultBackoffMs, then: "fail" }
export const skipItems: ItemPolicy = { retries: 0, backoffMs: defaultBackoffMs, then: "skip" }

/** @param random a number in [0, 1); it only lengthens the wait */
export const retryDelayMs = ({ backoffMs }: ItemPolicy, failedTries: number, random: number): number =>
  Math.min(backoffMs === 0 ? 0 : backoffMs * 2 ** (failedTries - 1), longestRetryMs) * (1 + jitter * random)

/** Whether an item that fails may keep its actor waiting: for the next try, for an answer or for the store of dead letters. */
export const mayKeepWaiting = (policy: ItemPolicy): boolean =>
  policy.retries > 0 || policy.then === "dead-letter" || policy.handler !== undefined || policy.isRecoverable !== undefined

/** The policy in a reader's words: `3 retries, then dead letter (queue "failed")`. */
export const describePolicy = (policy: ItemPolicy): string => {
  const { handler, queue = defaultQueue, retries, setBy, then } = policy
  const tries = retries === 0 ? "" : `${retries} ${retries === 1 ? "retry" : "retries"}, then `
  const last = then === "dead-letter" ? `dead letter (queue ${JSON.stringify(queue)})` : then
  const asked = handler === undefined ? `${tries}${last}` : `its handler decides, at most ${retries} retries`
  return setBy === undefined || setBy === "node" ? asked : `${asked} (:${setBy})`
}
