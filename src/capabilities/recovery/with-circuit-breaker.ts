import type { NodeSpec, StageSpec } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { choice, count, defaulted, duration, fn, optional, share } from "../Option.ts"
import { isOwnFunction } from "../wrapFunction.ts"
import { CallBreaker } from "./CallBreaker.ts"
import type { BreakerSnapshot } from "./CircuitBreaker.ts"

const id = "stream.with-circuit-breaker"

const mostRemembered = 1_000_000

export const withCircuitBreaker = defineCapability({
  id,
  summary: "Stops calling the functions of the stages above it for a while when too many of their calls fail.",
  spec: "§11 Stream Error Patterns",
  kind: "operator",
  short: ["failure-threshold"],
  options: {
    "failure-threshold": defaulted(share, 0.5, "the share of failed calls at which it opens, 1 being all"),
    "recovery-timeout": defaulted(
      duration,
      60_000,
      "how long it stays open before it tries a call; twice as long each time that fails, up to 16 times"
    ),
    window: defaulted(count, 100, "of how many last calls the share is taken"),
    "minimum-calls": defaulted(count, 20, "it does not open before so many calls have come back"),
    "half-open-calls": defaulted(count, 1, "how many calls try it; it closes when all of them pass"),
    "trial-timeout": defaulted(duration, 30_000, "an asynchronous call that tries it and takes longer has failed, and so has its item"),
    "when-open": defaulted(
      choice("wait", "fail"),
      "wait",
      "whether items wait while it is open, or fail at once, as their `:on-failure` says"
    ),
    "on-open": optional(fn, "called each time it opens, also when a trial failed"),
    "on-half-open": optional(fn, "called each time it begins to try"),
    "on-close": optional(fn, "called each time it closes")
  },
  order: "Kept: the item that waits holds those behind it.",
  delivery: "While it is open no covered function is called, and no item is lost: each waits, or fails.",
  backpressure: "A stage that waits takes no more items, so the stream waits up to its source.",
  notes: [
    "It covers the nodes above it: each call of a function that the program or the host gave to a stage counts, every retry too. One breaker is shared by all of them, so put it right below the stage that may fail, or the calls of others thin its failures out. Sources, and what is below it, are not covered.",
    "Whether an item that failed ends the stream is decided by `:on-failure`, `with-dead-letter` or `pipeline-with-recovery`. By default the first failure does, before any breaker opens. With retries, put the breaker above them: `(with-dead-letter (with-circuit-breaker s …) …)`; waiting for it takes no try.",
    "The share is taken of the last `:window` calls that came back while it was closed. Calls that were begun in an earlier state say nothing when they come back; nor do validation errors, and calls that were cancelled or not permitted. Closing begins with an empty window.",
    "A trial that is asynchronous and does not come back in time opens it again, and its item fails with `TrialTimeout`. With `:when-open :fail` an item fails with `CircuitOpen`, which says when it is worth another try.",
    "Callbacks take no arguments, are awaited, and are called once per transition and in order, inside the call in which it came about: what they throw fails that item.",
    "Its state is part of a checkpoint. A covered function stays on the host's thread: in the worker pool its calls could not be counted one by one."
  ],
  example: `(call :stream.await
  (call :stream.to-collection
    {:source (call :stream.with-circuit-breaker
               (call :stream.map [1 2 3] {:transform inc :on-failure :skip})
               {:failure-threshold 0.5 :recovery-timeout 60000})}))`,
  check: (options) =>
    options["failure-threshold"] === 0
      ? "has :failure-threshold 0, at which it would open without a failure; give a share above 0."
      : options["minimum-calls"] > options.window
        ? `has :minimum-calls ${options["minimum-calls"]}, but a :window of ${options.window} calls only; it would never open.`
        : options.window > mostRemembered
          ? `has a :window of ${options.window} calls; at most ${mostRemembered} are remembered.`
          : undefined,
  covers: (options) => {
    const calls = new CallBreaker({
      failureThreshold: options["failure-threshold"],
      recoveryMs: options["recovery-timeout"],
      window: options.window,
      minimumCalls: options["minimum-calls"],
      trials: options["half-open-calls"],
      trialTimeoutMs: options["trial-timeout"],
      whenOpen: options["when-open"],
      told: { open: options["on-open"], "half-open": options["on-half-open"], closed: options["on-close"] }
    })
    return {
      spec: (spec) => covered(spec, calls, options["when-open"] === "wait"),
      own: {
        kind: "stage",
        capability: id,
        bind: ({ time }) => calls.bind(time),
        // In its state, so that it is saved; code has nothing to do with it.
        state: { calls: () => calls },
        snapshot: () => calls.breaker.snapshot(),
        restore: (snapshot) => {
          calls.breaker.restore(snapshot as BreakerSnapshot)
          return { calls }
        },
        counters: () => ({ ...calls.breaker.counts }),
        bound: { kind: "bounded", by: `how the last ${options.window} calls (:window) came back`, items: options.window }
      }
    }
  },
  node: () => ({ kind: "stage", capability: id })
})

/** Of what is ours and fails on an item (one that can't be a key), no breaker could protect anything. */
const covered = (spec: NodeSpec, calls: CallBreaker, waits: boolean): NodeSpec => {
  if (spec.kind !== "stage" || spec.apply === undefined || isOwnFunction(spec.apply.fn)) return spec
  const { concurrency, fn, ...others } = spec.apply
  const apply: StageSpec["apply"] = {
    ...others,
    fn: calls.around(fn),
    ...(waits ? { waits: true } : {}),
    ...(concurrency === undefined ? {} : { concurrency: { ...concurrency, offload: "never" } })
  }
  return {
    ...spec,
    apply,
    bind: (services) => {
      spec.bind?.(services)
      calls.bind(services.time)
    }
  }
}
