import { defineCapability } from "../Capability.ts"
import { choice, count, defaulted, fn, milliseconds, optional, text } from "../Option.ts"

export const withCheckpointing = defineCapability({
  id: "stream.with-checkpointing",
  summary: "Saves the state of the whole pipeline that is consumed through it, so that it goes on where it was after any kind of end.",
  spec: "§6 Checkpointing and Recovery",
  kind: "operator",
  options: {
    "stream-id": optional(text, "the name under which the stream is kept; without it, the hash of its graph and its place in the program"),
    "checkpoint-interval": defaulted(milliseconds, 10_000, "from one checkpoint to the next"),
    "every-n-items": optional(count, "takes a checkpoint also after so many items of the sources"),
    "checkpoint-store": defaulted(
      choice("embedded", "memory", "redis", "postgres"),
      "embedded",
      "where it is kept: the host's own store, or a connection of that name"
    ),
    "checkpoint-timeout": defaulted(milliseconds, 600_000, "after which a round that is not complete is given up and counted"),
    "on-checkpoint": optional(fn, "called with `{:stream-id :checkpoint-id :state}` once a checkpoint is durable, never two at once")
  },
  order: "Kept.",
  delivery:
    "The state of every stage counts each item exactly once. `file.write` has each item exactly once, too. Every other sink is at least once: after a crash it gets again what it had got since the last checkpoint.",
  backpressure:
    "Passes items on. A checkpoint waits for the slowest sink, and the edges that have sent their barrier wait for those that have not.",
  notes: [
    "The pipeline's state is the position of its sources, the states of its stages (partial batches, windows, timers, what `distinct` has seen) and what its sinks have written: one cut through the stream, by aligned barriers. It counts only when every sink has answered and the store has it on the disk. The last three checkpoints are kept; a damaged one falls back to the one before it, and the host's log says so.",
    "The first checkpoint is taken before the first item is read. A run with the same `:stream-id` in the same store goes on from the last one; where the stream has ended, it gives the result again and does nothing. Another run under the same id at the same time is refused.",
    "A graph whose nodes or options differ from those of the checkpoint is refused, and the node named; the functions in it may change. What a function keeps outside of its state (bindings of the host) is not saved.",
    "`:checkpoint-store :embedded` is the host's own store: `--data-dir` or `--store` on the command line. Without either it is memory, and lasts as long as the process. A state that holds a function, a handle or another thing that can't be saved makes checkpoints fail, which is counted and told in the log."
  ],
  example:
    '(call :stream.await (call :stream.reduce (call :stream.with-checkpointing [1 2 3] {:stream-id "sums" :checkpoint-interval 1000}) {:initial 0 :reducer + :on-result (fn [sum] sum)}))',
  node: () => ({ kind: "stage", capability: "stream.with-checkpointing" })
})
