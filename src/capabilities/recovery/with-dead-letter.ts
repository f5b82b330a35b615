import { defaultBackoffMs, defaultQueue } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { coveringPolicy } from "../commonOptions.ts"
import { defaulted, fn, milliseconds, optional, text, wholeNumber } from "../Option.ts"

const id = "stream.with-dead-letter"

export const withDeadLetter = defineCapability({
  id,
  summary: "Stores the items that fail in the stages above it as dead letters, recoverable ones after some retries, and goes on.",
  spec: "§11 Stream Error Patterns",
  kind: "operator",
  options: {
    "error-predicate": optional(
      fn,
      "error → true where another try may help; then the item is tried again, otherwise it is a dead letter at once. Without it all errors are taken to be recoverable"
    ),
    "max-retries": defaulted(wholeNumber, 3, "how often an item with a recoverable error is tried again"),
    "retry-backoff": defaulted(milliseconds, defaultBackoffMs, "the wait before the first retry; each further one is twice as long, at most 30 s, and up to a fifth longer"),
    "dead-letter-queue": defaulted(text, defaultQueue, "the queue in the host's store"),
    "on-dead-letter": optional(fn, "(item, error), called in order once the letter is stored")
  },
  order: "Kept, also while an item is tried again: what is behind it waits.",
  delivery: "Each item goes on or becomes a dead letter, which is stored once, also when the item is given up again after a crash.",
  backpressure:
    "Retries, and a store that can't be written, make the stream wait: an item is never let go before its letter is durable. `inspect` says what an actor waits for.",
  notes: [
    "A letter holds the item as it entered the failing stage, the error, the stage, the stream, the number of tries, which item it was, and the time. Credentials in URLs of error messages are masked. An item that can't be encoded is kept as text.",
    "`rtfs-streams dead-letters` lists, shows, drops and replays letters.",
    "It covers the nodes above it, sources included, and not what is below. Those with an own `:on-failure` keep that; where two decorators cover a node, the nearer one decides.",
    "Without a durable store (`--data-dir`, `--store`, the host's `store`) letters live as long as the host, and at most 10,000 of them: then the stream waits."
  ],
  example: `(call :stream.await
  (call :stream.to-collection
    {:source (call :stream.with-dead-letter
               (stream.map [1 0 2] (fn [x] (/ 10 x)))
               {:error-predicate (fn [error] false) :dead-letter-queue "failed-items"})}))`,
  covers: (options) => ({
    policy: coveringPolicy({
      retries: options["max-retries"],
      backoffMs: options["retry-backoff"],
      then: "dead-letter",
      queue: options["dead-letter-queue"],
      ...(options["error-predicate"] === undefined ? {} : { isRecoverable: options["error-predicate"] }),
      ...(options["on-dead-letter"] === undefined ? {} : { onDeadLetter: options["on-dead-letter"] }),
      setBy: id
    })
  }),
  node: () => ({ kind: "stage", capability: id, bound: { kind: "none" } })
})
