import * as Schema from "effect/Schema"
import type { StageSpec, StreamTime } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidResult } from "../errors.ts"
import { choice, count, defaulted, fn, optional, type OptionType, required, text } from "../Option.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { RateExceeded } from "./errors.ts"
import { SharedBuckets } from "./SharedBuckets.ts"
import { TokenBucket } from "./TokenBucket.ts"

const capability = "stream.rate-limit"

const perSecond: OptionType<number> = {
  type: "number above 0",
  schema: Schema.Finite.check(Schema.isGreaterThan(0))
}

export const rateLimit = defineCapability({
  id: capability,
  summary: "Lets at most :rate items per second through, and up to :burst at once after a pause.",
  spec: "§5 Manual Flow Control",
  kind: "operator",
  consuming: ["on-item"],
  short: ["rate", "burst"],
  options: {
    rate: required(perSecond, "tokens per second; an item takes one, or its `:cost`"),
    burst: optional(
      count,
      "how many tokens are kept for later. When left out: what comes in 10 ms, and 1 at least, because timers are no finer than that"
    ),
    cost: optional(fn, "takes an item, gives how many tokens it takes, 0 or more"),
    name: optional(text, "limits of one name are one limit, for all streams of the host"),
    mode: defaulted(
      choice("shape", "enforce"),
      "shape",
      "what an item does for which there is no token: wait for it, or fail with `RateExceeded`"
    ),
    "on-item": optional(fn, "receives each item in order, and starts the stream")
  },
  order: "Kept. Streams that share a limit are served in the order in which their items asked.",
  delivery: "Nothing is dropped; with `:mode :enforce` and `:on-failure :skip` items that come too soon are, and are counted as skipped.",
  backpressure: "Takes in no item while one waits, so upstream waits, too.",
  notes: [
    "A token bucket that is full at first. In every span of t seconds at most `:burst` + `:rate`·t tokens are given out; an item that costs more than `:burst` is let through alone, when all that it costs has come in.",
    "It goes by a clock that is never set, so a change of the system's time gives no tokens.",
    "An item that has waited for its token does not pay again when its actor is restarted. A stream that is cancelled while it waits has used its token up.",
    "The metrics count items that had to wait (`delayed`) and for how many ms altogether (`delayed-ms`)."
  ],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.rate-limit [1 2 3] {:rate 1000 :burst 10})}))",
  node: ({ burst, cost, mode, name, rate }) => limiting({ rate, burst: burst ?? Math.max(1, Math.ceil(rate / 100)), cost, mode, name })
})

interface LimitOptions {
  readonly rate: number
  readonly burst: number
  readonly cost: StreamFunction | undefined
  readonly mode: "shape" | "enforce"
  readonly name: string | undefined
}

/** What the item under way has paid for, and how often one had to wait. */
interface Lease {
  /** When the item that has paid may go on, and what it paid; -1 where none has paid. */
  until: number
  cost: number
  delayed: number
  delayedMs: number
}

const limiting = (options: LimitOptions): StageSpec => {
  const limit: Limit = { bucket: new TokenBucket(options), time: noTime, heldUntil: -Infinity }
  return {
    kind: "stage",
    capability,
    apply: { fn: paying(options, limit), args: ({ state, value }) => [value, state("lease")], waits: options.mode === "shape" },
    sinceHeldBack: () => Math.max(0, limit.time.now() - limit.heldUntil),
    bind: ({ shared, time }) => {
      limit.time = time
      if (options.name !== undefined) limit.bucket = shared(capability, () => new SharedBuckets()).get(capability, options.name, options)
    },
    state: { lease: (): Lease => ({ until: -1, cost: 0, delayed: 0, delayedMs: 0 }) },
    then: ({ emit, state, value }) => `${state("lease")}.until = -1; ${emit(value)}`,
    // Times of this process mean nothing to another: what is left to wait is kept.
    snapshot: ({ lease }) => {
      const { cost, delayed, delayedMs, until } = lease as Lease
      return { tokens: limit.bucket.tokens, left: until < 0 ? -1 : Math.max(0, until - limit.time.now()), cost, delayed, delayedMs }
    },
    restore: (snapshot) => {
      const { left, tokens, ...lease } = snapshot as { readonly tokens: number; readonly left: number } & Omit<Lease, "until">
      limit.bucket.lowerTo(tokens)
      return { lease: { until: left < 0 ? -1 : limit.time.now() + left, ...lease } }
    },
    counters: ({ lease }) => ({ delayed: (lease as Lease).delayed, "delayed-ms": Math.round((lease as Lease).delayedMs) }),
    bound: { kind: "bounded", by: "one item that waits for its token", items: 1 }
  }
}

/** What a stage takes its tokens from; the host hands over its own. */
interface Limit {
  bucket: TokenBucket
  time: StreamTime
  /** Until when an item of this stream was held back last. */
  heldUntil: number
}

/** Without a host there is no time: only `explain` looks at such a stage. */
const noTime: StreamTime = { now: () => 0, sleep: () => Promise.reject(new Error(`${capability} was not bound to a host's time.`)) }

/** Gives nothing where there is a token, a promise where there will be one. */
const paying = ({ burst, cost, mode, name, rate }: LimitOptions, limit: Limit): StreamFunction => {
  const pay = (tokens: number, lease: Lease): unknown => {
    const now = limit.time.now()
    if (mode === "enforce") {
      const retryAfterMs = limit.bucket.tryTake(tokens, now)
      if (retryAfterMs > 0) throw new RateExceeded({ rate, burst, retryAfterMs, name })
      return undefined
    }
    const wait = limit.bucket.take(tokens, now)
    if (wait <= 0) return undefined
    lease.until = limit.heldUntil = now + wait
    lease.cost = tokens
    lease.delayed++
    lease.delayedMs += wait
    return waited(lease, limit)
  }
  return wrapFunctions("rate-limit", [mode === "shape" ? waiting : undefined, cost], 2, (item: unknown, lease: Lease) => {
    if (lease.until >= 0) return waited(lease, limit)
    return cost === undefined ? pay(1, lease) : whenSettled(callWithMeter(cost, item), (tokens) => pay(costOf(tokens), lease))
  })
}

/** Stands for what may give a promise. */
const waiting: StreamFunction = async () => {}

/** Timers count whole ms and must not be early; whatever is left then is waited for once more. */
const waited = async (lease: Lease, { bucket, time }: Limit): Promise<void> => {
  for (let left = lease.until - time.now(); left > 0; left = lease.until - time.now()) await time.sleep(Math.ceil(left))
  bucket.leave(lease.cost, time.now())
}

const costOf = (given: unknown): number => {
  if (typeof given === "number" && given >= 0 && Number.isFinite(given)) return given
  throw new InvalidResult(capability, "cost", "a number of tokens, 0 or more", given)
}
